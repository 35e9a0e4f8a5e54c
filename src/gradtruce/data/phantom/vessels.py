"""Airways and the branching vessels of the lungs."""

from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float32

from gradtruce.data.phantom.anatomy import SIGN, Anatomy, Side
from gradtruce.data.phantom.chest import Chest
from gradtruce.data.phantom.rays import Points, floats
from gradtruce.data.phantom.strands import Strands

_SHARES = (0.0, 0.34, 0.67, 1.0)
_TARGETS = floats(
    [
        (52, 22, -25), (80, 42, -60), (86, 50, 30), (104, 88, -20), (108, 120, 45),
        (112, 140, -55), (104, 182, 25), (84, 216, -60), (58, 226, -48), (104, 214, -15),
    ]
)  # fmt: skip
"""Ends of the main branches of a right lung, in reference millimetres with x outwards."""
HILUM = {"left": (34.0, 98.0, -22.0), "right": (32.0, 108.0, -18.0)}


@final
@dataclass(frozen=True, eq=False)
class Tree:
    """The vessels of one lung: curved branches from thick to thin.

    Attributes:
        corners: Four points along each branch, in reference millimetres with x outwards.
        radius: At the two ends of each branch, in millimetres.

    >>> tree = Tree.grow(np.random.default_rng(0), "left")
    >>> tree.corners.shape[1:], tree.radius.shape[1]
    ((4, 3), 2)
    """

    corners: Float32[np.ndarray, "branches 4 3"]
    radius: Float32[np.ndarray, "branches 2"]

    @classmethod
    def grow(cls, rng: np.random.Generator, side: Side, forks: int = 5) -> "Tree":
        """Return random vessels; each branch forks in two, `forks` times."""
        root = floats(HILUM[side])
        count = len(_TARGETS)
        end = _TARGETS + rng.normal(0, 7, (count, 3))
        start = root + rng.normal(0, (4, 9, 5), (count, 3)) + 0.06 * (end - root)
        thick = rng.uniform(3.2, 4.6, count) * (1 + 0.15 * (end[:, 1] > 120))
        length = 0.42 * np.linalg.norm(end - start, axis=1)
        way = (end - start) / np.linalg.norm(end - start, axis=1, keepdims=True)
        branches, girths = [], []
        for _ in range(forks + 1):
            bend = rng.normal(0, 0.16, way.shape)
            turned = way + bend
            turned /= np.linalg.norm(turned, axis=1, keepdims=True)
            shares = floats(_SHARES)[:, None, None]
            path = start + shares * length[:, None] * (way * (1 - shares) + turned * shares)
            branches.append(path.transpose(1, 0, 2))
            girths.append(np.stack([thick, 0.82 * thick], 1))
            start, way = np.repeat(path[-1], 2, axis=0), np.repeat(turned, 2, axis=0)
            swing = rng.normal(0, 1, way.shape)
            swing -= (swing * way).sum(1, keepdims=True) * way
            swing /= np.linalg.norm(swing, axis=1, keepdims=True)
            swing[1::2] = -swing[::2]
            angle = rng.uniform(0.2, 0.62, len(way))[:, None]
            way = np.cos(angle) * way + np.sin(angle) * swing
            length = np.repeat(length, 2) * rng.uniform(0.62, 0.95, len(way))
            thick = np.repeat(thick, 2) * rng.uniform(0.62, 0.8, len(way))
        corners = np.concatenate(branches).astype(np.float32)
        return cls(corners, np.concatenate(girths).astype(np.float32))

    @classmethod
    def of(cls, anatomy: Anatomy, side: Side) -> "Tree":
        """Return the vessels of a patient, the same in every study."""
        return cls.grow(np.random.default_rng([anatomy.seed, 3, int(side == "left")]), side)

    def strands(self, chest: Chest, side: Side, spacing: float) -> Strands:
        """Return the vessels inside the chest's lung, points about `spacing` mm apart."""
        scale = floats(chest.scale) * floats([SIGN[side], 1, 1])
        corners = self.corners * scale + floats([chest.shift * 0.6, 0, 0])
        length = np.linalg.norm(corners[:, -1] - corners[:, 0], axis=1)
        parts = []
        for group in np.array_split(np.argsort(length), 5):
            count = max(int(length[group].mean() / spacing) + 1, 3)
            share = ((np.arange(count, dtype=np.float32) + 0.5) / count)[:, None, None]
            points = _bezier(corners[group], share).reshape(-1, 3)
            first, last = self.radius[group, 0], self.radius[group, 1]
            radius = (first + (last - first) * share[:, :, 0]).reshape(-1)
            step = np.tile(length[group] / count, count)
            parts.append(Strands(points, radius, floats(np.pi) * radius**2 * step))
        tree = Strands.join(parts)
        return tree.weighted(chest.lungs[side].contains(tree.points))


def _bezier(
    corners: Float32[np.ndarray, "branches 4 3"], share: Float32[np.ndarray, "count 1 1"]
) -> Float32[np.ndarray, "count branches 3"]:
    rest = 1 - share
    a, b, c, d = (corners[:, i] for i in range(4))
    return floats(rest**3 * a + 3 * rest**2 * share * b + 3 * rest * share**2 * c + share**3 * d)


def hilum(chest: Chest, side: Side, spacing: float) -> Strands:
    """Return the thick vessels of the root of one lung."""
    x, y, z = HILUM[side]
    sign = SIGN[side]
    rng = np.random.default_rng([chest.anatomy.seed, 11, int(side == "left")])
    jitter = rng.normal(0, 2.0, (5, 3))
    down = [(x - 14, y - 4, z), (x - 2, y - 6, z), (x + 6, y + 14, z - 8), (x + 9, y + 40, z - 16)]
    up = [(x - 8, y - 2, z + 6), (x + 4, y - 18, z + 4), (x + 12, y - 38, z - 4)]
    flip = floats(chest.scale) * floats([sign, 1, 1])
    move = floats([chest.shift, 0, 0])
    return Strands.join(
        (
            Strands.along(
                floats(down + jitter[:4]) * flip + move,
                floats([9, 8.5, 7, 3.8]) * chest.anatomy.vessels, spacing, 0.8,
            ),
            Strands.along(
                floats(up + jitter[:3]) * flip + move,
                floats([7, 5.5, 3.2]) * chest.anatomy.vessels, spacing, 0.8,
            ),
        )
    )  # fmt: skip


def airway_paths(chest: Chest) -> tuple[Points, Points, Points]:
    """Return the middle lines of the windpipe and the right and left main bronchus."""
    push = chest.shift
    x = 1 - 2.5 * chest.anatomy.knob
    carina = (x + push, 84.0, -24.0)
    trachea = [(0.0, -150.0, 8.0), (0.0, -40.0, -8.0), (0.4 * push, 10.0, -14.0)]
    trachea += [(x - 3 * chest.anatomy.knob + 0.9 * push, 62.0, -21.0), carina]
    right = [carina, (-16 + push, 100.0, -24.0), (-34 + push, 124.0, -26.0)]
    left = [carina, (22 + push, 104.0, -24.0), (44 + push, 122.0, -28.0)]
    scale = floats((1.0, chest.scale[1], chest.scale[2]))
    return floats(trachea) * scale, floats(right) * scale, floats(left) * scale


def airways(chest: Chest, spacing: float) -> Strands:
    """Return the air inside windpipe and main bronchi, as tissue taken away."""
    trachea, right, left = airway_paths(chest)
    return Strands.join(
        (
            Strands.along(trachea, 8.6, spacing, -1.0),
            Strands.along(right, floats([7.5, 6.5, 5.0]), spacing, -0.9),
            Strands.along(left, floats([7.0, 5.8, 4.5]), spacing, -0.9),
        )
    )
