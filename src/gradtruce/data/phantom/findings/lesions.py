"""Nodules, masses and cavities."""

import numpy as np
from scipy import ndimage

from gradtruce.data.phantom.canvas import LUNG_DENSITY, Canvas
from gradtruce.data.phantom.findings.place import Place, lung_place, sides_of, stream
from gradtruce.data.phantom.rays import Image, Stack, floats
from gradtruce.data.study import Finding

_ROUND = (1.0, 1.0, 1.0)


def _ball(middle: Place, radius: float, stretch: tuple[float, float, float]) -> Stack:
    return Stack.ellipsoid(middle, floats(stretch) * floats(radius))


def paint_nodule(canvas: Canvas, finding: Finding) -> Image:
    """Add a small round shadow; the smallest are denser, as those seen on real films are."""
    side = sides_of(finding)[0]
    rng = stream(canvas.chest.anatomy, finding)
    middle = lung_place(canvas.chest, side, finding.zone, rng)
    radius = (finding.size or 15.0) / 2
    wide, tall = rng.uniform(0.9, 1.08, 2).tolist()
    dense = canvas.level.opacity * (1.2 + 12.0 / radius)
    ball = _ball(middle, max(radius, 0.75 * canvas.film.pitch), (wide, tall, 1.0))
    total = dense * ball.cut(canvas.film).length
    canvas.tissue += total
    return total


def paint_mass(canvas: Canvas, finding: Finding) -> Image:
    """Add a large, lobed shadow with a partly frayed outline."""
    side, chest = sides_of(finding)[0], canvas.chest
    rng = stream(chest.anatomy, finding)
    middle = lung_place(chest, side, finding.zone, rng, (0.3, 0.65))
    radius = (finding.size or 45.0) / 2
    total = np.zeros_like(canvas.tissue)
    warp = 1.6 * canvas.clouds([chest.anatomy.seed, 17], 16.0)
    for _ in range(5):
        lobe = middle + floats(rng.normal(0, 0.3 * radius, 3))
        ball = _ball(lobe, 0.74 * radius, _ROUND)
        total = np.maximum(total, ball.cut(canvas.film, warp).length)
    total = ndimage.gaussian_filter(total, 2.0 / canvas.film.pitch)
    total = total * floats(canvas.level.opacity * 1.7)
    canvas.tissue += total
    return floats(total)


def paint_cavity(canvas: Canvas, finding: Finding) -> Image:
    """Add a thick-walled ring with air inside, some with a level of fluid."""
    side, chest = sides_of(finding)[0], canvas.chest
    rng = stream(chest.anatomy, finding)
    middle = lung_place(chest, side, finding.zone, rng, (0.35, 0.65))
    radius = (finding.size or 35.0) / 2
    wall = max(0.26 * radius, 1.1 * canvas.film.pitch)
    outer = _ball(middle, radius + 1, _ROUND).cut(canvas.film).length
    inner = _ball(middle + floats([0.5, -1, 0]), radius - wall, _ROUND).cut(canvas.film)
    hole = inner.length
    if rng.uniform() < 0.5:
        level = middle[1] + 0.25 * radius
        hole = hole * np.clip((level - canvas.film.y) / canvas.film.pitch + 0.5, 0, 1)
    total = canvas.level.opacity * 1.8 * (outer - hole)
    canvas.tissue += total
    canvas.gas += LUNG_DENSITY * hole
    return floats(total)
