"""Where a finding lies: the same place in both views and in every study of a patient."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final
from zlib import crc32

import numpy as np
from jaxtyping import Float32

from gradtruce.data.phantom.anatomy import SIGN, Anatomy, Side
from gradtruce.data.phantom.chest import Chest
from gradtruce.data.phantom.level import Level
from gradtruce.data.phantom.rays import at_height, floats
from gradtruce.data.study import Finding

Place = Float32[np.ndarray, " 3"]

DEGREE: Final[Mapping[str | None, float]] = MappingProxyType(
    {"mild": 0.0, "moderate": 0.5, "severe": 1.0, None: 0.5}
)
"""Severity as a number from 0 to 1."""
_ZONES: Final[Mapping[str | None, tuple[float, float]]] = MappingProxyType(
    {"upper": (0.14, 0.30), "middle": (0.40, 0.56), "lower": (0.66, 0.86), None: (0.3, 0.7)}
)


def sides_of(finding: Finding) -> tuple[Side, ...]:
    """Return the sides of the patient that a finding is on; both where it has none.

    >>> sides_of(Finding("Edema", "pulmonary edema", side="bilateral"))
    ('left', 'right')
    """
    if finding.side == "left":
        return ("left",)
    return ("right",) if finding.side == "right" else ("left", "right")


def level_for(finding: Finding, level: Level) -> Level:
    """Return the level at which one finding is drawn: fainter where it is only possible."""
    return level if finding.certainty == "definite" else level.faint()


def stream(anatomy: Anatomy, finding: Finding, side: Side | None = None) -> np.random.Generator:
    """Return the random numbers of a finding.

    They hang on the patient and on what and where the finding is, not on its degree: so both
    views agree, and in a later study it is found again in its place.
    """
    words = "|".join((finding.kind, side or finding.side or "", finding.zone or ""))
    return np.random.default_rng([anatomy.seed, crc32(words.encode())])


def lung_place(
    chest: Chest,
    side: Side,
    zone: str | None,
    rng: np.random.Generator,
    across: tuple[float, float] = (0.3, 0.72),
) -> Place:
    """Return a place in one lung, in patient millimetres, beside heart and mediastinum.

    `across` bounds its share of the way from the heart's border to the chest wall.
    """
    first, last = _ZONES[zone]
    y = floats([rng.uniform(first, last) * chest.top[side]])
    sign = SIGN[side]
    outer = abs(float(at_height(_edge(chest, side), y)[0]))
    inner = 12.0
    for solid in (chest.mediastinum, chest.heart):
        edge = solid.high if side == "left" else solid.low
        if float(at_height(solid.depth, y)[0]) > 5:
            inner = max(inner, sign * float(at_height(edge, y)[0]))
    x = sign * (inner + rng.uniform(*across) * (outer - inner))
    cavity = chest.cavity[side]
    depth = float(at_height(cavity.depth, y)[0])
    z = float(at_height(cavity.centre, y)[0]) + rng.uniform(-0.5, 0.45) * depth
    return np.array([x, float(y[0]), z], dtype=np.float32)


def _edge(chest: Chest, side: Side) -> Float32[np.ndarray, " levels"]:
    cavity = chest.cavity[side]
    return cavity.high if side == "left" else cavity.low
