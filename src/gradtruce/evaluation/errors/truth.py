"""How well the extractor reads attributes, held against findings that are known."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, final

from gradtruce.data.study import Finding
from gradtruce.evaluation.errors.extract import Extractor
from gradtruce.evaluation.errors.statement import SIDES, Statement

_DEGREES: Final = {"mild": 1, "moderate": 2, "severe": 3}


@final
@dataclass(frozen=True)
class Agreement:
    """What was read of findings that are known.

    Attributes:
        findings: Number of known findings.
        read: How many of them have a statement.
        surplus: Statements left over, without a finding.
        certain: How many have the right certainty.
        stated: How many statements have each attribute: "side", "zone", "severity", "device".
        right: How many of those have it right.
    """

    findings: int
    read: int
    surplus: int
    certain: int
    stated: Mapping[str, int]
    right: Mapping[str, int]


def agreement(reports: Sequence[str], findings: Sequence[Sequence[Finding]]) -> Agreement:
    """Return how what is read in each report agrees with the findings of its study.

    Each finding takes the statement of its observation that is wrong in the fewest attributes.
    An attribute counts as right where the finding has it and the statement says that one alone;
    of a degree between two, either is right.

    Raises:
        ValueError: If there are not as many reports as lists of findings.

    >>> known = Finding("Pneumothorax", "pneumothorax", side="left", severity="mild")
    >>> agreement(["Small left pneumothorax."], [[known]]).right
    {'side': 1, 'severity': 1}
    """
    if len(reports) != len(findings):
        raise ValueError(f"got {len(reports)} reports but findings of {len(findings)} studies")
    extractor = Extractor()
    stated: Counter[str] = Counter()
    right: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for report, known in zip(reports, findings, strict=True):
        left = list(extractor.read(report).present)
        for finding in known:
            total["findings"] += 1
            candidates = [one for one in left if one.observation == finding.observation]
            if not candidates:
                continue
            best = min(candidates, key=lambda one: _wrong(one, finding))
            left.remove(best)
            total["read"] += 1
            total["certain"] += best.is_certain == (finding.certainty == "definite")
            judged = _judged(best, finding)
            stated.update(judged.keys())
            right.update(name for name, is_right in judged.items() if is_right)
        total["surplus"] += len(left)
    return Agreement(
        total["findings"],
        total["read"],
        total["surplus"],
        total["certain"],
        dict(stated),
        dict(right),
    )


def _judged(statement: Statement, finding: Finding) -> dict[str, bool]:
    """Return whether each attribute that is stated is right."""
    sides = SIDES if finding.side == "bilateral" else (finding.side,)
    degree = _DEGREES.get(finding.severity or "")
    judged = {
        "side": (statement.sides, statement.sides == sides),
        "zone": (statement.zones, statement.zones == (finding.zone,)),
        "severity": (statement.severities, degree in statement.severities),
        "device": (statement.device, statement.device == finding.kind),
    }
    return {name: is_right for name, (is_stated, is_right) in judged.items() if is_stated}


def _wrong(statement: Statement, finding: Finding) -> int:
    return sum(not is_right for is_right in _judged(statement, finding).values())
