"""The soft parts of one patient in one study: solids whose outlines give the film its shadows."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import numpy as np

from gradtruce.data.phantom.anatomy import Anatomy, Pose, Side
from gradtruce.data.phantom.heart import heart, mediastinum
from gradtruce.data.phantom.rays import Number, Points, Stack, Table, floats
from gradtruce.data.phantom.trunk import (
    chest_cavity,
    dome,
    hanging_arm,
    retreated_lung,
    spine_course,
    trunk,
)


@final
@dataclass(frozen=True)
class Changes:
    """How findings alter the shape of the chest; the default alters nothing.

    Attributes:
        heart: Added to the heart's share of the inner width of the chest.
        mediastinum: Millimetres added to the mediastinum at each side.
        shift: Millimetres that mediastinum and heart move to the patient's left.
        lift: Millimetres that each side's diaphragm rises.
        retreat: Millimetres that each side's lung has left the chest wall.

    >>> Changes().merge(Changes(heart=0.1)).heart
    0.1
    """

    heart: float = 0.0
    mediastinum: float = 0.0
    shift: float = 0.0
    lift: tuple[float, float] = (0.0, 0.0)
    retreat: tuple[float, float] = (0.0, 0.0)

    def merge(self, other: "Changes") -> "Changes":
        """Return both together; shifts and lifts add up, the larger retreat counts."""
        return Changes(
            self.heart + other.heart,
            self.mediastinum + other.mediastinum,
            float(np.clip(self.shift + other.shift, -30, 30)),
            (self.lift[0] + other.lift[0], self.lift[1] + other.lift[1]),
            (max(self.retreat[0], other.retreat[0]), max(self.retreat[1], other.retreat[1])),
        )


@final
@dataclass(frozen=True, eq=False)
class Chest:
    """Solids and landmarks of one patient in one study, in patient millimetres.

    Attributes:
        anatomy: The patient.
        scale: Millimetres a reference millimetre, in x, y and z.
        body: Neck and trunk.
        arms: By side, hanging beside the trunk.
        cavity: By side, the room inside the ribs, lung and pleural space.
        lungs: By side, the lung itself; smaller than its cavity after a pneumothorax.
        heart: With the great vessels at its base.
        mediastinum: The middle of the chest behind and above the heart.
        aorta: Descending aorta.
        knob: Arch of the aorta.
        spine: Vertebral column.
        domes: By side, what lies under the diaphragm.
        middle: x of the middle of the spine over height.
        back: z of the middle of the vertebrae over height.
        shift: Millimetres that the mediastinum lies to the left of its usual place.
        top: By side, height of the dome's top.

    >>> from gradtruce.data.phantom.anatomy import Anatomy, Pose
    >>> from gradtruce.data.phantom.level import LEVELS
    >>> rng = np.random.default_rng(0)
    >>> chest = build_chest(Anatomy.draw(rng), Pose.draw(rng, LEVELS["easy"]))
    >>> chest.at(40.0, 100.0, 0.0).shape
    (1, 3)
    """

    anatomy: Anatomy
    scale: tuple[float, float, float]
    body: Stack
    arms: Mapping[Side, Stack]
    cavity: Mapping[Side, Stack]
    lungs: Mapping[Side, Stack]
    heart: Stack
    mediastinum: Stack
    aorta: Stack
    knob: Stack
    spine: Stack
    domes: Mapping[Side, Stack]
    middle: Table
    back: Table
    shift: float
    top: Mapping[Side, float]

    def at(self, x: Number, y: Number, z: Number) -> Points:
        """Return a place given in reference millimetres."""
        return floats(np.array([[x, y, z]], dtype=np.float32) * floats(self.scale))

    def solids(self, side: Side) -> tuple[Stack, ...]:
        """Return what displaces air on one side, in an order that suits `union`."""
        return (
            self.domes[side],
            self.spine,
            self.aorta,
            self.knob,
            self.mediastinum,
            self.heart,
        )


def build_chest(anatomy: Anatomy, pose: Pose, changes: Changes | None = None) -> Chest:
    """Return the chest of a patient at the pose's depth of breath, altered by findings.

    >>> from gradtruce.data.phantom.level import LEVELS
    >>> rng = np.random.default_rng(0)
    >>> anatomy, pose = Anatomy.draw(rng), Pose.draw(rng, LEVELS["easy"])
    >>> wide = build_chest(anatomy, pose, Changes(heart=0.15))
    >>> bool(wide.heart.high.max() > build_chest(anatomy, pose).heart.high.max())
    True
    """
    changes = changes or Changes()
    scale = (
        anatomy.width / 140,
        anatomy.height * pose.inspiration / 225,
        anatomy.depth / 100,
    )
    middle, back = spine_course(anatomy, scale)
    sides: tuple[Side, Side] = ("left", "right")
    lift = dict(zip(sides, changes.lift, strict=True))
    retreat = dict(zip(sides, changes.retreat, strict=True))
    height = anatomy.height * pose.inspiration
    top: dict[Side, float] = {
        "left": height + anatomy.lift - lift["left"],
        "right": height - lift["right"],
    }
    low = {side: top[side] + anatomy.dome + lift[side] for side in sides}
    cavity = {side: chest_cavity(side, scale, low[side] + 26, middle) for side in sides}
    solids = mediastinum(anatomy, scale, changes.mediastinum, changes.shift)
    return Chest(
        anatomy=anatomy,
        scale=scale,
        body=trunk(anatomy),
        arms={side: hanging_arm(side, anatomy, pose) for side in sides},
        cavity=cavity,
        lungs={
            side: retreated_lung(cavity[side], side, retreat[side])
            if retreat[side]
            else cavity[side]
            for side in sides
        },
        heart=heart(anatomy, scale, changes.heart, changes.shift),
        mediastinum=solids[0],
        aorta=solids[1],
        knob=solids[2],
        spine=Stack(middle - 26, middle + 26, back - 4, np.full_like(middle, 24), 1.5, 1.5),
        domes={side: dome(side, scale, top[side], low[side]) for side in sides},
        middle=middle,
        back=back,
        shift=changes.shift,
        top=top,
    )
