"""Opacities of the lung: haze, reticulation, edema, consolidation, pneumonia, atelectasis."""

import numpy as np
from jaxtyping import Float32
from scipy import ndimage

from gradtruce.data.phantom.anatomy import SIGN, Side
from gradtruce.data.phantom.canvas import Canvas
from gradtruce.data.phantom.findings.place import DEGREE, Place, lung_place, sides_of, stream
from gradtruce.data.phantom.rays import Image, Points, Stack, at_height, floats
from gradtruce.data.phantom.strands import Strands
from gradtruce.data.phantom.vessels import HILUM, Tree
from gradtruce.data.study import Finding


def _nothing(canvas: Canvas) -> Image:
    return np.zeros_like(canvas.fluid)


def _cloud(
    canvas: Canvas,
    side: Side,
    middle: Place,
    radii: tuple[float, float, float],
    rough: float,
    soft: float,
) -> Image:
    """Return the millimetres of lung inside an ellipsoid whose outline is `rough` mm uneven.

    They thin out towards the outline: evenly for `soft` 0, the more the larger it is.
    """
    warp = rough * canvas.clouds([canvas.chest.anatomy.seed, 23, int(side == "left")], 40.0)
    blob = Stack.ellipsoid(middle, floats(radii)).cut(canvas.film, warp)
    along = radii[0] if canvas.film.is_lateral else radii[2]
    return floats(canvas.inside(side, blob) * (blob.length / (2 * along)) ** floats(soft))


def paint_haze(canvas: Canvas, finding: Finding) -> Image:
    """Add an even, ill-defined veil through which vessels are still seen."""
    degree, total = DEGREE[finding.severity], _nothing(canvas)
    for side in sides_of(finding):
        rng = stream(canvas.chest.anatomy, finding, side)
        middle = lung_place(canvas.chest, side, finding.zone, rng, (0.35, 0.6))
        size = 50 + 18 * degree + rng.uniform(-4, 6)
        veil = _cloud(canvas, side, middle, (size, 0.9 * size, 1.3 * size), 9.0, 1.2)
        total += veil * (0.55 + 0.3 * degree) * canvas.level.opacity
    canvas.fluid += total
    return total


def paint_interstitial(canvas: Canvas, finding: Finding) -> Image:
    """Add a net of fine lines to both lungs, denser below and at the outside."""
    degree, level = DEGREE[finding.severity], canvas.level
    total = _nothing(canvas)
    for side in sides_of(finding):
        rng = stream(canvas.chest.anatomy, finding, side)
        count = int(420 + 380 * degree)
        places = _scatter(canvas, side, count, rng)
        turn = rng.normal(0, 1, (count, 3))
        turn *= rng.uniform(5, 10, (count, 1)) / np.linalg.norm(turn, axis=1, keepdims=True)
        share = np.linspace(-1, 1, 6)[:, None, None]
        bend = rng.normal(0, 2.0, (count, 3)) * (1 - share**2)
        points = (places + share * turn + bend).reshape(-1, 3).astype(np.float32)
        radius = np.full(len(points), 1.1 * level.thin, np.float32)
        length = np.tile(np.linalg.norm(turn, axis=1) / 3, 6).astype(np.float32)
        net = Strands(points, radius, 3.1 * radius**2 * length * (1.7 + 0.9 * degree))
        inside = canvas.chest.lungs[side].contains(points)
        total += canvas.strands(net.weighted(inside * floats(level.opacity)))
    total += 0.05 * (1 + degree) * canvas.aeration * level.opacity
    canvas.fluid += total
    return total


def _scatter(
    canvas: Canvas, side: Side, count: int, rng: np.random.Generator
) -> Float32[np.ndarray, "count 3"]:
    """Return random places in a lung, more of them low and near the chest wall."""
    cavity = canvas.chest.cavity[side]
    y = (0.18 + 0.92 * rng.beta(1.7, 1.1, count)) * canvas.chest.top[side]
    y = y.astype(np.float32)
    low, high = at_height(cavity.low, y), at_height(cavity.high, y)
    share = rng.beta(1.6, 1.1, count)
    x = low + (high - low) * (share if side == "left" else 1 - share)
    z = at_height(cavity.centre, y) + at_height(cavity.depth, y) * rng.uniform(-0.9, 0.7, count)
    return np.stack([x, y, z], 1).astype(np.float32)


def paint_edema(canvas: Canvas, finding: Finding) -> Image:
    """Add haze around the hila, full vessels in the upper lobes and septal lines at the bases."""
    degree, chest, level = DEGREE[finding.severity], canvas.chest, canvas.level
    total = _nothing(canvas)
    for side in sides_of(finding):
        rng = stream(chest.anatomy, finding, side)
        x, y, z = HILUM[side]
        middle = chest.at(SIGN[side] * (x + 20), y + 14, z)[0]
        wide = 46 + 18 * degree
        haze = _cloud(canvas, side, middle, (wide, 1.35 * wide, 1.5 * wide), 10.0, 1.0)
        total += haze * (0.5 + 0.35 * degree) * level.opacity
        full = Tree.of(chest.anatomy, side).strands(chest, side, canvas.spacing)
        upper = np.clip((120 * chest.scale[1] - full.points[:, 1]) / 60, 0, 1)
        total += canvas.strands(full.weighted((0.7 + 0.6 * degree) * upper))
        total += canvas.strands(_septal_lines(canvas, side, degree, rng))
    canvas.fluid += total
    return total


def _septal_lines(canvas: Canvas, side: Side, degree: float, rng: np.random.Generator) -> Strands:
    chest, sign = canvas.chest, SIGN[side]
    cavity = chest.cavity[side]
    parts = []
    for _ in range(int(7 + 9 * degree)):
        y = rng.uniform(0.66, 1.06) * chest.top[side]
        edge = at_height(cavity.high if side == "left" else cavity.low, floats([y]))[0]
        length, depth = rng.uniform(13, 22), rng.uniform(-30, 25)
        path = [(edge - sign * 2, y, depth), (edge - sign * length, y - rng.uniform(0, 3), depth)]
        parts.append(Strands.along(floats(path), 0.85 * canvas.level.thin, canvas.spacing, 2.6))
    return Strands.join(parts)


def paint_consolidation(canvas: Canvas, finding: Finding) -> Image:
    """Fill part of a lung with fluid, its bronchi still holding air."""
    degree, total = DEGREE[finding.severity], _nothing(canvas)
    chest = canvas.chest
    for side in sides_of(finding):
        rng = stream(chest.anatomy, finding, side)
        middle = lung_place(chest, side, finding.zone, rng, (0.3, 0.6))
        size = 38 + 18 * degree + rng.uniform(-2, 4)
        radii = (1.05 * size, 0.85 * size, 1.35 * size)
        dense = (1.5 + 0.9 * degree) * canvas.level.opacity
        total += dense * _cloud(canvas, side, middle, radii, 12.0, 0.9)
        bronchi = Tree.of(chest.anatomy, side).strands(chest, side, canvas.spacing)
        near = Stack.ellipsoid(middle, floats(radii)).contains(bronchi.points)
        open_ones = near * (bronchi.radius > 0.9)
        canvas.gas += canvas.strands(bronchi.weighted(1.2 * open_ones))
    total = ndimage.gaussian_filter(total, 4.5 / canvas.film.pitch)
    canvas.fluid += total
    return total


def paint_pneumonia(canvas: Canvas, finding: Finding) -> Image:
    """Add a group of soft, uneven patches."""
    degree, total = DEGREE[finding.severity], _nothing(canvas)
    for side in sides_of(finding):
        rng = stream(canvas.chest.anatomy, finding, side)
        middle = lung_place(canvas.chest, side, finding.zone, rng, (0.35, 0.65))
        reach = 19 + 8 * degree
        for _ in range(int(8 + 5 * degree)):
            size = rng.uniform(11, 19)
            patch = middle + floats(rng.normal(0, reach, 3) * (0.9, 0.9, 1.2))
            radii = (size, size, 1.6 * size)
            total += rng.uniform(0.5, 1.0) * _cloud(canvas, side, patch, radii, 7.0, 0.9)
    total = ndimage.gaussian_filter(total, 3.5 / canvas.film.pitch)
    grain = canvas.clouds([canvas.chest.anatomy.seed, 13], 14.0)
    total *= np.clip(0.85 + 0.45 * grain, 0.2, 1.8) * (1.1 + 0.5 * degree) * canvas.level.opacity
    canvas.fluid += total
    return total


def paint_bands(canvas: Canvas, finding: Finding) -> Image:
    """Add plate-like bands near the base, level or slightly tilted."""
    degree, chest = DEGREE[finding.severity], canvas.chest
    parts = []
    for side in sides_of(finding):
        rng = stream(chest.anatomy, finding, side)
        for number in range(1 + round(2 * degree)):
            middle = lung_place(chest, side, "lower", rng, (0.3, 0.55))
            middle[1] = (0.93 - 0.11 * number + rng.uniform(-0.03, 0.03)) * chest.top[side]
            half = rng.uniform(26, 34) + 6 * degree
            tilt = SIGN[side] * rng.uniform(-0.1, 0.35)
            path = _band(middle, half, tilt, float(rng.uniform(-2, 3)))
            thick = floats([1.4, 3.0, 3.4, 3.0, 1.4]) * (0.8 + 0.25 * canvas.level.thin)
            for forward in (-14, 0, 14):
                moved = path + floats([0, 0.06 * forward, forward])
                parts.append(Strands.along(moved, thick, canvas.spacing, 3.2))
    bands = Strands.join(parts)
    total = canvas.strands(bands) * canvas.level.opacity
    total *= np.clip(canvas.aeration / 25, 0, 1)
    canvas.fluid += total
    return total


def _band(middle: Place, half: float, tilt: float, bend: float) -> Points:
    share = np.linspace(-1, 1, 5, dtype=np.float32)
    x = middle[0] + half * share
    y = middle[1] + half * tilt * share + bend * (1 - share**2)
    return np.stack([x, y, middle[2] + 0.5 * half * share], 1).astype(np.float32)


def paint_collapse(canvas: Canvas, finding: Finding) -> Image:
    """Fill the shrunken lobe: a wedge at the apex or behind the heart."""
    chest, film = canvas.chest, canvas.film
    side = sides_of(finding)[0]
    root = chest.at(*HILUM[side])[0]
    out = film.u * -1.0 if film.is_lateral else (film.u - chest.shift) * SIGN[side]
    y = film.y
    if finding.zone == "upper":
        away = (out + 25) / 90 if film.is_lateral else out / 85
        border = root[1] - 8 - 62 * np.clip(away, 0, 1.4) ** 0.7 * chest.scale[1]
        inside = (border - y) / 5
    else:
        fall = np.clip((y - 0.8 * root[1]) / (chest.top[side] - 0.8 * root[1]), 0, 1.4)
        border = 16 + 34 * fall
        inside = (border - out) / 5 if not film.is_lateral else (-58 + 8 * fall - out) / 6
        inside = np.minimum(inside, (y - 0.8 * root[1]) / 12)
    share = 1 / (1 + np.exp(-np.clip(inside, -20, 20)))
    total = 1.5 * canvas.level.opacity * share * canvas.air[side]
    canvas.fluid += total
    return floats(total.astype(np.float32))
