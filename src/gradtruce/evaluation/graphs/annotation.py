"""What RadGraph says of one report, checked: entities, their labels, and how they relate."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, final

V1_LABELS: Final = ("ANAT-DP", "OBS-DP", "OBS-U", "OBS-DA")
"""Labels of the first RadGraph model (Jain et al. 2021)."""

XL_LABELS: Final = tuple(
    f"{kind}::{measured}{certainty}"
    for kind in ("Anatomy", "Observation")
    for measured in ("", "measurement::")
    for certainty in ("definitely present", "uncertain", "definitely absent")
)
"""Labels of RadGraph-XL (Delbrouck et al. 2024) and of its successor on ModernBERT."""

RELATIONS: Final = ("modify", "located_at", "suggestive_of")
"""Types of relations, the same in both."""


@final
@dataclass(frozen=True)
class Entity:
    """Words of a report that say one thing.

    Attributes:
        tokens: The words, separated by blanks, in the letters of the annotation.
        label: One of `V1_LABELS` or `XL_LABELS`.
        relations: Type and target of each relation from here; a target is a key of the graph.
    """

    tokens: str
    label: str
    relations: tuple[tuple[str, str], ...] = ()


@final
@dataclass(frozen=True)
class Graph:
    """The entities of one report.

    Attributes:
        entities: By the number that relations name them by.
        text: The text that was annotated, as tokens; `None` where the annotation carries none.

    >>> Graph({"1": Entity("clear", "OBS-DP", (("located_at", "2"),)),
    ...        "2": Entity("lungs", "ANAT-DP")}).labels
    'v1'
    """

    entities: Mapping[str, Entity]
    text: str | None = None

    @property
    def labels(self) -> str:
        """Return whose labels it carries, "v1" or "xl"; "" where there is no entity."""
        names = {"v1" if entity.label in V1_LABELS else "xl" for entity in self.entities.values()}
        return " and ".join(sorted(names))


EMPTY: Final = Graph({})
"""The graph of a report that RadGraph was not asked about, because it is empty."""


def parse_graph(fields: object, where: str) -> Graph:
    """Return the graph in one JSON object of RadGraph's output.

    Args:
        fields: `{"text": …, "entities": {"1": {"tokens", "label", "relations"}}}`; what else is
            there, such as `start_ix` and `data_source`, is left aside.
        where: Names file and study in messages.

    Raises:
        ValueError: If it has another form, a label or a type of relation is not RadGraph's, a
            relation leads to an entity that is not there, or both kinds of labels come together.

    >>> parse_graph({"entities": {"1": {"tokens": "clear", "label": "OBS-XX", "relations": []}}},
    ...             "graphs.json, study 's1'")
    Traceback (most recent call last):
        ...
    ValueError: graphs.json, study 's1', entity '1': label 'OBS-XX' is none of RadGraph's; ...
    """
    entities = _member(_object(fields, where), "entities", where)
    text = _object(fields, where).get("text")
    if text is not None and not isinstance(text, str):
        raise ValueError(f"{where}: 'text' must be text, found {text!r}")
    graph = Graph(
        {
            number: _entity(each, entities, f"{where}, entity {number!r}")
            for number, each in _object(entities, f"{where}: 'entities'").items()
        },
        text,
    )
    if graph.labels == "v1 and xl":
        raise ValueError(
            f"{where}: labels of RadGraph v1 and of RadGraph-XL in one graph; one model makes one"
            " kind"
        )
    return graph


def _entity(fields: object, entities: object, where: str) -> Entity:
    entity = _object(fields, where)
    tokens, label = _member(entity, "tokens", where), _member(entity, "label", where)
    if not isinstance(tokens, str) or not tokens.strip():
        raise ValueError(f"{where}: 'tokens' must be the entity's words as text, found {tokens!r}")
    if not isinstance(label, str) or label not in V1_LABELS + XL_LABELS:
        raise ValueError(
            f"{where}: label {label!r} is none of RadGraph's; known: {', '.join(V1_LABELS)}"
            f" (v1), {', '.join(XL_LABELS)} (XL)"
        )
    relations = _member(entity, "relations", where)
    if not isinstance(relations, list):
        message = f"{where}: 'relations' must be a list of [type, target], found {relations!r}"
        raise ValueError(message)  # noqa: TRY004 # a file's content
    known = _object(entities, where)
    return Entity(tokens, label, tuple(_relation(each, known, where) for each in relations))


def _relation(pair: object, entities: Mapping[str, object], where: str) -> tuple[str, str]:
    is_pair = isinstance(pair, list) and len(pair) == 2 and all(isinstance(x, str) for x in pair)
    if not isinstance(pair, list) or not is_pair:
        raise ValueError(f"{where}: a relation must be [type, target], both text, found {pair!r}")
    kind, target = pair
    if kind not in RELATIONS:
        raise ValueError(
            f"{where}: relation {kind!r} is none of RadGraph's; known: {', '.join(RELATIONS)}"
        )
    if target not in entities:
        raise ValueError(
            f"{where}: relation {kind!r} leads to entity {target!r}, which the graph does not"
            f" have; it has {', '.join(entities)}"
        )
    return kind, target


def _object(value: object, where: str) -> Mapping[str, object]:
    if not isinstance(value, dict):
        message = f"{where}: expected a JSON object, found {type(value).__name__}"
        raise ValueError(message)  # noqa: TRY004 # a file's content
    return value


def _member(fields: Mapping[str, object], name: str, where: str) -> object:
    if name not in fields:
        raise ValueError(f"{where}: field {name!r} is missing; found {sorted(fields)}")
    return fields[name]
