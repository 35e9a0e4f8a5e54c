"""What lies on a film without meaning anything: side marker, electrodes, cables, buttons, folds."""

from collections.abc import Sequence

import numpy as np

from gradtruce.data.phantom.canvas import Canvas
from gradtruce.data.phantom.rays import Number, Points, floats
from gradtruce.data.phantom.strands import Strands

_LETTERS = {
    "L": (((0.0, 0.0), (0.0, 1.0), (0.6, 1.0)),),
    "R": (
        ((0.0, 1.0), (0.0, 0.0), (0.5, 0.0), (0.6, 0.25), (0.5, 0.5), (0.0, 0.5)),
        ((0.3, 0.5), (0.65, 1.0)),
    ),
}


def paint_clutter(canvas: Canvas, rng: np.random.Generator) -> None:
    """Add a side marker to most films and, as often as the level says, things on the skin.

    >>> from gradtruce.data.phantom.anatomy import Anatomy, Pose
    >>> from gradtruce.data.phantom.chest import build_chest
    >>> from gradtruce.data.phantom.level import LEVELS
    >>> from gradtruce.data.phantom.rays import Projection
    >>> rng = np.random.default_rng(0)
    >>> chest = build_chest(Anatomy.draw(rng), Pose.draw(rng, LEVELS["hard"]))
    >>> canvas = Canvas(chest, Projection(64, 370.0, (0.0, 140.0)), LEVELS["hard"])
    >>> paint_clutter(canvas, rng)
    >>> bool(canvas.metal.max() > 0)
    True
    """
    if rng.uniform() < 0.8:
        canvas.metal += canvas.strands(_marker(canvas, rng))
    kinds = (_electrode, _cable, _button)
    parts = [kinds[rng.integers(3)](canvas, rng) for _ in range(rng.poisson(canvas.level.clutter))]
    if parts:
        canvas.metal += canvas.strands(Strands.join(parts))
    if rng.uniform() < 0.25 * canvas.level.clutter and not canvas.film.is_lateral:
        canvas.tissue += canvas.strands(_fold(canvas, rng))


def _flat(canvas: Canvas, corners: Sequence[tuple[Number, Number]]) -> Points:
    """Return places on the film, given in millimetres from its middle, as places in the patient."""
    film = canvas.film
    places = floats(corners)
    u = places[:, 0] + floats(film.centre[0])
    y = places[:, 1] + floats(film.centre[1])
    if film.is_lateral:
        return np.stack([np.zeros_like(u), y, -u / floats(np.cos(film.turn))], 1)
    return np.stack([u / floats(np.cos(film.turn)), y, np.zeros_like(u)], 1)


def _marker(canvas: Canvas, rng: np.random.Generator) -> Strands:
    letter = "L" if canvas.film.is_lateral or rng.uniform() < 0.7 else "R"
    half = 0.5 * canvas.film.field_mm
    left = (0.8 if letter == "L" else -0.88) * half
    top = rng.uniform(-0.9, -0.75) * half
    tall = rng.uniform(13, 17)
    lines = [
        _flat(canvas, [(left + tall * x, top + tall * y) for x, y in line])
        for line in _LETTERS[letter]
    ]
    return Strands.join([Strands.along(line, 1.5, canvas.spacing, 9.0) for line in lines])


def _electrode(canvas: Canvas, rng: np.random.Generator) -> Strands:
    x, y = rng.uniform(-120, 120), rng.uniform(-110, 110)
    turn = np.linspace(0, 2 * np.pi, 9)
    ring = [(x + 4 * np.cos(t), y + 4 * np.sin(t)) for t in turn]
    return Strands.along(_flat(canvas, ring), 1.2, 1.5, 0.7)


def _cable(canvas: Canvas, rng: np.random.Generator) -> Strands:
    side = rng.choice((-1, 1))
    x, y = side * rng.uniform(60, 130), rng.uniform(-100, 20)
    end = side * rng.uniform(150, 190)
    path = [(x, y), (x + side * 12, y + 60), (x + side * 34, y + 130), (end, y + 240)]
    return Strands.along(_flat(canvas, path), 0.8, canvas.spacing, 0.35)


def _button(canvas: Canvas, rng: np.random.Generator) -> Strands:
    x, y = rng.uniform(-130, 130), rng.uniform(-60, 130)
    return Strands.along(_flat(canvas, [(x - 2, y), (x + 2, y)]), 4.0, 1.0, 0.10)


def _fold(canvas: Canvas, rng: np.random.Generator) -> Strands:
    side = rng.choice((-1, 1))
    x, y = side * rng.uniform(70, 110), rng.uniform(-60, 40)
    path = [(x, y), (x + side * 8, y + 60), (x + side * 26, y + 130)]
    return Strands.along(_flat(canvas, path), 2.4, canvas.spacing, 1.2)
