"""Thin things (ribs, vessels, wires) as strands of points that add their own thickness to a film.

Each point is spread over the pixels as a Gaussian that keeps its mass. So a strand narrower than
a pixel fades as on a real detector, it is smooth at any size, and a rib seen end-on is brighter
than one seen broadside, with no case for either.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float32

from gradtruce.data.phantom.rays import Image, Points, Projection, floats

_MARGIN = 2.3
"""How many standard deviations of a point are drawn."""


@final
@dataclass(frozen=True, eq=False)
class Strands:
    """Points along curves.

    Attributes:
        points: Places in the patient, in millimetres.
        radius: Radius at each point, in millimetres.
        mass: Volume that each point stands for, in cubic millimetres; below 0 removes tissue.

    >>> wire = Strands.along(np.float32([[0, 0, 0], [0, 50, 0]]), radius=2.0, spacing=1.0)
    >>> film = Projection(64, 128.0, (0.0, 25.0))
    >>> thickness = wire.draw(film)
    >>> 2.0 < float(thickness.max()) < 4.0
    True
    """

    points: Points
    radius: Float32[np.ndarray, " points"]
    mass: Float32[np.ndarray, " points"]

    @classmethod
    def along(
        cls,
        path: Points,
        radius: float | Float32[np.ndarray, " corners"],
        spacing: float,
        density: float | Float32[np.ndarray, " corners"] = 1.0,
    ) -> "Strands":
        """Return a round strand along the straight lines between the corners of `path`.

        Radius and density may vary from corner to corner; points lie `spacing` mm apart.
        """
        path = np.asarray(path, dtype=np.float32)
        steps = np.sqrt((np.diff(path, axis=0) ** 2).sum(1))
        place = np.concatenate([np.zeros(1, np.float32), np.cumsum(steps)])
        count = max(int(place[-1] / spacing) + 1, 2)
        where = (np.arange(count, dtype=np.float32) + 0.5) * (place[-1] / count)
        points = np.stack([np.interp(where, place, path[:, i]) for i in range(3)], 1)
        thick = np.interp(where, place, np.broadcast_to(radius, place.shape)).astype(np.float32)
        heavy = np.interp(where, place, np.broadcast_to(density, place.shape)).astype(np.float32)
        mass = floats(np.pi * place[-1] / count) * thick**2 * heavy
        return cls(points.astype(np.float32), thick, mass.astype(np.float32))

    @classmethod
    def join(cls, parts: Sequence["Strands"]) -> "Strands":
        """Return all strands as one."""
        if not parts:
            nothing = np.zeros(0, np.float32)
            return cls(np.zeros((0, 3), np.float32), nothing, nothing)
        return cls(
            np.concatenate([part.points for part in parts]),
            np.concatenate([part.radius for part in parts]),
            np.concatenate([part.mass for part in parts]),
        )

    def weighted(self, weight: float | Float32[np.ndarray, " points"]) -> "Strands":
        """Return the strands with their mass times `weight`."""
        return Strands(self.points, self.radius, (self.mass * weight).astype(np.float32))

    def draw(self, film: Projection, blur: float = 0.5) -> Image:
        """Return the thickness in millimetres that the strands add to each ray.

        `blur` is the standard deviation of the detector in pixels.
        """
        column, row = film.to_pixels(self.points)
        sigma = np.sqrt((0.5 * self.radius / film.pitch) ** 2 + blur**2)
        pad = int(np.ceil(_MARGIN * float(sigma.max(initial=blur)))) + 1
        seen = (column > -pad) & (column < film.size - 1 + pad)
        seen &= (row > -pad) & (row < film.size - 1 + pad) & (self.mass != 0)
        column, row, sigma = column[seen] + 2 * pad, row[seen] + 2 * pad, sigma[seen]
        mass = self.mass[seen] / floats(film.pitch**2)
        side = film.size + 4 * pad
        reach = np.maximum(np.rint(_MARGIN * sigma), 1).astype(np.int32)
        total = np.zeros(side * side)
        for step in np.unique(reach):
            some = reach == step
            total += _splat(column[some], row[some], sigma[some], mass[some], int(step), side)
        inner = slice(2 * pad, 2 * pad + film.size)
        return total.reshape(side, side)[inner, inner].astype(np.float32)


def _splat(
    column: Float32[np.ndarray, " points"],
    row: Float32[np.ndarray, " points"],
    sigma: Float32[np.ndarray, " points"],
    mass: Float32[np.ndarray, " points"],
    reach: int,
    side: int,
) -> np.ndarray:
    offset = np.arange(-reach, reach + 1)
    left, top = np.rint(column).astype(np.int64), np.rint(row).astype(np.int64)
    scale = (-0.5 / sigma**2)[:, None]
    across = np.exp(scale * ((left - column)[:, None] + offset.astype(np.float32)) ** 2)
    down = np.exp(scale * ((top - row)[:, None] + offset.astype(np.float32)) ** 2)
    across *= (mass / (across.sum(1) * down.sum(1)))[:, None]
    place = (top * side + left)[:, None, None] + offset[:, None] * side + offset
    value = down[:, :, None] * across[:, None, :]
    return np.bincount(place.ravel(), value.ravel(), side * side)
