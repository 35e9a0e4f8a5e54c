"""The soft parts of one patient in one study: solids whose outlines give the film its shadows."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, final

import numpy as np

from gradtruce.data.phantom.anatomy import Anatomy, Pose
from gradtruce.data.phantom.rays import LEVELS_Y, Number, Points, Stack, Table, profile

Side = Literal["left", "right"]
SIGN: Final[Mapping[Side, float]] = {"left": 1.0, "right": -1.0}
"""Direction of x for a side of the patient."""


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
        return np.array([[x, y, z]], dtype=np.float32) * np.float32(self.scale)

    def solids(self, side: Side) -> tuple[Stack, ...]:
        """Return what displaces air on one side, in an order that suits `union`."""
        return (
            self.domes[side],
            self.spine,
            self.aorta,
            self.mediastinum,
            self.knob,
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
    middle, back = _spine_course(anatomy, scale)
    sides: tuple[Side, Side] = ("left", "right")
    lift = dict(zip(sides, changes.lift, strict=True))
    retreat = dict(zip(sides, changes.retreat, strict=True))
    height = anatomy.height * pose.inspiration
    top = {"left": height + anatomy.lift - lift["left"], "right": height - lift["right"]}
    low = {side: top[side] + anatomy.dome + lift[side] for side in sides}
    cavity = {side: _cavity(side, scale, low[side] + 26, middle) for side in sides}
    solids = _mediastinum(anatomy, scale, changes)
    return Chest(
        anatomy=anatomy,
        scale=scale,
        body=_body(anatomy),
        arms={side: _arm(side, anatomy, pose) for side in sides},
        cavity=cavity,
        lungs={
            side: _retreated(cavity[side], side, retreat[side]) if retreat[side] else cavity[side]
            for side in sides
        },
        heart=_heart(anatomy, scale, changes),
        mediastinum=solids[0],
        aorta=solids[1],
        knob=solids[2],
        spine=Stack(middle - 26, middle + 26, back - 4, np.full_like(middle, 24), 1.5, 1.5),
        domes={side: _dome(side, scale, top[side], low[side]) for side in sides},
        middle=middle,
        back=back,
        shift=changes.shift,
        top=top,
    )


def _spine_course(anatomy: Anatomy, scale: tuple[float, float, float]) -> tuple[Table, Table]:
    wave = np.sin((LEVELS_Y / (225 * scale[1])) * np.pi + anatomy.curve)
    middle = (anatomy.curve * wave).astype(np.float32)
    bend = anatomy.kyphosis
    points = [(-160, -20), (-60, -36), (0, -50), (60, -62 - bend), (120, -66 - bend)]
    points += [(200, -62 - 0.6 * bend), (260, -54), (330, -44), (500, -40)]
    return middle, profile([(y * scale[1], z * scale[2]) for y, z in points], 20)


def _cavity(side: Side, scale: tuple[float, float, float], bottom: float, middle: Table) -> Stack:
    outer = [(-4, 50), (-3, 62), (0, 73), (6, 85), (15, 95), (30, 105), (60, 118), (100, 129)]
    outer += [(150, 136), (200, 140), (320, 140)]
    inner = [(-4, 50), (-3, 42), (0, 34), (6, 27), (16, 21), (30, 14), (60, 5), (100, 2), (320, 2)]
    front = [(-5, -45), (-3, -30), (4, -14), (15, 2), (40, 28), (80, 62), (130, 88), (200, 100)]
    front += [(320, 104)]
    behind = [(-5, -45), (-3, -56), (4, -66), (15, -78), (40, -94), (80, -104), (130, -108)]
    behind += [(200, -103), (260, -94), (320, -84)]
    far = profile([(y * scale[1], x * scale[0]) for y, x in outer], 3)
    near = profile([(y * scale[1], x * scale[0]) for y, x in inner], 3)
    close = np.clip((bottom - LEVELS_Y) / 14, 0, 1)
    near = far - (far - near) * np.sqrt(close)
    ahead = profile([(y * scale[1], z * scale[2]) for y, z in front], 2)
    rear = profile([(y * scale[1], z * scale[2]) for y, z in behind], 2)
    mid = (ahead + rear) / 2
    deep = (ahead - rear) / 2 * (-5 * scale[1] < LEVELS_Y)
    curve = 0.4 * middle
    if side == "left":
        return Stack(curve + near, curve + far, mid, deep, 5.0, 2.1)
    return Stack(curve - far, curve - near, mid, deep, 2.1, 5.0)


def _retreated(cavity: Stack, side: Side, gap: float) -> Stack:
    """Return the lung that has left the chest wall by `gap` mm, twice as far at the top."""
    first = float(LEVELS_Y[np.argmax(cavity.depth > 1)])
    ease = np.clip((LEVELS_Y - first) / 180, 0, 1)
    margin = (gap * (1.3 - 0.8 * ease)).astype(np.float32)
    start = first + 1.9 * gap
    grow = np.sqrt(np.clip((LEVELS_Y - start) / 45, 0, 1)).astype(np.float32)
    low, high = cavity.low, cavity.high
    if side == "left":
        edge = np.maximum(high - margin, low)
        high = low + (edge - low) * grow
    else:
        edge = np.minimum(low + margin, high)
        low = high - (high - edge) * grow
    depth = np.maximum(cavity.depth - 0.25 * margin, 0) * grow
    return Stack(low, high, cavity.centre, depth, cavity.low_power, cavity.high_power)


def _dome(side: Side, scale: tuple[float, float, float], top: float, low: float) -> Stack:
    share = np.clip((LEVELS_Y - top) / (low - top), 0, 1)
    under = np.maximum(LEVELS_Y - low, 0)
    grow = 0.55 * np.sqrt(share) + 0.45 * np.sqrt(1 - (1 - share) ** 2)
    width = (60 + 38 * share) * scale[0] * grow + 0.7 * under
    depth = 98 * scale[2] * grow + 0.7 * under
    middle = SIGN[side] * (64 - 18 * share) * scale[0]
    centre = (10 + 4 * share) * scale[2]
    tables = [a.astype(np.float32) for a in (middle - width, middle + width, centre, depth)]
    return Stack(tables[0], tables[1], tables[2], tables[3], 3.2, 3.2)


def _body(anatomy: Anatomy) -> Stack:
    wide, wall, neck = anatomy.width, anatomy.wall, anatomy.neck
    top = anatomy.shoulder_top
    outline = [(-160, neck + 6), (top - 62, neck), (top - 44, neck + 5), (top - 28, neck + 22)]
    outline += [(top - 12, 112), (top, 150), (top + 14, 178), (top + 44, 190)]
    outline += [(72, wide + wall + 30), (112, wide + wall + 11), (160, wide + wall)]
    outline += [(270, wide + wall), (340, wide + 1.2 * wall)]
    deep, thick = anatomy.depth / 100, 0.35 * wall
    front = [(-160, 40), (top - 50, 28), (top, 30), (20, 42 + thick), (60, 62 * deep + thick + 6)]
    front += [(130, 93 * deep + thick), (200, 106 * deep + thick), (330, 108 * deep + 2 * thick)]
    behind = [(-160, 62), (top - 50, 78), (top, 98), (20, 112 + thick), (60, 122 * deep + thick)]
    behind += [(130, 124 * deep + thick), (200, 116 * deep + thick), (330, 100 * deep + thick)]
    ahead = profile(front, 14)
    rear = profile([(y, -z) for y, z in behind], 14)
    half = profile([(y, x) for y, x in outline], 7)
    return Stack(-half, half, (ahead + rear) / 2, (ahead - rear) / 2, 2.4, 2.4)


def _arm(side: Side, anatomy: Anatomy, pose: Pose) -> Stack:
    start = anatomy.shoulder_top - 2
    below = np.maximum(LEVELS_Y - start, 0)
    lean = 0.05 + 0.4 * pose.arms
    middle = 158 + 0.1 * anatomy.wall + lean * np.maximum(LEVELS_Y - 30, 0)
    middle = middle + 24 * np.clip((LEVELS_Y - start) / 110, 0, 1)
    round_off = np.sqrt(1 - (1 - np.clip(below / 42, 0, 1)) ** 2)
    half = (42 + 0.4 * anatomy.wall) * round_off * (1 - 0.12 * np.clip(below / 200, 0, 1))
    middle = (SIGN[side] * middle).astype(np.float32)
    half = half.astype(np.float32)
    return Stack(middle - half, middle + half, np.full_like(half, -18), half * 1.05)


def _heart(anatomy: Anatomy, scale: tuple[float, float, float], changes: Changes) -> Stack:
    share = anatomy.heart + changes.heart
    width = share * 2 * anatomy.width
    lying = 1 - anatomy.upright
    drop = (10 * (anatomy.upright - 0.5)) + 6 * anatomy.apex + 40 * changes.heart
    left = [(82, 8), (94, 27), (110, 34), (126, 36 + 20 * changes.heart)]
    left += [(146, 0.36 * width), (170, 0.52 * width), (194 + drop, 0.635 * width)]
    left += [(214 + drop, 0.67 * width), (229 + drop, 0.63 * width), (242 + drop, 0.46 * width)]
    left += [(252 + drop, 0.2 * width), (258 + drop, 0.0)]
    right = [(82, 8), (100, 18), (122, 0.2 * width), (146, 0.29 * width), (176, 0.33 * width)]
    right += [(204, 0.31 * width), (226, 0.24 * width), (246, 0.14 * width), (258 + drop, 0.02)]
    size = width / 119
    depth = [(82, 6), (100, 28), (130, 46), (170, 56), (212, 54), (240 + drop, 36)]
    depth += [(258 + drop, 8)]
    centre = [(82, -6), (110, 0), (140, 10), (180, 24 + 4 * lying), (225, 34), (260, 40)]
    high = profile([(y * scale[1], x) for y, x in left], 5)
    low = profile([(y * scale[1], -x) for y, x in right], 5)
    deep = profile([(y * scale[1], z * (0.55 + 0.45 * size) * scale[2]) for y, z in depth], 4)
    inside = (80 * scale[1] < LEVELS_Y) & ((258 + drop) * scale[1] > LEVELS_Y)
    deep = deep * inside
    mid = profile([(y * scale[1], z * scale[2]) for y, z in centre])
    return Stack(low + changes.shift, high + changes.shift, mid, deep, 1.8, 1.7)


def _mediastinum(
    anatomy: Anatomy, scale: tuple[float, float, float], changes: Changes
) -> tuple[Stack, Stack, Stack]:
    knob, more = anatomy.knob, changes.mediastinum
    rng = np.random.default_rng([anatomy.seed, 29])
    r, le = rng.normal(0, 2.0, (2, 4)).tolist()
    right = [(-160, 14), (-34, 33), (2, 25 + r[0]), (30, 22 + r[1] + more), (55, 24 + r[2] + more)]
    right += [(84, 27 + 5 * knob + r[3] + more), (104, 27 + 4 * knob + 0.8 * more), (128, 18)]
    right += [(200, 10), (400, 10)]
    left = [(-160, 14), (-36, 36), (0, 26 + le[0]), (30, 22 + le[1] + 0.8 * more), (50, 24 + more)]
    left += [(72, 25 + le[2] + more), (92, 19 + le[3] + 0.9 * more), (108, 27 + 0.6 * more)]
    left += [(128, 20), (200, 12), (400, 12)]
    depth = [(-160, 24), (-20, 34), (30, 50), (70, 58), (110, 54), (200, 34), (400, 30)]
    centre = [(-160, -12), (-20, -26), (30, -22), (70, -16), (110, -22), (200, -46), (400, -42)]
    low = profile([(y * scale[1], -x) for y, x in right])
    high = profile([(y * scale[1], x) for y, x in left])
    mid = profile([(y * scale[1], z * scale[2]) for y, z in centre])
    deep = profile([(y * scale[1], z * scale[2]) for y, z in depth])
    course = [(50, 24 + 4 * knob), (120, 21 + 3 * knob), (200, 17), (300, 10)]
    x = profile([(y * scale[1], x + 0.3 * more) for y, x in course], 20)
    girth = profile([(54, 0), (62, 10), (75, 12 + 2 * knob), (300, 11), (420, 10)], 5)
    girth = girth * (LEVELS_Y > 54)
    behind = profile([(60, -44), (90, -58), (200, -66), (300, -58)], 15) * scale[2]
    shift = changes.shift
    arch = np.array([14 + 6 * knob + 0.7 * more + shift, 68 * scale[1], -26], dtype=np.float32)
    reach = np.array([21 + 5 * knob + 0.2 * more, 20 + 3 * knob, 24], dtype=np.float32)
    return (
        Stack(low + shift, high + shift, mid, deep, 1.5, 1.5),
        Stack(x - girth + shift, x + girth + shift, behind, girth),
        Stack.ellipsoid(arch, reach),
    )
