"""Air, fluid and scar between lung and chest wall."""

import numpy as np

from gradtruce.data.phantom.anatomy import SIGN, Side
from gradtruce.data.phantom.canvas import LUNG_DENSITY, Canvas
from gradtruce.data.phantom.findings.place import DEGREE, sides_of, stream
from gradtruce.data.phantom.rays import LEVELS_Y, Image, at_height, floats
from gradtruce.data.phantom.strands import Strands
from gradtruce.data.study import Finding


def paint_pneumothorax(canvas: Canvas, finding: Finding) -> Image:
    """Empty the room that the lung has left, and draw the lung's edge as a fine line."""
    chest, level = canvas.chest, canvas.level
    side = sides_of(finding)[0]
    lung, cavity = chest.lungs[side], canvas.rooms[side]
    air = canvas.air[side]
    kept = canvas.inside(side, lung.cut(canvas.film))
    free = np.maximum(air - kept, 0)
    canvas.gas += free * (LUNG_DENSITY + 0.04) * (0.5 + 0.5 * level.opacity)
    canvas.fluid += 0.10 * kept * level.opacity
    edge = lung.high if side == "left" else lung.low
    inside = (lung.depth > 1) & (LEVELS_Y - 1.02 * chest.top[side] < 0)
    heights = LEVELS_Y[inside][::8]
    path = np.stack([edge[inside][::8], heights, at_height(lung.centre, heights)], 1)
    line = canvas.strands(Strands.along(path, 1.15 * level.thin, canvas.spacing, 5.0))
    if canvas.film.is_lateral:
        line *= 0.0
    canvas.tissue += line
    bare = np.where(kept < 0.3 * cavity.length, free, 0.0) + 20 * line
    return floats(bare.astype(np.float32))


def paint_effusion(canvas: Canvas, finding: Finding) -> Image:
    """Fill the cavity from below, up to a surface that climbs along the chest wall."""
    degree, chest, film = DEGREE[finding.severity], canvas.chest, canvas.film
    total = np.zeros_like(canvas.fluid)
    for side in sides_of(finding):
        rng = stream(chest.anatomy, finding, side)
        lowest = chest.top[side] + chest.anatomy.dome
        climb = 26 + 22 * degree + rng.uniform(-3, 3)
        surface = lowest - (20 + 46 * degree + 62 * max(degree - 0.5, 0)) * canvas.level.change
        cavity = chest.cavity[side]
        if film.is_lateral:
            reach = at_height(cavity.depth, film.y)
            gap = reach - np.abs(film.u + at_height(cavity.centre, film.y))
        else:
            edge = at_height(cavity.high if side == "left" else cavity.low, film.y)
            gap = np.abs(edge) - film.u * SIGN[side]
        meniscus = surface - climb * np.exp(-np.maximum(gap, 0) / (13 + 9 * degree))
        depth = (film.y - meniscus) / (7 + 3 * degree)
        share = 1 / (1 + np.exp(-np.clip(depth, -20, 20)))
        total += 2.2 * canvas.level.opacity**0.5 * share * canvas.air[side]
    canvas.fluid += total
    return total


def paint_thickening(canvas: Canvas, finding: Finding) -> Image:
    """Add a rind of scar along the outer chest wall or a cap over the apex, partly calcified."""
    degree, chest, film = DEGREE[finding.severity], canvas.chest, canvas.film
    total = np.zeros_like(canvas.fluid)
    for side in sides_of(finding):
        rng = stream(chest.anatomy, finding, side)
        thick = (9 + 8 * degree) * (0.6 + 0.4 * canvas.level.thin)
        wave = canvas.clouds([chest.anatomy.seed, 19], 30.0)
        if finding.zone == "upper":
            core = chest.cavity[side].lowered(1.5 * thick).inset(0.25 * thick)
            cap = canvas.air[side] - canvas.inside(side, core.cut(film, 0.3 * thick * wave))
            share = np.clip((70 * chest.scale[1] - film.y) / 30, 0, 1)
            total += 1.5 * share * np.maximum(cap, 0)
            continue
        core = chest.cavity[side].inset(thick)
        rind = canvas.air[side] - canvas.inside(side, core.cut(film, 0.16 * thick * wave))
        start = (0.52 - 0.08 * degree) * chest.top[side]
        share = np.clip((film.y - start) / 25, 0, 1)
        gap = _from_wall(canvas, side)
        total += 1.8 * share * np.maximum(rind, 0) * np.clip(1.6 - gap / (2 * thick), 0, 1)
        total += canvas.strands(_plaques(canvas, side, rng, degree))
    total *= floats(canvas.level.opacity)
    canvas.fluid += total
    return total


def _from_wall(canvas: Canvas, side: Side) -> Image:
    film, cavity = canvas.film, canvas.chest.cavity[side]
    if film.is_lateral:
        return floats(
            at_height(cavity.depth, film.y) - np.abs(film.u + at_height(cavity.centre, film.y))
        )
    edge = at_height(cavity.high if side == "left" else cavity.low, film.y)
    return floats(np.abs(edge) - film.u * SIGN[side])


def _plaques(canvas: Canvas, side: Side, rng: np.random.Generator, degree: float) -> Strands:
    """Return flecks of chalk along the outer chest wall."""
    chest, sign = canvas.chest, SIGN[side]
    cavity = chest.cavity[side]
    start = rng.uniform(0.55, 0.75)
    y = np.linspace(start, start + 0.2 + 0.1 * degree, 8, dtype=np.float32) * chest.top[side]
    edge = at_height(cavity.high if side == "left" else cavity.low, y)
    z = at_height(cavity.centre, y) + rng.uniform(-15, 15)
    path = np.stack([edge - sign * (3 + rng.uniform(0, 2, 8)), y, z], 1)
    return Strands.along(path.astype(np.float32), 1.8, canvas.spacing, 2.5 + 2 * degree)
