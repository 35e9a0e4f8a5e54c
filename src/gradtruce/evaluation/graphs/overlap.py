"""How far two graphs agree: RadGraph F1 (Delbrouck et al. 2022), and RadCliQ's part of it."""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Final, final

from gradtruce.evaluation.graphs.annotation import Entity, Graph

LEVELS: Final = ("simple", "partial", "complete", "relation")
"""What two graphs are compared by, from entities alone to relations alone."""


@final
@dataclass(frozen=True)
class Match:
    """Agreement of two sets.

    Attributes:
        precision: Share of the generated set that is in the reference; 0 where it is empty.
        recall: Share of the reference set that is in the generated; 0 where it is empty.
        f1: Their harmonic mean; 0 where both are 0.
    """

    precision: float
    recall: float
    f1: float


def overlap(generated: Graph, reference: Graph) -> dict[str, Match]:
    """Return the agreement of two graphs by each of `LEVELS`.

    All are 0 where either graph has no entity, and `relation` where either has no relation, even
    where both have none. What comes twice in a report counts once. There is no order between the
    levels: each is over another set.

    >>> effusion = Entity("effusion", "OBS-DP", (("located_at", "2"),))
    >>> left = Graph({"1": effusion, "2": Entity("left", "ANAT-DP")})
    >>> right = Graph({"1": effusion, "2": Entity("right", "ANAT-DP")})
    >>> {level: match.f1 for level, match in overlap(left, right).items()}
    {'simple': 0.5, 'partial': 0.5, 'complete': 0.0, 'relation': 0.0}
    """
    return {
        level: _match(elements(generated, level), elements(reference, level)) for level in LEVELS
    }


def elements(graph: Graph, level: str) -> frozenset[Hashable]:
    """Return the set that a graph is at one level.

    - `simple`: (tokens, label) of each entity.
    - `partial`: the same, with whether any relation starts there.
    - `complete`: (tokens, label) of entities that no relation starts from; for each relation,
      (tokens, label, type, tokens of the target). The tokens of the latter are in small letters,
      those of the former as they are: so does the `radgraph` package, and so do published numbers.
    - `relation`: ((tokens, label), (tokens, label) of the target, type) of each relation, as
      RadCliQ's code has it; letters as they are.

    Raises:
        ValueError: If there is no such level.

    >>> graph = Graph({"1": Entity("Clear", "OBS-DP", (("located_at", "2"),)),
    ...                "2": Entity("Lungs", "ANAT-DP")})
    >>> sorted(elements(graph, "complete"))
    [('Lungs', 'ANAT-DP'), ('clear', 'OBS-DP', 'located_at', 'lungs')]
    """
    entities = graph.entities.values()
    if level == "simple":
        return frozenset(_name(each) for each in entities)
    if level == "partial":
        return frozenset((*_name(each), bool(each.relations)) for each in entities)
    if level == "complete":
        alone = frozenset[Hashable](_name(each) for each in entities if not each.relations)
        return alone | {
            (source.tokens.lower(), source.label, kind, target.tokens.lower())
            for source, kind, target in _relations(graph)
        }
    if level == "relation":
        return frozenset(
            (_name(source), _name(target), kind) for source, kind, target in _relations(graph)
        )
    raise ValueError(f"no level is called {level!r}; known: {', '.join(LEVELS)}")


def _name(entity: Entity) -> tuple[str, str]:
    return entity.tokens, entity.label


def _relations(graph: Graph) -> list[tuple[Entity, str, Entity]]:
    return [
        (source, kind, graph.entities[target])
        for source in graph.entities.values()
        for kind, target in source.relations
    ]


def _match(generated: frozenset[Hashable], reference: frozenset[Hashable]) -> Match:
    common = len(generated & reference)
    if not common:
        return Match(0.0, 0.0, 0.0)
    precision, recall = common / len(generated), common / len(reference)
    return Match(precision, recall, 2 * precision * recall / (precision + recall))
