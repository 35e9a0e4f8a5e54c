"""Tubes, lines, pacemakers and wires."""

from collections.abc import Sequence

import numpy as np

from gradtruce.data.phantom.anatomy import SIGN, Side
from gradtruce.data.phantom.canvas import METAL, SOFT, Canvas
from gradtruce.data.phantom.findings.place import lung_place, sides_of, stream
from gradtruce.data.phantom.rays import LEVELS_Y, Image, Number, Points, Stack, at_height, floats
from gradtruce.data.phantom.strands import Strands
from gradtruce.data.phantom.vessels import airway_paths
from gradtruce.data.study import Finding

Corner = tuple[Number, Number, Number]


def _add_metal(canvas: Canvas, strands: Strands) -> Image:
    thickness = canvas.strands(strands)
    canvas.metal += thickness
    return floats(thickness * floats(METAL / SOFT))


def _wire(canvas: Canvas, path: Points, radius: float, dense: float = 1.0) -> Strands:
    """Return a wire along smooth corners; thicker where the level asks for it."""
    thick = radius * canvas.level.thin
    return Strands.along(_smooth(path), thick, canvas.spacing, dense)


def _smooth(path: Points) -> Points:
    """Return the corners of a path rounded twice (Chaikin 1974)."""
    for _ in range(3):
        near, far = 0.75 * path[:-1] + 0.25 * path[1:], 0.25 * path[:-1] + 0.75 * path[1:]
        middle = np.stack([near, far], 1).reshape(-1, 3)
        path = np.concatenate([path[:1], middle, path[-1:]])
    return path.astype(np.float32)


def _at(canvas: Canvas, corners: Sequence[Corner]) -> Points:
    """Return reference places inside the middle of the chest, which moves with the heart."""
    move = floats([canvas.chest.shift, 0, 0])
    inside = np.clip(floats(corners)[:, 1:2] / 40, 0, 1)
    return floats(floats(corners) * floats(canvas.chest.scale) + move * inside)


def paint_endotracheal_tube(canvas: Canvas, finding: Finding) -> Image:
    """Add a tube in the windpipe, its tip some centimetres above the carina."""
    rng = stream(canvas.chest.anatomy, finding)
    trachea = _smooth(airway_paths(canvas.chest)[0])
    tip = trachea[-1, 1] - rng.uniform(28, 52)
    path = trachea[trachea[:, 1] < tip]
    side = floats([4.0, 0, 0])
    tube = (
        Strands.along(path - side, 1.1 * canvas.level.thin, canvas.spacing, 0.6),
        Strands.along(path + side, 1.2 * canvas.level.thin, canvas.spacing, 1.1),
        Strands.along(path[-2:], 3.5, canvas.spacing, 0.12),
    )
    return _add_metal(canvas, Strands.join(tube))


def paint_enteric_tube(canvas: Canvas, finding: Finding) -> Image:
    """Add a tube down the gullet that turns left below the diaphragm, into the stomach."""
    chest = canvas.chest
    rng = stream(chest.anatomy, finding)
    under = chest.top["left"] / chest.scale[1]
    corners: list[Corner] = [(2.0, -150.0, -20.0), (3, -20, -42), (5, 60, -48), (4, 120, -56)]
    corners += [(9, under - 30, -48), (20, under + 8, -30), (38, under + 34, 0)]
    corners += [(rng.uniform(52, 80), under + rng.uniform(30, 62), 20)]
    path = _at(canvas, corners)
    end = Strands.along(_smooth(path)[-3:], 2.0, canvas.spacing, 1.0)
    return _add_metal(canvas, Strands.join((_wire(canvas, path, 1.45), end)))


def paint_central_line(canvas: Canvas, finding: Finding) -> Image:
    """Add a line from neck or collarbone to the lower superior vena cava."""
    chest = canvas.chest
    rng = stream(chest.anatomy, finding)
    side = sides_of(finding)[0]
    sign = SIGN[side]
    low = rng.uniform(96, 128)
    if rng.uniform() < 0.5:
        start: list[Corner] = [
            (sign * 52.0, -110.0, 20.0),
            (sign * 40, -60, 10),
            (sign * 33, -10, 8),
        ]
    else:
        start = [(sign * 150.0, 44.0, 40.0), (sign * 104, 26, 38), (sign * 64, 14, 24)]
    if side == "right":
        way: list[Corner] = [(-27.0, 34.0, 8.0), (-25, 64, 4)]
    else:
        way = [(28.0, 28.0, 12.0), (8, 42, 14), (-18, 56, 8), (-24, 76, 4)]
    path = _at(canvas, [*start, *way, (-23.0, low, 2.0)])
    return _add_metal(canvas, _wire(canvas, path, 1.4))


def paint_pacemaker(canvas: Canvas, finding: Finding) -> Image:
    """Add a generator below the collarbone with leads to the right heart."""
    chest, film = canvas.chest, canvas.film
    rng = stream(chest.anatomy, finding)
    side = sides_of(finding)[0]
    sign = SIGN[side]
    place = chest.at(sign * rng.uniform(92, 106), rng.uniform(54, 72), 0)[0]
    place[2] = float(at_height(chest.body.depth, place[1:2])[0]) - 26
    up = np.clip(np.abs(LEVELS_Y - place[1]) / rng.uniform(20, 24), 0, 1)
    half = (rng.uniform(22, 25) * np.sqrt(np.sqrt(1 - up**4))).astype(np.float32)
    flat = np.ones_like(half)
    box = Stack(place[0] - half, place[0] + half, flat * place[2], flat * 3.5, 4.0, 4.0)
    case = np.minimum(box.cut(film).length, 9.0) * 0.75
    canvas.metal += case
    corners = [tuple(place + floats([-12 * sign, -16, 0]))]
    vein: list[Corner] = [(sign * 60.0, 16.0, 30.0), (sign * 30, 26, 12)]
    vein += (
        [(-22.0, 56.0, 6.0), (-25, 96, 4)] if side == "right" else [(0.0, 42.0, 14.0), (-24, 76, 6)]
    )
    ends: list[list[Corner]] = [[(-36.0, 140.0, 20.0), (-30, 164, 42), (-24, 150, 52)]]
    ends += [[(-30.0, 150.0, 16.0), (-8, 196, 40), (44, 212, 58)]]
    leads = []
    for end in ends[: 1 + int(rng.uniform() < 0.7)][::-1]:
        path = np.concatenate([floats(corners), _at(canvas, vein + end)])
        leads += [_wire(canvas, path, 1.2), _tip(canvas, path)]
    return floats(_add_metal(canvas, Strands.join(leads)) + case * floats(METAL / SOFT))


def _tip(canvas: Canvas, path: Points) -> Strands:
    return Strands.along(_smooth(path)[-3:], 1.7, canvas.spacing, 1.0)


def paint_chest_tube(canvas: Canvas, finding: Finding) -> Image:
    """Add a wide tube with a dense stripe that enters at the side and runs to the apex."""
    chest = canvas.chest
    rng = stream(chest.anatomy, finding)
    side: Side = sides_of(finding)[0]
    sign = SIGN[side]
    end = lung_place(chest, side, "upper", rng, (0.4, 0.7))
    y = floats([rng.uniform(0.62, 0.8) * chest.top[side]])
    edge = abs(
        float(
            at_height(chest.cavity[side].high if side == "left" else chest.cavity[side].low, y)[0]
        )
    )
    start = float(y[0])
    path = floats(
        [
            (sign * (edge + 70), start + 34, 20),
            (sign * (edge + 18), start + 8, 10),
            (sign * (edge - 12), start - 22, -10),
            (sign * (abs(end[0]) + 0.5 * (edge - abs(end[0]))), (start + end[1]) / 2, -30),
            tuple(end),
        ]
    )
    across = floats([4.4, 0, 0])
    tube = (
        _wire(canvas, path - across, 0.8, 0.6),
        _wire(canvas, path + across, 1.2, 1.0),
        Strands.along(_smooth(path), 4.2, canvas.spacing, 0.035),
    )
    return _add_metal(canvas, Strands.join(tube))


def paint_sternal_wires(canvas: Canvas, finding: Finding) -> Image:
    """Add a row of twisted wire loops down the breastbone."""
    chest = canvas.chest
    rng = stream(chest.anatomy, finding)
    cavity = chest.cavity["left"]
    turn = np.linspace(0, 2 * np.pi, 17, dtype=np.float32)
    loops = []
    for height in np.linspace(48, 182, int(rng.integers(5, 8))):
        y = floats([height * chest.scale[1]])
        front = float(at_height(cavity.centre, y)[0] + at_height(cavity.depth, y)[0]) + 8
        wide, tall, lean = rng.uniform(7, 10), rng.uniform(4.5, 6.5), rng.normal(0, 0.25)
        x = wide * np.cos(turn) + rng.normal(0, 1.0)
        rise = tall * np.sin(turn) + lean * x
        loop = np.stack([x, y + rise, front + 7 * np.sin(turn)], 1).astype(np.float32)
        knot = loop[4:6] + floats([[0, -3, 0], [0, 2, 0]])
        loops.append(Strands.along(loop, 1.5 * canvas.level.thin, min(canvas.spacing, 2.0)))
        loops.append(Strands.along(knot, 1.9 * canvas.level.thin, 1.5))
    return _add_metal(canvas, Strands.join(loops))
