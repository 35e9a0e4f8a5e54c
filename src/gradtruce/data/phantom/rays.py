"""Rays through a patient: projections, solids as stacks of cross-sections, lengths inside them.

Patient coordinates are millimetres: x grows to the patient's left (the right of a frontal film),
y downwards from the top of the lungs, z to the front. A ray meets a solid in one interval; so the
length of air or tissue along it is a matter of interval arithmetic, exact and fast.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, final

import numpy as np
from jaxtyping import Float32, Int
from scipy import ndimage

Number = float | int
Image = Float32[np.ndarray, "height width"]
Table = Float32[np.ndarray, " levels"]
Scale = tuple[float, float, float]
Points = Float32[np.ndarray, "_ 3"]

TOP: Final = -160.0
BOTTOM: Final = 520.0
STEP: Final = 0.5
LEVELS_Y: Final = np.arange(TOP, BOTTOM, STEP, dtype=np.float32)
"""The heights, in millimetres, at which the profiles of a solid are tabulated."""


def floats(values: object) -> Float32[np.ndarray, "..."]:
    """Return numbers as a float32 array, the type of all arithmetic here.

    >>> floats([1, 2]).dtype
    dtype('float32')
    """
    return np.asarray(values, dtype=np.float32)


def profile(points: Sequence[tuple[Number, Number]], smooth: Number = 6.0) -> Table:
    """Return a profile over height through (height, value) points, rounded over `smooth` mm.

    >>> float(profile([(0.0, 1.0), (100.0, 3.0)])[np.searchsorted(LEVELS_Y, 50.0)].round(2))
    2.0
    """
    heights, values = zip(*points, strict=True)
    table = np.interp(LEVELS_Y, heights, values).astype(np.float32)
    return ndimage.gaussian_filter1d(table, smooth / STEP, truncate=3) if smooth > 0 else table


def at_height(table: Table, y: Float32[np.ndarray, "*shape"]) -> Float32[np.ndarray, "*shape"]:
    """Return a profile's values at heights `y`.

    >>> at_height(profile([(0.0, 1.0), (10.0, 1.0)]), np.float32([5.0]))
    array([1.], dtype=float32)
    """
    return table[np.clip((y - TOP) * (1 / STEP), 0, len(table) - 1).astype(np.int32)]


@final
@dataclass(frozen=True, eq=False)
class Projection:
    """Where the pixels of one film lie in the patient.

    Args:
        size: Pixels a side.
        field_mm: Width and height of the film in the patient.
        centre: Across and down, the patient's millimetres at the middle of the film.
        is_lateral: Seen from the side (front at the left) instead of from the front.
        turn: Rotation about the patient's long axis in radians; above 0 brings the front to x > 0.
        tilt: Rotation in the plane of the film in radians.

    >>> film = Projection(128, 384.0, (0.0, 150.0))
    >>> across, down = film.to_pixels(np.float32([[0.0, 150.0, 40.0]]))
    >>> float(across[0]), float(down[0])
    (63.5, 63.5)
    """

    size: int
    field_mm: float
    centre: tuple[float, float]
    is_lateral: bool = False
    turn: float = 0.0
    tilt: float = 0.0
    u: Image = field(init=False)
    y: Image = field(init=False)
    rows: Int[np.ndarray, "height width"] = field(init=False)

    def __post_init__(self) -> None:
        steps = (np.arange(self.size, dtype=np.float32) - (self.size - 1) / 2) * self.pitch
        down, across = np.meshgrid(steps, steps, indexing="ij")
        cos, sin = floats(np.cos(self.tilt)), floats(np.sin(self.tilt))
        y = self.centre[1] + cos * down - sin * across
        object.__setattr__(self, "u", self.centre[0] + cos * across + sin * down)
        object.__setattr__(self, "y", y)
        rows = np.clip((y - TOP) / STEP, 0, len(LEVELS_Y) - 1).astype(np.int32)
        object.__setattr__(self, "rows", rows)

    @property
    def pitch(self) -> float:
        """Millimetres a pixel."""
        return self.field_mm / self.size

    def across(
        self, x: Float32[np.ndarray, "*shape"], z: Float32[np.ndarray, "*shape"]
    ) -> Float32[np.ndarray, "*shape"]:
        """Return the place across the film, in millimetres, of points of the patient."""
        cos, sin = floats(np.cos(self.turn)), floats(np.sin(self.turn))
        return floats(sin * x - cos * z if self.is_lateral else cos * x + sin * z)

    def to_pixels(
        self, points: Points
    ) -> tuple[Float32[np.ndarray, " points"], Float32[np.ndarray, " points"]]:
        """Return columns and rows, in pixels, of points of the patient."""
        u = self.across(points[:, 0], points[:, 2]) - floats(self.centre[0])
        y = points[:, 1] - floats(self.centre[1])
        cos, sin = floats(np.cos(self.tilt)), floats(np.sin(self.tilt))
        middle = floats((self.size - 1) / 2)
        return (cos * u - sin * y) / self.pitch + middle, (sin * u + cos * y) / self.pitch + middle


@final
@dataclass(frozen=True, eq=False)
class Interval:
    """Where each ray is inside a convex solid, from `near` to `far`; empty where they are equal.

    >>> a = Interval(np.float32([[0.0]]), np.float32([[10.0]]))
    >>> b = Interval(np.float32([[4.0]]), np.float32([[20.0]]))
    >>> a.overlap(b)
    array([[6.]], dtype=float32)
    """

    near: Image
    far: Image

    @property
    def length(self) -> Image:
        """Millimetres inside."""
        return floats(np.maximum(self.far - self.near, 0))

    def meet(self, other: "Interval") -> "Interval":
        """Return where rays are inside both."""
        near = np.maximum(self.near, other.near)
        return Interval(near, np.maximum(np.minimum(self.far, other.far), near))

    def overlap(self, other: "Interval") -> Image:
        """Return the millimetres inside both."""
        length = np.minimum(self.far, other.far) - np.maximum(self.near, other.near)
        return floats(np.maximum(length, 0))


@final
@dataclass(frozen=True, eq=False)
class Stack:
    """A solid as a stack of flat, rounded cross-sections, one at each height.

    A cross-section spans `low` to `high` in x and `centre ± depth` in z. Its outline is
    |t|^power + (z/depth)^2 = 1, t from -1 at `low` to 1 at `high`, with a power for each half:
    2 is an ellipse, more is boxier.

    >>> tube = Stack.tube(x=0.0, z=0.0, radius=10.0)
    >>> film = Projection(3, 30.0, (0.0, 0.0))
    >>> tube.cut(film).length[1].round(1)
    array([ 0., 20.,  0.], dtype=float32)
    """

    low: Table
    high: Table
    centre: Table
    depth: Table
    low_power: float = 2.0
    high_power: float = 2.0

    @classmethod
    def tube(cls, x: float, z: float, radius: float) -> "Stack":
        """Return an endless upright cylinder."""
        flat = np.ones_like(LEVELS_Y)
        return cls((x - radius) * flat, (x + radius) * flat, z * flat, radius * flat)

    @classmethod
    def ellipsoid(
        cls,
        middle: Float32[np.ndarray, " 3"],
        radii: Float32[np.ndarray, " 3"],
    ) -> "Stack":
        """Return an ellipsoid with its axes along x, y and z."""
        up = (LEVELS_Y - middle[1]) / radii[1]
        share = np.sqrt(np.maximum(1 - up * up, 0))
        across, flat = radii[0] * share, np.ones_like(share)
        return cls(middle[0] - across, middle[0] + across, middle[2] * flat, radii[2] * share)

    def inset(self, margin: float) -> "Stack":
        """Return the solid shrunken by `margin` millimetres across and in depth."""
        middle, half = (self.low + self.high) / 2, (self.high - self.low) / 2
        half = np.maximum(half - margin, 0)
        depth = np.maximum(self.depth - margin, 0)
        return Stack(
            middle - half, middle + half, self.centre, depth, self.low_power, self.high_power
        )

    def lowered(self, drop: float) -> "Stack":
        """Return the solid moved down by `drop` millimetres."""
        rows = np.clip(np.arange(len(LEVELS_Y)) - round(drop / STEP), 0, None)
        tables = [table[rows] for table in (self.low, self.high, self.centre, self.depth)]
        return Stack(tables[0], tables[1], tables[2], tables[3], self.low_power, self.high_power)

    def cut(self, film: Projection, warp: Image | None = None) -> Interval:
        """Return where the rays of `film` are inside; `warp` shifts them across, in millimetres."""
        if film.is_lateral:
            return self._cut_sideways(film, warp)
        rows = film.rows
        half = np.maximum((self.high - self.low) / 2, 1e-3)
        turn = film.across((self.low + self.high) / 2, self.centre)
        u = film.u if warp is None else film.u + warp
        share = (u - turn[rows]) / half[rows]
        square = np.minimum(np.abs(share), 1)
        if self.low_power == self.high_power:
            square = _power(square, self.low_power)
        else:
            square = np.where(
                share < 0, _power(square, self.low_power), _power(square, self.high_power)
            )
        reach = self.depth[rows] * np.sqrt(1 - square)
        centre = self.centre[rows]
        return Interval(centre - reach, centre + reach)

    def _cut_sideways(self, film: Projection, warp: Image | None) -> Interval:
        rows = film.rows
        middle, half = (self.low + self.high) / 2, (self.high - self.low) / 2
        turn = film.across(middle, self.centre)
        u = film.u if warp is None else film.u + warp
        share = (u - turn[rows]) / np.maximum(self.depth, 1e-3)[rows]
        rest = np.maximum(1 - share * share, 0)
        low = _power(rest, 1 / self.low_power)
        high = low if self.low_power == self.high_power else _power(rest, 1 / self.high_power)
        middle, half = middle[rows], half[rows]
        return Interval(middle - half * low, middle + half * high)

    def contains(self, points: Points) -> Float32[np.ndarray, " points"]:
        """Return 1 well inside, 0 outside, for points of the patient; soft over 6 mm."""
        y = points[:, 1]
        low, high = at_height(self.low, y), at_height(self.high, y)
        half = np.maximum((high - low) / 2, 1e-3)
        depth = np.maximum(at_height(self.depth, y), 1e-3)
        share = (points[:, 0] - (low + high) / 2) / half
        power = np.where(share < 0, self.low_power, self.high_power)
        square = np.minimum(np.abs(share), 2) ** power
        along = (points[:, 2] - at_height(self.centre, y)) / depth
        inside = (1 - np.sqrt(square + along * along)) * np.minimum(half, depth) / 6
        return floats(np.clip(inside + 0.5, 0, 1).astype(np.float32))


def _power(base: Image, power: float) -> Image:
    if power == 2.0:
        return floats(base * base)
    if power == 0.5:
        return floats(np.sqrt(base))
    return floats(base ** floats(power))
