"""Findings that the phantom can draw for a report: what is known is kept, the rest is drawn."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, final

import numpy as np

from gradtruce.data.observations import LabelState
from gradtruce.data.phantom.disease import DIFFICULTIES, SIZES
from gradtruce.data.phantom.from_report.places import How, Place, Stream, places_of
from gradtruce.data.phantom.from_report.statements import (
    Origin,
    Reading,
    Statement,
    read_statements,
)
from gradtruce.data.phantom.kinds import KINDS, SEVERITIES, Kind
from gradtruce.data.phantom.level import LevelName
from gradtruce.data.study import Finding

_DRAINED: Final = frozenset({"Pneumothorax", "Pleural Effusion"})


@final
@dataclass(frozen=True, eq=False)
class PlannedFinding:
    """A finding, and where it and its attributes come from.

    Attributes:
        finding: As the phantom draws it, without regions.
        origin: Who says that it is there.
        attributes: For each of "kind", "side", "zone", "severity" and "size" that the finding has:
            where it comes from. A finding that is only possible is mild by rule, so "fixed".
    """

    finding: Finding
    origin: Origin
    attributes: Mapping[str, How]

    def drawn(self) -> tuple[str, ...]:
        """Return the attributes that are drawn at random."""
        return tuple(name for name, how in self.attributes.items() if how == "drawn")


@final
@dataclass(frozen=True, eq=False)
class Plan:
    """All that is drawn for a report, and what the report says that is not.

    Attributes:
        findings: What is drawn.
        reading: With the MeSH heads that are not.
    """

    findings: tuple[PlannedFinding, ...]
    reading: Reading


def plan_findings(
    mesh: Sequence[str],
    automatic: Sequence[str],
    labels: Mapping[str, LabelState],
    stream: Stream,
    level: LevelName,
) -> Plan:
    """Return what to draw for a report's MeSH strings and labels.

    Args:
        mesh: Strings with qualifiers ("major").
        automatic: Terms without qualifiers.
        labels: Known observations.
        stream: Random numbers for what the report leaves open.
        level: Sets how severe findings are whose severity is unknown.

    Raises:
        ValueError: If a MeSH string has no head.

    >>> from gradtruce.data.phantom.from_report.places import random_streams
    >>> plan = plan_findings(["Pleural Effusion/left"], [], {}, random_streams(0), "standard")
    >>> one = plan.findings[0]
    >>> one.finding.side, one.finding.zone, one.drawn()
    ('left', 'lower', ('severity',))
    """
    reading = read_statements(mesh, automatic, labels)
    has_fluid_or_air = any(one.observation in _DRAINED for one in reading.statements)
    findings: list[PlannedFinding] = []
    for statement in reading.statements:
        kind = statement.kind or _drawn_kind(statement.observation, stream, has_fluid_or_air)
        for place in places_of(kind, statement.attributes, stream):
            planned = _complete(kind, statement, place, stream, level)
            if not any(_overlap(planned.finding, other.finding) for other in findings):
                findings.append(planned)
    return Plan(tuple(findings), reading)


def _drawn_kind(observation: str, stream: Stream, has_fluid_or_air: bool) -> Kind:
    """Return a kind of the observation, a chest tube only where there is something to drain."""
    kinds = [
        kind
        for kind in KINDS
        if kind.observation == observation and (has_fluid_or_air or kind.name != "chest tube")
    ]
    shares = np.array([kind.share for kind in kinds])
    return kinds[int(stream("kind", observation).choice(len(kinds), p=shares / shares.sum()))]


def _complete(
    kind: Kind, statement: Statement, place: Place, stream: Stream, level: LevelName
) -> PlannedFinding:
    rng = stream("degree", kind.name, place.side or "", place.zone or "")
    degree, shares = statement.attributes.severity, DIFFICULTIES[level].severities
    one = str(rng.choice(SEVERITIES, p=shares))
    size = _size(kind, degree, rng)
    severity_is: How = "known"
    if degree is None:
        severity_is = "fixed" if statement.is_possible else "drawn"
        degree = "mild" if statement.is_possible else one
    finding = Finding(
        observation=kind.observation,
        kind=kind.name,
        severity=degree if kind.severities else None,
        side=place.side,
        zone=place.zone,
        size=size,
        certainty="possible" if statement.is_possible else "definite",
    )
    how: dict[str, How] = {
        "kind": "known" if statement.kind else "drawn",
        "side": place.side_is,
        "zone": place.zone_is,
        "severity": severity_is,
        "size": "drawn",
    }
    there = {name: source for name, source in how.items() if getattr(finding, name) is not None}
    return PlannedFinding(finding, statement.origin, there)


def _size(kind: Kind, degree: str | None, rng: np.random.Generator) -> float | None:
    """Return an extent in millimetres; from the third of the kind's range that a degree names."""
    if kind.size is None:
        return None
    smallest, largest = kind.size
    sizes = np.array([size for size in SIZES if smallest <= size <= largest])
    if degree is not None:
        sizes = np.array_split(sizes, len(SEVERITIES))[SEVERITIES.index(degree)]
    return float(rng.choice(sizes))


def _overlap(one: Finding, other: Finding) -> bool:
    same_side = one.side == other.side or "bilateral" in (one.side, other.side)
    return one.kind == other.kind and one.zone == other.zone and same_side
