"""The normal parts of a film: trunk, lungs with their vessels, bones, stomach gas, breasts."""

import numpy as np

from gradtruce.data.phantom import skeleton, vessels
from gradtruce.data.phantom.canvas import Canvas
from gradtruce.data.phantom.chest import SIGN, Side
from gradtruce.data.phantom.rays import Image, Interval, Stack
from gradtruce.data.phantom.strands import Strands

SIDES: tuple[Side, Side] = ("left", "right")


def paint_normal(canvas: Canvas) -> None:
    """Add all that a healthy patient shows.

    >>> from gradtruce.data.phantom.anatomy import Anatomy, Pose
    >>> from gradtruce.data.phantom.chest import build_chest
    >>> from gradtruce.data.phantom.level import LEVELS
    >>> from gradtruce.data.phantom.rays import Projection
    >>> rng = np.random.default_rng(0)
    >>> chest = build_chest(Anatomy.draw(rng), Pose.draw(rng, LEVELS["easy"]))
    >>> canvas = Canvas(chest, Projection(64, 370.0, (0.0, 140.0)), LEVELS["easy"])
    >>> paint_normal(canvas)
    >>> bool(canvas.bone.max() > 3)
    True
    """
    _paint_trunk(canvas)
    _paint_lungs(canvas)
    _paint_abdomen(canvas)
    canvas.bone += np.maximum(canvas.strands(_bones(canvas)), 0)


def _paint_trunk(canvas: Canvas) -> None:
    chest, film = canvas.chest, canvas.film
    body = canvas.cut(chest.body)
    canvas.tissue += body.length * (1 + 0.02 * canvas.clouds([chest.anatomy.seed, 1], 90.0))
    if film.is_lateral:
        canvas.tissue += _raised_arms(canvas, body)
    else:
        for side in SIDES:
            arm = chest.arms[side].cut(film)
            canvas.tissue += arm.length - arm.overlap(body)
    if chest.anatomy.breast:
        for side in SIDES:
            canvas.tissue += 0.75 * _breast(canvas, side, body)


def _breast(canvas: Canvas, side: Side, body: Interval) -> Image:
    chest, size = canvas.chest, canvas.chest.anatomy.breast
    low = 150 + 26 * size
    middle = chest.at(SIGN[side] * 78, low, 0.0)[0]
    middle[2] = 0.62 * (chest.anatomy.depth + chest.anatomy.wall)
    radii = np.float32([46 + 16 * size, 36 + 18 * size, 44 + 40 * size])
    mound = Stack.ellipsoid(middle, radii).cut(canvas.film)
    return mound.length - mound.overlap(body)


def _raised_arms(canvas: Canvas, body: Interval) -> Image:
    """Return the thickness of the upper arms, held forwards and up for a lateral film."""
    chest, film = canvas.chest, canvas.film
    rise = film.y + 0.45 * (film.u + 15) + 58 - 0.5 * chest.anatomy.shoulder
    reach = np.clip((40 - film.u) / 60, 0, 1)
    girth = 40 + 0.3 * chest.anatomy.wall
    shape = np.sqrt(np.maximum(1 - (rise / girth) ** 2, 0))
    open_air = 1 - np.clip(body.length / 160, 0, 1)
    return (1.5 * girth * shape * reach * (0.35 + 0.65 * open_air)).astype(np.float32)


def _paint_lungs(canvas: Canvas) -> None:
    chest, seed = canvas.chest, canvas.chest.anatomy.seed
    detail = canvas.level.detail * chest.anatomy.vessels
    parts = []
    for index, side in enumerate(SIDES):
        tree = vessels.Tree.grow(np.random.default_rng([seed, 3, index]), side)
        parts.append(tree.strands(chest, side, canvas.spacing).weighted(1.15 * detail))
        parts.append(vessels.hilum(chest, side, canvas.spacing))
    canvas.vessels += canvas.strands(Strands.join(parts))
    grain = canvas.clouds([seed, 2, int(canvas.film.is_lateral)], 26.0)
    canvas.vessels += np.maximum(canvas.aeration * (0.045 + 0.03 * detail * grain), 0)
    canvas.gas -= canvas.strands(vessels.airways(chest, canvas.spacing))


def _paint_abdomen(canvas: Canvas) -> None:
    chest, gas = canvas.chest, canvas.chest.anatomy.gas
    rng = np.random.default_rng([chest.anatomy.seed, 5])
    top = chest.top["left"]
    bubbles = [(62.0, 16 + 9 * gas, 20.0, 26 + 12 * gas, 10 + 8 * gas, 28.0)] if gas else []
    for _ in range(int(rng.integers(0, 5))):
        x, y = rng.uniform(-30, 110), rng.uniform(48, 95)
        bubbles.append((x, y, rng.uniform(-10, 50), *rng.uniform(7, 16, 3)))
    for x, y, z, *radii in bubbles:
        middle = np.float32([x, top + y, z])
        room = Stack.ellipsoid(middle, np.float32(radii)).cut(canvas.film)
        canvas.gas += 0.8 * room.length


def _bones(canvas: Canvas) -> Strands:
    chest, spacing = canvas.chest, canvas.spacing
    parts = [skeleton.vertebra(chest, level) for level in range(len(skeleton.VERTEBRAE))]
    for side in SIDES:
        paths = [skeleton.rib_path(chest, side, number) for number in range(1, 13)]
        parts += [skeleton.rib(chest, path, spacing) for path in paths]
        parts.append(skeleton.clavicle(chest, skeleton.clavicle_path(chest, side), spacing))
        if not canvas.film.is_lateral:
            parts.append(skeleton.shoulder(chest, side, spacing))
    if canvas.film.is_lateral:
        parts.append(skeleton.breastbone(chest, spacing))
    return Strands.join(parts)
