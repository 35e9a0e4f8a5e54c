"""Broken bones: a bone is taken off the film and drawn again in pieces."""

import numpy as np
from scipy import ndimage

from gradtruce.data.phantom import skeleton
from gradtruce.data.phantom.anatomy import SIGN
from gradtruce.data.phantom.canvas import BONE, SOFT, Canvas
from gradtruce.data.phantom.findings.place import DEGREE, Place, sides_of, stream
from gradtruce.data.phantom.rays import Image, Points, floats
from gradtruce.data.phantom.strands import Strands
from gradtruce.data.study import Finding

_RIBS = {"upper": (3, 4, 5), "middle": (5, 6, 7), "lower": (7, 8, 9)}


def _replace(canvas: Canvas, before: Strands, after: Strands) -> Image:
    old, new = canvas.strands(before), canvas.strands(after)
    canvas.bone += new - old
    trace = np.abs(new - old) * floats(BONE / SOFT)
    return ndimage.gaussian_filter(trace, 0.7)


def paint_rib_fracture(canvas: Canvas, finding: Finding) -> Image:
    """Break three or four neighbouring ribs at the side, with a step and a gap."""
    chest, level = canvas.chest, canvas.level
    side = sides_of(finding)[0]
    rng = stream(chest.anatomy, finding)
    zone = _RIBS[finding.zone or "middle"]
    first, count = int(rng.choice(zone)), int(rng.integers(3, 5))
    place = rng.uniform(0.27, 0.4)
    total = np.zeros_like(canvas.bone)
    for number in range(first, min(first + count, 12)):
        path = skeleton.rib_path(chest, side, number)
        cut = int(np.clip(place + rng.uniform(-0.03, 0.03), 0.2, 0.8) * len(path))
        step = floats([-0.2 * SIGN[side], 1.0, 0.2])
        step = step * floats(rng.uniform(11, 15) * (0.5 + 0.5 * level.change))
        gap = max(1, round(2.4 * level.thin))
        inner, outer = path[: cut - gap + 1], path[cut + gap :]
        fade = np.linspace(1, 0, len(outer), dtype=np.float32)[:, None] ** 2
        whole = skeleton.rib(chest, path, canvas.spacing)
        pieces = Strands.join(
            (
                _piece(canvas, path, 0, cut - gap, inner),
                _piece(canvas, path, cut + gap, len(path), outer + step * fade),
                _callus(path[cut - gap], canvas.spacing, level.thin),
                _callus(path[cut + gap] + step, canvas.spacing, level.thin),
            )
        )
        total += _replace(canvas, whole, pieces)
        swollen = canvas.strands(_swelling(path[cut] + step / 2, canvas.spacing))
        canvas.tissue += swollen
        total += swollen
    return total


def _piece(canvas: Canvas, path: Points, start: int, stop: int, moved: Points) -> Strands:
    """Return the part of a rib between two corners of its path, moved."""
    full = path.copy()
    full[start : start + len(moved)] = moved
    piece = skeleton.rib(canvas.chest, full, canvas.spacing)
    each = len(piece.mass) // 3
    share = np.tile(np.linspace(0, len(path), each, endpoint=False), 3)
    share = np.resize(share, len(piece.mass))
    return piece.weighted(((share >= start) & (share < stop)).astype(np.float32))


def _callus(place: Place, spacing: float, thin: float) -> Strands:
    path = place.reshape(1, 3) + floats([[-1.5, 0, 0], [1.5, 0, 0]])
    return Strands.along(path, 6.5, min(spacing, 2.0), 6.0 * thin)


def _swelling(place: Place, spacing: float) -> Strands:
    path = place.reshape(1, 3) + floats([[0, -7, 0], [0, 7, 0]])
    return Strands.along(path, 11.0, min(spacing, 2.0), 1.6)


def paint_clavicle_fracture(canvas: Canvas, finding: Finding) -> Image:
    """Break a collarbone in its middle third; the outer part drops and overlaps."""
    chest, level = canvas.chest, canvas.level
    side = sides_of(finding)[0]
    rng = stream(chest.anatomy, finding)
    path = skeleton.clavicle_path(chest, side)
    cut = int(rng.uniform(0.42, 0.58) * len(path))
    drop = floats([-SIGN[side] * 7, rng.uniform(15, 20), 0]) * floats(level.change)
    fade = np.linspace(1, 0.35, len(path) - cut, dtype=np.float32)[:, None]
    inner = path[:cut] - floats([0, 6, 0]) * np.linspace(0, 1, cut, dtype=np.float32)[:, None]
    pieces = (
        skeleton.clavicle(chest, inner, canvas.spacing),
        skeleton.clavicle(chest, path[cut:] + drop * fade, canvas.spacing),
        _callus(inner[-1], canvas.spacing, level.thin),
        _callus(path[cut] + drop, canvas.spacing, level.thin),
    )
    whole = skeleton.clavicle(chest, path, canvas.spacing)
    return _replace(canvas, whole, Strands.join(pieces))


def paint_vertebral_fracture(canvas: Canvas, finding: Finding) -> Image:
    """Crush the front of a vertebra, as seen best from the side."""
    rng = stream(canvas.chest.anatomy, finding)
    crush = (0.5 + 0.3 * DEGREE[finding.severity]) * (0.5 + 0.5 * canvas.level.change)
    level = skeleton.FIRST_THORACIC + int(rng.integers(6, 11))
    whole = skeleton.vertebra(canvas.chest, level)
    crushed = skeleton.vertebra(canvas.chest, level, crush)
    return _replace(canvas, whole, crushed.weighted(4.0))
