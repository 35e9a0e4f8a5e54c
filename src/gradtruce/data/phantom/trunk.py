"""Solids around the lungs: chest cavity, diaphragm, trunk and arms."""

import numpy as np

from gradtruce.data.phantom.anatomy import SIGN, Anatomy, Pose, Side
from gradtruce.data.phantom.rays import LEVELS_Y, Scale, Stack, Table, profile


def spine_course(anatomy: Anatomy, scale: Scale) -> tuple[Table, Table]:
    """Return x and z of the middle of the vertebrae over height.

    >>> from gradtruce.data.phantom.anatomy import Anatomy
    >>> anatomy = Anatomy.draw(np.random.default_rng(0))
    >>> middle, back = spine_course(anatomy, (1.0, 1.0, 1.0))
    >>> bool(back.max() < 0)
    True
    """
    wave = np.sin((LEVELS_Y / (225 * scale[1])) * np.pi + anatomy.curve)
    middle = (anatomy.curve * wave).astype(np.float32)
    bend = anatomy.kyphosis
    points = [(-160, -20), (-60, -36), (0, -50), (60, -62 - bend), (120, -66 - bend)]
    points += [(200, -62 - 0.6 * bend), (260, -54), (330, -44), (500, -40)]
    return middle, profile([(y * scale[1], z * scale[2]) for y, z in points], 20)


def chest_cavity(side: Side, scale: Scale, bottom: float, middle: Table) -> Stack:
    """Return the room inside the ribs on one side, closed at the height `bottom`.

    `middle` is the course of the spine, which the chest follows in part.

    >>> straight = np.zeros_like(LEVELS_Y)
    >>> bool(chest_cavity("left", (1.0, 1.0, 1.0), 290.0, straight).high.max() > 130)
    True
    """
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


def retreated_lung(cavity: Stack, side: Side, gap: float) -> Stack:
    """Return a lung that has left the wall of its cavity by `gap` mm, farther at the top.

    >>> cavity = chest_cavity("left", (1.0, 1.0, 1.0), 290.0, np.zeros_like(LEVELS_Y))
    >>> bool((retreated_lung(cavity, "left", 30.0).high <= cavity.high).all())
    True
    """
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


def dome(side: Side, scale: Scale, top: float, low: float) -> Stack:
    """Return what lies under one half of the diaphragm, from `top` down to the angle at `low`.

    >>> half = dome("right", (1.0, 1.0, 1.0), 225.0, 270.0)
    >>> bool((half.high - half.low)[-1] > 150)
    True
    """
    share = np.clip((LEVELS_Y - top) / (low - top), 0, 1)
    under = np.maximum(LEVELS_Y - low, 0)
    grow = 0.55 * np.sqrt(share) + 0.45 * np.sqrt(1 - (1 - share) ** 2)
    width = (60 + 38 * share) * scale[0] * grow + 0.7 * under
    depth = 98 * scale[2] * grow + 0.7 * under
    middle = SIGN[side] * (64 - 18 * share) * scale[0]
    centre = (10 + 4 * share) * scale[2]
    tables = [a.astype(np.float32) for a in (middle - width, middle + width, centre, depth)]
    return Stack(tables[0], tables[1], tables[2], tables[3], 3.2, 3.2)


def trunk(anatomy: Anatomy) -> Stack:
    """Return neck, shoulders, chest wall and belly as one solid.

    >>> from gradtruce.data.phantom.anatomy import Anatomy
    >>> anatomy = Anatomy.draw(np.random.default_rng(0))
    >>> bool(trunk(anatomy).high.max() > anatomy.width)
    True
    """
    wide, wall, neck = anatomy.width, anatomy.wall, anatomy.neck
    top = anatomy.shoulder_top
    outline: list[tuple[float, float]] = [
        (-160, neck + 6),
        (top - 62, neck),
        (top - 44, neck + 5),
        (top - 28, neck + 22),
    ]
    outline += [(top - 12, 112), (top, 150), (top + 14, 178), (top + 44, 190)]
    outline += [(72, wide + wall + 30), (112, wide + wall + 11), (160, wide + wall)]
    outline += [(270, wide + wall), (340, wide + 1.2 * wall)]
    deep, thick = anatomy.depth / 100, 0.35 * wall
    front = [(-160, 40), (top - 50, 28), (top, 30), (20, 42 + thick), (60, 60 * deep + thick + 16)]
    front += [(130, 86 * deep + thick + 14), (200, 98 * deep + thick + 14)]
    front += [(330, 102 * deep + 2 * thick + 10)]
    behind = [(-160, 62), (top - 50, 78), (top, 98), (20, 112 + thick), (60, 122 * deep + thick)]
    behind += [(130, 124 * deep + thick), (200, 116 * deep + thick), (330, 100 * deep + thick)]
    ahead = profile(front, 14)
    rear = profile([(y, -z) for y, z in behind], 14)
    half = profile([(y, x) for y, x in outline], 7)
    return Stack(-half, half, (ahead + rear) / 2, (ahead - rear) / 2, 2.4, 2.4)


def hanging_arm(side: Side, anatomy: Anatomy, pose: Pose) -> Stack:
    """Return an arm as it hangs beside the trunk on a frontal film.

    >>> from gradtruce.data.phantom.anatomy import Anatomy
    >>> anatomy = Anatomy.draw(np.random.default_rng(0))
    >>> from gradtruce.data.phantom.level import LEVELS
    >>> pose = Pose.draw(np.random.default_rng(0), LEVELS["easy"])
    >>> bool(hanging_arm("left", anatomy, pose).low.min() > 0)
    True
    """
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
