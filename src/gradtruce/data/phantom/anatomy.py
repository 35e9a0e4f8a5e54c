"""How a patient is built (the same in every study), and how one film of the patient is taken."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal, final

import numpy as np

from gradtruce.data.phantom.level import Level
from gradtruce.data.phantom.rays import Number

Side = Literal["left", "right"]
SIGN: Final[Mapping[Side, float]] = MappingProxyType({"left": 1.0, "right": -1.0})
"""Direction of x for a side of the patient."""


def _around(rng: np.random.Generator, mean: Number, spread: Number, limit: float = 2.0) -> float:
    return float(mean + spread * np.clip(rng.standard_normal(), -limit, limit))


@final
@dataclass(frozen=True)
class Anatomy:
    """Proportions of one patient; lengths in millimetres, shares without unit.

    Attributes:
        seed: Fixes all irregularities: vessels, ribs, texture, and the places of findings.
        width: Half the inner width of the chest at its widest.
        height: From the top of the lungs to the top of the right hemidiaphragm.
        depth: Half the inner depth of the chest, front to back.
        wall: Thickness of the chest wall, muscle and fat.
        heart: Width of the heart as a share of the inner width of the chest; normal below 0.5.
        upright: Position of the heart: 0 lying flat, 1 hanging.
        apex: How far down and out the tip of the left ventricle reaches, 0 to 1.
        knob: How far the aortic arch stands out, 0 (young) to 1 (unfolded).
        curve: Sideways curve of the spine.
        kyphosis: How far the spine curves backwards.
        slope: How steeply ribs fall, 0 to 1.
        rib: Width of a rib.
        bone: Density of bone, 1 in a healthy adult.
        clavicle: How far the clavicles arch upwards.
        shoulder: Fall of the shoulders below the jaw.
        neck: Half the width of the neck.
        dome: Height of the domes of the diaphragm above the costophrenic angle.
        lift: How much higher the right dome is.
        breast: Size of the breasts, 0 for none.
        vessels: How prominent the vessels of the lungs are, about 1.
        gas: Size of the gas bubble in the stomach, 0 for none.

    >>> Anatomy.draw(np.random.default_rng(1)) == Anatomy.draw(np.random.default_rng(1))
    True
    """

    seed: int
    width: float
    height: float
    depth: float
    wall: float
    heart: float
    upright: float
    apex: float
    knob: float
    curve: float
    kyphosis: float
    slope: float
    rib: float
    bone: float
    clavicle: float
    shoulder: float
    neck: float
    dome: float
    lift: float
    breast: float
    vessels: float
    gas: float

    @property
    def shoulder_top(self) -> float:
        """Height of the top of the shoulders in the patient."""
        return self.shoulder - 75.0

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Anatomy":
        """Return a random adult."""
        build = _around(rng, 0.0, 1.0)
        age = float(rng.uniform())
        return cls(
            seed=int(rng.integers(2**31)),
            width=_around(rng, 138 + 4 * build, 6),
            height=_around(rng, 222 - 4 * build, 11),
            depth=_around(rng, 98 + 3 * build, 7),
            wall=float(np.clip(_around(rng, 22 + 8 * build, 3), 10, 48)),
            heart=min(_around(rng, 0.425 + 0.01 * build + 0.02 * age, 0.022), 0.485),
            upright=float(np.clip(_around(rng, 0.5 - 0.15 * build, 0.2), 0, 1)),
            apex=float(rng.uniform()),
            knob=float(np.clip(age * 0.8 + rng.uniform(-0.1, 0.2), 0, 1)),
            curve=_around(rng, 0, 5.0),
            kyphosis=_around(rng, 14 + 10 * age, 5),
            slope=float(rng.uniform()),
            rib=_around(rng, 11.5, 1.2),
            bone=_around(rng, 1.1 - 0.25 * age, 0.08),
            clavicle=_around(rng, 5, 5),
            shoulder=_around(rng, 42, 10),
            neck=_around(rng, 58 + 4 * build, 4),
            dome=_around(rng, 44, 7),
            lift=_around(rng, 12, 5),
            breast=float(rng.uniform(0.4, 1.0) * (rng.uniform() < 0.45)),
            vessels=_around(rng, 1.0, 0.12),
            gas=float(rng.uniform(0.4, 1.0) * (rng.uniform() < 0.75)),
        )


@final
@dataclass(frozen=True)
class Pose:
    """How one study was taken.

    Attributes:
        turn: Rotation about the patient's long axis in radians.
        tilt: Rotation in the plane of the film in radians.
        inspiration: Depth of the breath; about 1, below 0.92 is shallow.
        field: Width of the film in the patient, in millimetres.
        shift: Of the film against the patient, across and down, in millimetres.
        arms: How far the arms stand off, 0 to 1.
        exposure: Optical density, below 0 darker, above 0 brighter.
        contrast: Steepness of the film's curve, about 1.
        collimation: Shares of the film that are shuttered: left, top, right, bottom.

    >>> from gradtruce.data.phantom.level import LEVELS
    >>> Pose.draw(np.random.default_rng(0), LEVELS["easy"]).inspiration > 0.8
    True
    """

    turn: float
    tilt: float
    inspiration: float
    field: float
    shift: tuple[float, float]
    arms: float
    exposure: float
    contrast: float
    collimation: tuple[float, float, float, float]

    @classmethod
    def draw(cls, rng: np.random.Generator, level: Level) -> "Pose":
        """Return a random pose, as varied as `level` says."""
        vary = level.pose
        shutters = np.where(rng.uniform(size=4) < 0.25, rng.uniform(0.0, 0.06, 4), 0.0)
        return cls(
            turn=_around(rng, 0, 0.035 * vary),
            tilt=_around(rng, 0, 0.025 * vary),
            inspiration=1.0 - abs(_around(rng, 0, 0.05 * vary)) + 0.02,
            field=_around(rng, 372, 14 * vary),
            shift=(_around(rng, 0, 6 * vary), _around(rng, 0, 8 * vary)),
            arms=float(rng.uniform()),
            exposure=_around(rng, 0, 0.16 * vary),
            contrast=_around(rng, 1.0, 0.09 * vary),
            collimation=(
                float(shutters[0]),
                float(shutters[1]),
                float(shutters[2]),
                float(shutters[3]),
            ),
        )
