"""What MeSH strings and labels together say is there, before anything is drawn at random."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, final

from gradtruce.data.observations import (
    FINDINGS,
    NEGATIVE,
    NO_FINDING,
    POSITIVE,
    UNCERTAIN,
    LabelState,
)
from gradtruce.data.phantom.facts import SUPPORT_DEVICES
from gradtruce.data.phantom.from_report.mapping import Attributes, ReportMapping, load_mapping
from gradtruce.data.phantom.from_report.mesh import MeshTerm
from gradtruce.data.phantom.kinds import SEVERITIES, Kind

Origin = Literal["MeSH", "label, place from MeSH", "label"]
Labels = Mapping[str, LabelState]

_SILENT = Attributes()


@final
@dataclass(frozen=True, slots=True)
class Statement:
    """One thing that is there, with what is known of it.

    Attributes:
        observation: The observation that it makes positive.
        kind: What it is; `None` where only a label speaks of it, which names no kind.
        attributes: What is known of side, zone and degree.
        origin: Who says so.
        is_possible: Whether it is only possible: by its label, else by the string.
    """

    observation: str
    kind: Kind | None
    attributes: Attributes
    origin: Origin
    is_possible: bool = False


@final
@dataclass(frozen=True)
class Reading:
    """What is to be drawn for a report, and what is not.

    Attributes:
        statements: What is there.
        unmapped: Heads that no rule draws or places, such as "scoliosis".
        denied: Heads that a label denies, so that nothing is drawn.
        unused: Heads that only give a place, where no label called for it.
    """

    statements: tuple[Statement, ...]
    unmapped: tuple[str, ...] = ()
    denied: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()


@dataclass
class _Heads:
    unmapped: list[str] = field(default_factory=list)
    denied: list[str] = field(default_factory=list)
    places: list[tuple[Kind, MeshTerm]] = field(default_factory=list)
    drawn: set[MeshTerm] = field(default_factory=set)


def read_statements(
    mesh: Sequence[str], automatic: Sequence[str], labels: Mapping[str, LabelState]
) -> Reading:
    """Return what MeSH strings and labels say is there.

    A label goes before a string: 0 denies what a string names, -1 makes it only possible. No
    Finding denies all that has no label of its own, support devices left out. A positive or
    uncertain label that no string names is a statement of its own.

    Args:
        mesh: Strings with qualifiers, reviewed by a person ("major").
        automatic: Terms that a program found; they only tell which device a label means.
        labels: Known observations of the study.

    Raises:
        ValueError: If a string has no head.

    >>> reading = read_statements(["Pleural Effusion/left", "Scoliosis"], [], {"Edema": 1})
    >>> [(one.observation, one.origin) for one in reading.statements], reading.unmapped
    ([('Pleural Effusion', 'MeSH'), ('Edema', 'label')], ('scoliosis',))
    """
    mapping, heads = load_mapping(), _Heads()
    terms = [MeshTerm.parse(text) for text in mesh if text.strip()]
    named = [one for term in terms for one in _read_term(term, mapping, labels, heads)]
    found = [mapping.automatic.get(" ".join(text.lower().split())) for text in automatic]
    devices = [kind for kind in found if kind is not None]
    statements = _most_specific(named)
    statements += _called_for(labels, statements, heads, devices, mapping)
    unused = [term.head for _, term in heads.places if term not in heads.drawn]
    return Reading(
        tuple(statements),
        tuple(dict.fromkeys(heads.unmapped)),
        tuple(dict.fromkeys(heads.denied)),
        tuple(dict.fromkeys(unused)),
    )


def state_of(observation: str, labels: Labels) -> LabelState | None:
    """Return what the labels say of an observation, No Finding taken at its word.

    >>> state_of("Edema", {"No Finding": 1}), state_of("Support Devices", {"No Finding": 1})
    (0, None)
    """
    state = labels.get(observation)
    if state is None and labels.get(NO_FINDING) == POSITIVE and observation != SUPPORT_DEVICES:
        return NEGATIVE
    return state


def _read_term(
    term: MeshTerm, mapping: ReportMapping, labels: Labels, heads: _Heads
) -> Iterator[Statement]:
    rules = mapping.rules_for(term)
    if not rules and not mapping.is_silent(term):
        heads.unmapped.append(term.head)
    attributes = mapping.attributes(term)
    for rule in rules:
        kind = _chosen(rule.kinds, labels)
        heads.places += [(other, term) for other in (*rule.kinds, *rule.place_for)]
        if kind is not None:
            heads.drawn.add(term)
            state = state_of(kind.observation, labels)
            is_possible = state == UNCERTAIN or (state is None and attributes.is_doubtful)
            yield Statement(kind.observation, kind, attributes, "MeSH", is_possible)
        elif rule.kinds:
            heads.denied.append(term.head)
            heads.drawn.add(term)


def _chosen(kinds: Sequence[Kind], labels: Labels) -> Kind | None:
    """Return the first kind that the labels affirm, else doubt, else leave open."""
    for state in (POSITIVE, UNCERTAIN, None):
        for kind in kinds:
            if state_of(kind.observation, labels) == state:
                return kind
    return None


def _called_for(
    labels: Labels,
    statements: Sequence[Statement],
    heads: _Heads,
    devices: Sequence[Kind],
    mapping: ReportMapping,
) -> Iterator[Statement]:
    """Yield what labels affirm or doubt and no string has named."""
    named = {statement.observation for statement in statements}
    for observation in FINDINGS:
        state = labels.get(observation)
        if observation in named or state not in (POSITIVE, UNCERTAIN):
            continue
        kind, attributes, origin = _placed(observation, heads, devices, mapping)
        yield Statement(observation, kind, attributes, origin, state == UNCERTAIN)


def _placed(
    observation: str, heads: _Heads, devices: Sequence[Kind], mapping: ReportMapping
) -> tuple[Kind | None, Attributes, Origin]:
    for kind, term in heads.places:
        if kind.observation == observation:
            heads.drawn.add(term)
            return kind, mapping.attributes(term), "label, place from MeSH"
    for kind in devices:
        if kind.observation == observation:
            return kind, _SILENT, "label, place from MeSH"
    return None, _SILENT, "label"


def _most_specific(statements: Sequence[Statement]) -> list[Statement]:
    """Return the statements without those that another one of the same kind says more fully.

    The most severe degree is kept. A kind that has no place is there once.
    """
    kept: list[Statement] = []
    for statement in statements:
        for index, other in enumerate(kept):
            if _covers(other, statement):
                kept[index] = _with_degree(other, statement)
                break
            if _covers(statement, other):
                kept[index] = _with_degree(statement, other)
                break
        else:
            kept.append(statement)
    return kept


def _covers(full: Statement, bare: Statement) -> bool:
    """Return whether the place of `bare` is the place of `full` or left open."""
    if full.kind is None or full.kind is not bare.kind:
        return False
    at, less = full.attributes, bare.attributes
    same_side = not full.kind.sides or less.side in (None, at.side)
    same_zone = not full.kind.zones or set(less.zones) <= set(at.zones)
    return same_side and same_zone


def _with_degree(full: Statement, other: Statement) -> Statement:
    degrees = {full.attributes.severity, other.attributes.severity}
    worst = next((degree for degree in reversed(SEVERITIES) if degree in degrees), None)
    several = full.attributes.is_several or other.attributes.is_several
    attributes = replace(full.attributes, severity=worst, is_several=several)
    is_possible = full.is_possible and other.is_possible
    return replace(full, attributes=attributes, is_possible=is_possible)
