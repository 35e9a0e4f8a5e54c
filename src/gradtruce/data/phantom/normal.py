"""The normal parts of a film: trunk, lungs with their vessels, bones, stomach gas, breasts."""

from dataclasses import dataclass
from typing import final

import numpy as np

from gradtruce.data.phantom import skeleton, vessels
from gradtruce.data.phantom.anatomy import SIGN, Side
from gradtruce.data.phantom.canvas import Canvas
from gradtruce.data.phantom.chest import Chest
from gradtruce.data.phantom.rays import Image, Interval, Stack, floats
from gradtruce.data.phantom.strands import Strands

SIDES: tuple[Side, Side] = ("left", "right")


@final
@dataclass(frozen=True, eq=False)
class Inside:
    """Bones and vessels of one patient in one study, the same for both films.

    Attributes:
        bones: Ribs, collarbones and vertebrae.
        shoulders: Seen from the front only: for a lateral film the arms are raised.
        breastbone: Seen from the side only.
        vessels: Of both lungs, with the hila.
        airways: Windpipe and main bronchi, as tissue taken away.

    >>> from gradtruce.data.phantom.anatomy import Anatomy, Pose
    >>> from gradtruce.data.phantom.chest import build_chest
    >>> from gradtruce.data.phantom.level import LEVELS
    >>> rng = np.random.default_rng(0)
    >>> chest = build_chest(Anatomy.draw(rng), Pose.draw(rng, LEVELS["easy"]))
    >>> len(Inside.of(chest, spacing=2.0).bones.points) > 1000
    True
    """

    bones: Strands
    shoulders: Strands
    breastbone: Strands
    vessels: Strands
    airways: Strands

    @classmethod
    def of(cls, chest: Chest, spacing: float) -> "Inside":
        """Return what is inside a chest, points about `spacing` mm apart."""
        bones = [skeleton.vertebra(chest, level) for level in range(len(skeleton.VERTEBRAE))]
        lungs = []
        for side in SIDES:
            paths = [skeleton.rib_path(chest, side, number) for number in range(1, 13)]
            bones += [skeleton.rib(chest, path, spacing) for path in paths]
            collarbone = skeleton.clavicle_path(chest, side)
            bones.append(skeleton.clavicle(chest, collarbone, spacing))
            lungs.append(vessels.Tree.of(chest.anatomy, side).strands(chest, side, spacing))
            lungs.append(vessels.hilum(chest, side, spacing))
        return cls(
            bones=Strands.join(bones),
            shoulders=Strands.join([skeleton.shoulder(chest, side, spacing) for side in SIDES]),
            breastbone=skeleton.breastbone(chest, spacing),
            vessels=Strands.join(lungs),
            airways=vessels.airways(chest, spacing),
        )


def paint_normal(canvas: Canvas, inside: Inside) -> None:
    """Add all that a healthy patient shows.

    >>> from gradtruce.data.phantom.anatomy import Anatomy, Pose
    >>> from gradtruce.data.phantom.chest import build_chest
    >>> from gradtruce.data.phantom.level import LEVELS
    >>> from gradtruce.data.phantom.rays import Projection
    >>> rng = np.random.default_rng(0)
    >>> chest = build_chest(Anatomy.draw(rng), Pose.draw(rng, LEVELS["easy"]))
    >>> canvas = Canvas(chest, Projection(64, 370.0, (0.0, 140.0)), LEVELS["easy"])
    >>> paint_normal(canvas, Inside.of(chest, canvas.spacing))
    >>> bool(canvas.bone.max() > 3)
    True
    """
    _paint_trunk(canvas)
    _paint_lungs(canvas, inside)
    _paint_abdomen(canvas)
    extra = inside.breastbone if canvas.film.is_lateral else inside.shoulders
    canvas.bone += canvas.strands(Strands.join((inside.bones, extra)))


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
            canvas.tissue += 0.85 * _breast(canvas, side, body)


def _breast(canvas: Canvas, side: Side, body: Interval) -> Image:
    chest, size = canvas.chest, canvas.chest.anatomy.breast
    low = 150 + 26 * size
    middle = chest.at(SIGN[side] * 78, low, 0.0)[0]
    middle[2] = 0.62 * (chest.anatomy.depth + chest.anatomy.wall)
    radii = floats([54 + 14 * size, 48 + 24 * size, 42 + 30 * size])
    mound = Stack.ellipsoid(middle, radii).cut(canvas.film)
    if canvas.film.is_lateral:
        return floats(np.maximum(1.3 * mound.length - 0.5 * body.length, 0))
    outside = mound.length - mound.overlap(body)
    return floats(outside * np.clip(0.5 + (canvas.film.y - low) / (2 * radii[1]), 0, 1))


def _raised_arms(canvas: Canvas, body: Interval) -> Image:
    """Return the thickness of the upper arms, held forwards and up for a lateral film."""
    anatomy, film = canvas.chest.anatomy, canvas.film
    angle = floats(0.35 + 0.25 * np.sin(anatomy.seed))
    across, down = film.u - 25, film.y - anatomy.shoulder_top - 52
    off = np.sin(angle) * across - np.cos(angle) * down
    along = -np.cos(angle) * across - np.sin(angle) * down
    girth = 44 + 0.45 * anatomy.wall
    past = np.minimum(along, 0)
    shape = np.sqrt(np.maximum(1 - (off**2 + past**2) / girth**2, 0))
    thick = girth * shape
    return floats(np.maximum(3.4 * thick - body.length, 0.5 * thick).astype(np.float32))


def _paint_lungs(canvas: Canvas, inside: Inside) -> None:
    anatomy = canvas.chest.anatomy
    detail = canvas.level.detail * anatomy.vessels
    canvas.vessels += 1.15 * floats(detail) * canvas.strands(inside.vessels)
    grain = canvas.clouds([anatomy.seed, 2, int(canvas.film.is_lateral)], 26.0)
    canvas.vessels += np.maximum(canvas.aeration * (0.04 + 0.03 * detail * grain), 0)
    canvas.gas -= canvas.strands(inside.airways)


def _paint_abdomen(canvas: Canvas) -> None:
    chest, gas = canvas.chest, canvas.chest.anatomy.gas
    rng = np.random.default_rng([chest.anatomy.seed, 5])
    top = chest.top["left"]
    bubbles = [(62.0, 16 + 9 * gas, 20.0, 26 + 12 * gas, 10 + 8 * gas, 28.0)] if gas else []
    for _ in range(int(rng.integers(0, 5))):
        x, y = rng.uniform(-30, 110), rng.uniform(48, 95)
        bubbles.append((x, y, rng.uniform(-10, 50), *rng.uniform(7, 16, 3)))
    for x, y, z, *radii in bubbles:
        middle = floats([x, top + y, z])
        room = Stack.ellipsoid(middle, floats(radii)).cut(canvas.film)
        canvas.gas += 1.1 * room.length
