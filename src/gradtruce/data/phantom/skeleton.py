"""Bones as strands: ribs, clavicles, shoulder blades, humeri, vertebrae and breastbone."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32

from gradtruce.data.phantom.anatomy import SIGN, Side
from gradtruce.data.phantom.chest import Chest
from gradtruce.data.phantom.rays import Number, Points, at_height, floats
from gradtruce.data.phantom.strands import Strands

VERTEBRAE = tuple(-5.0 - 20.2 * 3 + 10 + 20.2 * i + 0.15 * i * i for i in range(22))
"""Heights of the vertebral bodies from C5 to S2 in reference millimetres; T1 is the fourth."""
FIRST_THORACIC = 3


def rib_path(chest: Chest, side: Side, number: int, count: int = 64) -> Points:
    """Return the middle line of rib 1 to 12 from the spine round to the front.

    The ribs run on the wall of the cavity; their fall, spacing and bulge are the patient's.
    """
    rng = np.random.default_rng([chest.anatomy.seed, 7, number])
    wobble = rng.normal(0, 1, 6).astype(np.float32)
    lean = rng.normal(0, 1, 2)[0 if side == "left" else 1]
    start = VERTEBRAE[FIRST_THORACIC + number - 1] - 3 + 1.3 * lean
    fall = (18 + 10.5 * min(number, 8) + 26 * chest.anatomy.slope) * (1 + 0.05 * wobble[0])
    reach = (0.78, 0.80, 0.82, 0.83, 0.84, 0.83, 0.80, 0.75, 0.68, 0.60, 0.46, 0.34)[number - 1]
    turn = np.linspace(0.08, reach + 0.02 * wobble[1], count, dtype=np.float32)
    sag = np.where(turn < 0.5, 0.55 * turn**1.25 * 2**0.25, 0.0)
    sag = np.where(turn >= 0.5, 0.275 + 1.25 * (turn - 0.5), sag)
    arch = -np.sin(turn * np.pi * 2).clip(0, 1) * (9 + 2 * wobble[2])
    y = start + fall * 1.5 * sag + arch + 1.4 * wobble[3] * np.sin(7 * turn + wobble[4])
    y = (y * chest.scale[1]).astype(np.float32)
    cavity = chest.cavity[side]
    outer = cavity.high if side == "left" else cavity.low
    within = np.maximum(y, 14 * chest.scale[1])
    half = np.abs(at_height(outer, within)) + 3
    deep = at_height(cavity.depth, within) + 4
    angle = turn * np.pi
    x = SIGN[side] * np.maximum(half * np.sin(angle) ** 0.82, 20)
    root = at_height(chest.middle, y)
    z = at_height(cavity.centre, within) - deep * np.cos(angle)
    settle = np.clip(1 - turn * 6, 0, 1)
    z = z * (1 - settle) + settle * (at_height(chest.back, y) - 8)
    return np.stack([x + root * np.clip(1 - 2 * turn, 0, 1), y, z], 1).astype(np.float32)


def rib(chest: Chest, path: Points, spacing: float) -> Strands:
    """Return a rib along `path`: a spongy middle between an upper and a lower rim."""
    share = np.linspace(0, 1, len(path), dtype=np.float32)
    width = floats(chest.anatomy.rib * chest.scale[0])
    girth = width * (0.42 + 0.16 * np.minimum(share * 6, 1))
    dense = 0.85 * chest.anatomy.bone * np.clip((1 - share) * 9, 0, 1) * (1.05 - 0.3 * share)
    core = Strands.along(path, girth, spacing, floats(dense))
    return _hollow(core, 0.78, (0.8, 0.5), (0.17, 3.4), (0.2, 4.4))


def _hollow(
    core: Strands,
    apart: float,
    middle: tuple[float, float],
    upper: tuple[float, float],
    lower: tuple[float, float],
) -> Strands:
    """Return a long bone: along `core` its middle, `apart` radii above and below it a rim.

    Each is given by its radius as a share of the core's, and its density.
    """
    tangent = np.diff(core.points, axis=0, append=2 * core.points[-1:] - core.points[-2:-1])
    tangent /= np.sqrt((tangent**2).sum(1, keepdims=True)) + 1e-6
    rim = apart * core.radius[:, None] * (floats([0, 1, 0]) - tangent[:, 1:2] * tangent)
    places = (core.points, core.points - rim, core.points + rim)
    parts = []
    for points, (share, dense) in zip(places, (middle, upper, lower), strict=True):
        mass = core.mass * floats(share**2 * dense)
        parts.append(Strands(floats(points), core.radius * floats(share), floats(mass)))
    return Strands.join(parts)


def clavicle_path(chest: Chest, side: Side) -> Points:
    """Return the middle line of a collarbone, from the breastbone outwards."""
    sign, arch = SIGN[side], chest.anatomy.clavicle
    share = np.linspace(0, 1, 40, dtype=np.float32)
    x = 16 + 136 * share
    rise = 30 - (chest.anatomy.shoulder_top + 17)
    y = 30 - rise * share**0.9 - arch * np.sin(share * np.pi) + 3 * np.sin(share * 2 * np.pi)
    z = 42 - 30 * share + 14 * np.sin(share * np.pi) - 62 * share**2
    scale = floats(chest.scale)
    return np.stack([sign * x * scale[0], y, z * scale[2]], 1).astype(np.float32)


def clavicle(chest: Chest, path: Points, spacing: float) -> Strands:
    """Return a collarbone along `path`, broad at both ends."""
    share = np.linspace(-1, 1, len(path), dtype=np.float32)
    girth = 6.0 + 2.4 * share**2
    dense = 0.75 * chest.anatomy.bone
    core = Strands.along(path, floats(girth), spacing, dense)
    return _hollow(core, 0.75, (1.0, 1.0), (0.3, 3.0), (0.3, 3.0))


def shoulder(chest: Chest, side: Side, spacing: float) -> Strands:
    """Return shoulder blade and upper arm bone of one side, for a frontal film."""
    sign, anatomy = SIGN[side], chest.anatomy
    wide, top = anatomy.width, anatomy.shoulder_top
    reach = 5.0 * np.sin(anatomy.seed % 7)

    def line(corners: Sequence[tuple[Number, Number]], radius: float, dense: float) -> Strands:
        path = [(sign * x, y, -80.0) for x, y in corners]
        return Strands.along(floats(path), radius, spacing, dense * anatomy.bone)

    inner = (0.66 * wide, top + 30)
    tip = (0.87 * wide + reach, top + 138)
    neck = (1.02 * wide + 12, top + 44)
    plate = [
        line([(0.70 * wide + k, top + 34 + k), (0.86 * wide + k / 3, top + 128 - k)], 9.0, 0.035)
        for k in (0.0, 10.0, 20.0)
    ]
    return Strands.join(
        (
            *plate,
            line([inner, (0.67 * wide, top + 80), tip], 2.2, 0.45),
            line([tip, (0.95 * wide + 8, top + 90), neck], 3.4, 0.5),
            line([(0.72 * wide, top + 38), (0.9 * wide, top + 25), (wide + 28, top + 6)], 4.5, 0.3),
            line([neck, (1.02 * wide + 18, top + 30), (1.02 * wide + 16, top + 18)], 5.0, 0.4),
            *_humerus(chest, side, spacing),
        )
    )


def _humerus(chest: Chest, side: Side, spacing: float) -> tuple[Strands, ...]:
    arm, sign = chest.arms[side], SIGN[side]
    top = chest.anatomy.shoulder_top
    y = floats([top + 14, top + 50, top + 100, 300])
    x = (at_height(arm.low, y) + at_height(arm.high, y)) / 2
    x = x - sign * floats([8, 4, 2, 2])
    path = np.stack([x, y, np.full_like(x, -20)], 1)
    wall = np.zeros_like(path)
    wall[:, 0] = floats([15, 11, 9, 9])
    dense = chest.anatomy.bone
    head = path[:1] + floats([[0, -5, 0], [0, 9, 0]])
    return (
        Strands.along(path - wall, 3.0, spacing, 0.55 * dense),
        Strands.along(path + wall, 3.0, spacing, 0.55 * dense),
        Strands.along(head, 17.0, spacing, 0.16 * dense),
    )


def vertebra(chest: Chest, level: int, crush: float = 0.0) -> Strands:
    """Return one vertebra of `VERTEBRAE` as a cloud of points; `crush` is the height lost in front.

    Body with end plates and side walls, pedicles, transverse and spinous process.
    """
    gap = VERTEBRAE[min(level + 1, len(VERTEBRAE) - 1)] - VERTEBRAE[max(level - 1, 0)]
    height = 0.40 * gap / 2 * chest.scale[1] * (1 if 0 < level < len(VERTEBRAE) - 1 else 2)
    wide = (13 + 0.55 * level) * chest.scale[0]
    deep = (10 + 0.45 * level) * chest.scale[2]
    y = floats(VERTEBRAE[level] * chest.scale[1])
    middle = at_height(chest.middle, floats([y]))[0]
    back = at_height(chest.back, floats([y]))[0]
    plate = _PLATE * floats([wide, 1, deep])
    front = np.clip(plate[:, 2:] / deep, -1, 1) * 0.5 + 0.5
    lower, upper = plate.copy(), plate.copy()
    upper[:, 1:2] = -height + 2 * height * crush * front
    lower[:, 1] = height
    wall = _WALL * floats([wide, height * (1 - crush / 2), deep])
    wall[:, 1] += height * crush / 2
    points = np.concatenate([upper, lower, wall, _ARCH])
    points = points + floats([middle, y, back])
    sizes = [len(plate)] * 2 + [len(wall), len(_ARCH)]
    radius = np.repeat(floats([2.0, 2.0, 5.0, 3.4]), sizes)
    volume = floats([17.0, 17.0, 56.0 * (1 - crush), 40.0]) * wide * deep / 250
    mass = np.repeat(volume * chest.anatomy.bone, sizes)
    mass[-len(_ARCH) :] *= _ARCH_WEIGHT
    return Strands(points.astype(np.float32), radius, mass.astype(np.float32))


def breastbone(chest: Chest, spacing: float) -> Strands:
    """Return the sternum as seen from the side: two tables with a spongy middle."""
    y = floats([34, 60, 100, 150, 188])
    depth = chest.cavity["left"]
    z = at_height(depth.centre, y * chest.scale[1]) + at_height(depth.depth, y * chest.scale[1])
    parts = []
    for x in (-13.0, -4.0, 4.0, 13.0):
        for offset, dense in ((4.0, 0.22), (12.0, 0.26)):
            path = np.stack([np.full_like(y, x), y * chest.scale[1], z + offset], 1)
            faded = floats([1.0, 1.0, 0.9, 0.7, 0.1]) * dense * chest.anatomy.bone
            parts.append(Strands.along(path, 3.0, spacing, floats(faded)))
    return Strands.join(parts)


def _disc() -> Float32[np.ndarray, "points 3"]:
    steps = np.linspace(-1, 1, 11)
    grid = np.stack(np.meshgrid(steps, [0.0], steps), -1).reshape(-1, 3)
    return floats(
        grid[(np.abs(grid[:, 0]) ** 3 + np.abs(grid[:, 2]) ** 3) < 1.01].astype(np.float32)
    )


def _shell() -> Float32[np.ndarray, "points 3"]:
    turns = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    heights = np.linspace(-0.8, 0.8, 5)
    waist = 1 - 0.1 * (1 - np.abs(heights))
    points = [
        (w * np.cos(t), h, w * np.sin(t))
        for h, w in zip(heights, waist, strict=True)
        for t in turns
    ]
    return floats(points)


_PLATE = _disc()
_WALL = _shell()
_ARCH = floats(
    [(s * 10, -3 + k, -14 - k) for s in (-1, 1) for k in (0, 2, 4)]
    + [(s * k, -1, -24) for s in (-1, 1) for k in (14, 19, 24)]
    + [(0, 4 + k, -28 - 2.4 * k) for k in (0, 3, 6, 9)]
)
_ARCH_WEIGHT = floats([2.0] * 6 + [0.8] * 6 + [2.4] * 4)
