"""Solids between the lungs: heart, mediastinum and aorta."""

import numpy as np

from gradtruce.data.phantom.anatomy import Anatomy
from gradtruce.data.phantom.rays import LEVELS_Y, Scale, Stack, profile


def heart(anatomy: Anatomy, scale: Scale, extra: float, shift: float) -> Stack:
    """Return the heart; `extra` is added to its share of the chest's width, `shift` moves it left.

    >>> from gradtruce.data.phantom.anatomy import Anatomy
    >>> anatomy = Anatomy.draw(np.random.default_rng(0))
    >>> normal = heart(anatomy, (1.0, 1.0, 1.0), 0.0, 0.0)
    >>> bool(heart(anatomy, (1.0, 1.0, 1.0), 0.1, 0.0).high.max() > normal.high.max() + 10)
    True
    """
    share = anatomy.heart + extra
    width = share * 2 * anatomy.width
    lying = 1 - anatomy.upright
    drop = (10 * (anatomy.upright - 0.5)) + 6 * anatomy.apex + 40 * extra
    left: list[tuple[float, float]] = [(82, 8), (94, 27), (110, 34), (126, 36 + 20 * extra)]
    left += [(146, 0.36 * width), (170, 0.52 * width), (194 + drop, 0.635 * width)]
    left += [(214 + drop, 0.67 * width), (229 + drop, 0.63 * width), (242 + drop, 0.46 * width)]
    left += [(252 + drop, 0.2 * width), (258 + drop, 0.0)]
    right: list[tuple[float, float]] = [
        (82, 8),
        (100, 18),
        (122, 0.2 * width),
        (146, 0.29 * width),
        (176, 0.33 * width),
    ]
    right += [(204, 0.31 * width), (226, 0.24 * width), (246, 0.14 * width), (258 + drop, 0.02)]
    size = width / 119
    depth: list[tuple[float, float]] = [
        (82, 6),
        (100, 28),
        (130, 46),
        (170, 56),
        (212, 54),
        (240 + drop, 36),
    ]
    depth += [(258 + drop, 8)]
    centre = [(82, -6), (110, 0), (140, 10), (180, 24 + 4 * lying), (225, 34), (260, 40)]
    high = profile([(y * scale[1], x) for y, x in left], 8)
    low = profile([(y * scale[1], -x) for y, x in right], 8)
    deep = profile([(y * scale[1], z * (0.55 + 0.45 * size) * scale[2]) for y, z in depth], 4)
    inside = (80 * scale[1] < LEVELS_Y) & ((258 + drop) * scale[1] > LEVELS_Y)
    deep = deep * inside
    mid = profile([(y * scale[1], z * scale[2]) for y, z in centre])
    return Stack(low + shift, high + shift, mid, deep, 1.8, 1.7)


def mediastinum(
    anatomy: Anatomy, scale: Scale, more: float, shift: float
) -> tuple[Stack, Stack, Stack]:
    """Return mediastinum, descending aorta and aortic knob, `more` mm wider at each side.

    >>> from gradtruce.data.phantom.anatomy import Anatomy
    >>> anatomy = Anatomy.draw(np.random.default_rng(0))
    >>> middle, aorta, knob = mediastinum(anatomy, (1.0, 1.0, 1.0), 0.0, 0.0)
    >>> bool(knob.high.max() > aorta.high.max())
    True
    """
    knob = anatomy.knob
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
    arch = np.array([14 + 6 * knob + 0.7 * more + shift, 68 * scale[1], -26], dtype=np.float32)
    reach = np.array([21 + 5 * knob + 0.2 * more, 20 + 3 * knob, 24], dtype=np.float32)
    return (
        Stack(low + shift, high + shift, mid, deep, 1.5, 1.5),
        Stack(x - girth + shift, x + girth + shift, behind, girth),
        Stack.ellipsoid(arch, reach),
    )
