"""What a synthetic patient has, and what becomes of it by the next study."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import numpy as np

from gradtruce.data.phantom.kinds import KINDS, SEVERITIES, Kind
from gradtruce.data.phantom.level import LevelName
from gradtruce.data.phantom.patterns import DEVICES_OF_A_NORMAL_STUDY, PATTERNS, Pattern
from gradtruce.data.study import Finding


@dataclass(frozen=True)
class Difficulty:
    """How hard a set is on the side of its facts and words.

    Attributes:
        normal: Share of studies without a finding; devices may still be there.
        severities: Chance of mild, moderate and severe.
        hedged: Chance that a finding which may be hedged is only possible.
        wording: Exponent of the Zipf distribution over wordings; lower is more varied.
    """

    normal: float
    severities: tuple[float, float, float]
    hedged: float
    wording: float


DIFFICULTIES: Final[Mapping[LevelName, Difficulty]] = {
    "easy": Difficulty(0.25, (0.10, 0.40, 0.50), 0.0, 2.6),
    "standard": Difficulty(0.32, (0.20, 0.40, 0.40), 0.06, 2.0),
    "hard": Difficulty(0.50, (0.50, 0.35, 0.15), 0.12, 1.1),
}

SIZES: Final = (8, 10, 12, 15, 18, 20, 25, 30, 35, 40, 45, 50, 55, 60, 65)
"""Extents that are drawn, in millimetres, so that a report can state them exactly."""

MAY_BE_HEDGED: Final = frozenset(
    {
        "widened mediastinum",
        "enlarged heart",
        "nodule",
        "pulmonary edema",
        "consolidation",
        "pneumonia",
        "linear atelectasis",
        "pneumothorax",
        "pleural effusion",
        "pleural thickening",
        "rib fracture",
    }
)
"""Kinds that a report may call possible; such a finding is there, but faint."""

LASTING: Final = frozenset(
    {
        "enlarged heart",
        "nodule",
        "mass",
        "cavitary lesion",
        "pleural thickening",
        "rib fracture",
        "clavicle fracture",
        "vertebral compression fracture",
        "pacemaker",
        "sternotomy wires",
    }
)
"""Kinds that are not gone by the next study."""

_AIRSPACE: Final = ("hazy opacity", "consolidation", "pneumonia")
_USUAL_SIDE: Final = {"central venous catheter": "right", "pacemaker": "left"}
_USUALLY: Final = 0.75
_SAME_SIDE: Final = 0.85
_BILATERAL: Final = 0.6
_SOMETIMES_BILATERAL: Final = 0.15
_SECOND_NODULE: Final = 0.1

_BY_NAME: Final = {kind.name: kind for kind in KINDS}
_BY_OBSERVATION: Final = {
    name: tuple(kind for kind in KINDS if kind.observation == name)
    for name in dict.fromkeys(kind.observation for kind in KINDS)
}


class NextStudy(NamedTuple):
    """What a later study shows.

    Attributes:
        findings: What is there, each with its change since the study before.
        resolved: Findings of the study before that are gone.
    """

    findings: tuple[Finding, ...]
    resolved: tuple[Finding, ...]


def draw_findings(rng: np.random.Generator, level: LevelName) -> tuple[Finding, ...]:
    """Return the findings of a first study.

    >>> findings = draw_findings(np.random.default_rng(3), "standard")
    >>> [(finding.kind, finding.side, finding.severity) for finding in findings]
    [...]
    """
    difficulty = DIFFICULTIES[level]
    if rng.random() < difficulty.normal:
        return _devices_alone(rng)
    shares = np.array([pattern.share for pattern in PATTERNS])
    pattern = PATTERNS[int(rng.choice(len(PATTERNS), p=shares / shares.sum()))]
    kinds: list[Kind] = []
    while all(kind.observation == "Support Devices" for kind in kinds):
        kinds = [
            _kind_of(name, rng) for name, chance in pattern.chances.items() if rng.random() < chance
        ]
    kinds = _without_stray_chest_tube(kinds)
    main_side = str(rng.choice(("left", "right")))
    findings = [_draw(kind, main_side, pattern, difficulty, rng) for kind in kinds]
    if pattern.is_one_place:
        findings = _in_one_place(findings)
    return tuple(_with_second_nodule(findings, rng))


def next_study(
    previous: Sequence[Finding], rng: np.random.Generator, level: LevelName
) -> NextStudy:
    """Return what the next study of the same patient shows.

    A finding without degree or size can only stay as it is or go. One that is called increased or
    decreased differs from before in severity or size by one step at least.
    """
    kept: list[Finding] = []
    resolved: list[Finding] = []
    for finding in previous:
        goes = finding.kind not in LASTING and rng.random() < 0.3
        if goes:
            resolved.append(replace(finding, change=None))
        else:
            kept.append(_changed(finding, rng))
    here = {finding.kind for finding in previous}
    if rng.random() < 0.3:
        fresh = [one for one in draw_findings(rng, level) if one.kind not in here]
        kept += [replace(one, change="new") for one in fresh]
    kept = _keep_chest_tube_company(kept, resolved)
    still = {finding.observation for finding in kept}
    return NextStudy(tuple(kept), tuple(one for one in resolved if one.observation not in still))


def _devices_alone(rng: np.random.Generator) -> tuple[Finding, ...]:
    chances = DEVICES_OF_A_NORMAL_STUDY.items()
    kinds = [_BY_NAME[name] for name, chance in chances if rng.random() < chance]
    return tuple(
        Finding(kind.observation, kind.name, side=_side(kind, "right", 0.0, rng)) for kind in kinds
    )


def _kind_of(name: str, rng: np.random.Generator) -> Kind:
    if name in _BY_NAME:
        return _BY_NAME[name]
    kinds = _BY_OBSERVATION[name]
    shares = np.array([kind.share for kind in kinds])
    return kinds[int(rng.choice(len(kinds), p=shares / shares.sum()))]


def _without_stray_chest_tube(kinds: list[Kind]) -> list[Kind]:
    if {kind.name for kind in kinds} & {"pneumothorax", "pleural effusion"}:
        return kinds
    return [kind for kind in kinds if kind.name != "chest tube"]


def _keep_chest_tube_company(kept: list[Finding], resolved: list[Finding]) -> list[Finding]:
    """Leave a chest tube only where there is, or has just been, something to drain."""
    drained = {"pneumothorax", "pleural effusion"}
    if any(finding.kind in drained for finding in (*kept, *resolved)):
        return kept
    return [finding for finding in kept if finding.kind != "chest tube"]


def _draw(
    kind: Kind, main_side: str, pattern: Pattern, difficulty: Difficulty, rng: np.random.Generator
) -> Finding:
    keeps_side = 1.0 if kind.name == "chest tube" else _SAME_SIDE
    side = main_side if rng.random() < keeps_side else str(rng.choice(("left", "right")))
    bilateral = _BILATERAL if pattern.is_bilateral else _SOMETIMES_BILATERAL
    is_possible = kind.name in MAY_BE_HEDGED and rng.random() < difficulty.hedged
    severity = str(rng.choice(SEVERITIES, p=difficulty.severities)) if kind.severities else None
    return Finding(
        observation=kind.observation,
        kind=kind.name,
        severity="mild" if is_possible and severity else severity,
        side=_side(kind, side, bilateral, rng),
        zone=str(rng.choice(kind.zones)) if kind.zones else None,
        size=_size(kind, rng),
        certainty="possible" if is_possible else "definite",
    )


def _side(kind: Kind, side: str, bilateral: float, rng: np.random.Generator) -> str | None:
    """Return `side`, another one where the kind cannot lie there, or both sides."""
    if not kind.sides:
        return None
    if kind.sides == ("bilateral",) or ("bilateral" in kind.sides and rng.random() < bilateral):
        return "bilateral"
    usual = _USUAL_SIDE.get(kind.name)
    if usual is None:
        return side
    return usual if rng.random() < _USUALLY else ("left" if usual == "right" else "right")


def _size(kind: Kind, rng: np.random.Generator) -> float | None:
    if kind.size is None:
        return None
    smallest, largest = kind.size
    return float(rng.choice([size for size in SIZES if smallest <= size <= largest]))


def _in_one_place(findings: list[Finding]) -> list[Finding]:
    anchor = next(finding for finding in findings if finding.kind == "pneumonia")
    return [
        replace(finding, side=anchor.side, zone=anchor.zone)
        if finding.kind in _AIRSPACE
        else finding
        for finding in findings
    ]


def _with_second_nodule(findings: list[Finding], rng: np.random.Generator) -> list[Finding]:
    nodule = next((one for one in findings if one.kind == "nodule"), None)
    if nodule is None or nodule.certainty == "possible" or rng.random() >= _SECOND_NODULE:
        return findings
    other = "left" if nodule.side == "right" else "right"
    zone = str(rng.choice(_BY_NAME["nodule"].zones))
    second = replace(nodule, side=other, zone=zone, size=_size(_BY_NAME["nodule"], rng))
    return [*findings, second]


def _changed(finding: Finding, rng: np.random.Generator) -> Finding:
    """Return the finding as it is at the next study, with the word for its change."""
    draw = rng.random()
    step = 0 if draw < 0.4 else (1 if draw < 0.7 else -1)
    if finding.certainty == "possible" or step == 0:
        return replace(finding, change="unchanged")
    word = "increased" if step > 0 else "decreased"
    if finding.severity is not None:
        degree = SEVERITIES.index(finding.severity) + step
        if 0 <= degree < len(SEVERITIES) and finding.observation != "Fracture":
            return replace(finding, severity=SEVERITIES[degree], change=word)
    elif finding.size is not None:
        allowed = _BY_NAME[finding.kind].size
        place = SIZES.index(int(finding.size)) + 2 * step
        if allowed and 0 <= place < len(SIZES) and allowed[0] <= SIZES[place] <= allowed[1]:
            return replace(finding, size=float(SIZES[place]), change=word)
    return replace(finding, change="unchanged")
