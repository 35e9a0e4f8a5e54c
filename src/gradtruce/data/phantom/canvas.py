"""One film in the making: the thickness of each material along its rays."""

from collections.abc import Sequence
from typing import Final, final

import numpy as np
from jaxtyping import Float32

from gradtruce.data.phantom.anatomy import Side
from gradtruce.data.phantom.chest import Chest
from gradtruce.data.phantom.level import Level
from gradtruce.data.phantom.rays import Image, Interval, Projection, Stack, floats
from gradtruce.data.phantom.strands import Strands
from gradtruce.data.phantom.texture import clouds

SOFT: Final = 0.0195
BONE: Final = 0.046
METAL: Final = 0.5
"""Attenuation a millimetre; that of bone comes on top of the tissue that it lies in."""
_THICK_BONE: Final = 18.0
LUNG_DENSITY: Final = 0.14
"""Tissue in a millimetre of aerated lung without its larger vessels."""


@final
class Canvas:
    """Collects what lies along each ray of one film, normal parts first, then findings.

    A finding that fills air with fluid can't add more than there is air: so opacities saturate
    instead of burning white, and a heart border next to a filled lung vanishes by itself.

    Args:
        chest: The patient's solids.
        film: Where the pixels lie.
        level: Difficulty.

    >>> from gradtruce.data.phantom.anatomy import Anatomy, Pose
    >>> from gradtruce.data.phantom.chest import build_chest
    >>> from gradtruce.data.phantom.level import LEVELS
    >>> rng = np.random.default_rng(0)
    >>> chest = build_chest(Anatomy.draw(rng), Pose.draw(rng, LEVELS["easy"]))
    >>> canvas = Canvas(chest, Projection(64, 370.0, (0.0, 140.0)), LEVELS["easy"])
    >>> bool(canvas.air["left"].max() > 100)
    True
    """

    def __init__(self, chest: Chest, film: Projection, level: Level) -> None:
        self.chest = chest
        self.film = film
        self.level = level
        self.spacing = spacing_for(film.pitch)
        self.rooms: dict[Side, Interval] = {
            side: chest.cavity[side].cut(film) for side in ("left", "right")
        }
        self._solids: dict[Stack, Interval] = {}
        self.air: dict[Side, Image] = {
            side: self.inside(side, room) for side, room in self.rooms.items()
        }
        self.tissue = np.zeros((film.size, film.size), np.float32)
        self.vessels = np.zeros_like(self.tissue)
        self.fluid = np.zeros_like(self.tissue)
        self.gas = np.zeros_like(self.tissue)
        self.bone = np.zeros_like(self.tissue)
        self.metal = np.zeros_like(self.tissue)

    def cut(self, solid: Stack) -> Interval:
        """Return where the rays are inside a solid of the chest; each is cut once."""
        found = self._solids.get(solid)
        if found is None:
            found = self._solids[solid] = solid.cut(self.film)
        return found

    def inside(self, side: Side, region: Interval) -> Image:
        """Return the millimetres of one side's cavity inside `region`, without solid organs."""
        part = self.rooms[side].meet(region)
        solids = [self.cut(solid) for solid in self.chest.solids(side)]
        return floats(np.maximum(part.length - union(part, solids), 0))

    @property
    def aeration(self) -> Image:
        """Millimetres of lung or pleural air on each ray before any finding."""
        return floats(self.air["left"] + self.air["right"])

    def strands(self, strands: Strands) -> Image:
        """Return the thickness that strands add to the rays."""
        return strands.draw(self.film)

    def clouds(self, seed: Sequence[int], grain: float) -> Image:
        """Return smooth random texture of about unit spread; `grain` is its scale in mm."""
        return clouds(seed, self.film.size, self.film.field_mm / grain)

    def attenuation(self) -> Image:
        """Return the attenuation of each ray, all materials together."""
        aeration = np.maximum(self.aeration, 1e-3)
        wet = self.fluid + self.vessels
        left = aeration * np.exp(-wet / aeration)
        left = left * (1 - LUNG_DENSITY) + self.gas
        soft = np.maximum(self.tissue - left, 0)
        bone = _THICK_BONE * (1 - np.exp(-self.bone / _THICK_BONE))
        return floats(SOFT * soft + BONE * bone + METAL * self.metal)


def spacing_for(pitch: float) -> float:
    """Return how far apart, in millimetres, the points of a strand lie on a film.

    >>> spacing_for(3.0)
    2.25
    """
    return max(0.75 * pitch, 1.0)


def union(part: Interval, solids: Sequence[Interval]) -> Float32[np.ndarray, "height width"]:
    """Return the millimetres of `part` covered by any solid.

    Exact where the solids come in order, from near to far or back; else a little too small.

    >>> part = Interval(np.float32([[0.0]]), np.float32([[10.0]]))
    >>> one = Interval(np.float32([[2.0]]), np.float32([[6.0]]))
    >>> two = Interval(np.float32([[4.0]]), np.float32([[8.0]]))
    >>> float(union(part, [one, two])[0, 0])
    6.0
    """
    return floats(
        np.maximum(_sweep(part, solids), _sweep(_flip(part), [_flip(solid) for solid in solids]))
    )


def _flip(interval: Interval) -> Interval:
    return Interval(-interval.far, -interval.near)


def _sweep(part: Interval, solids: Sequence[Interval]) -> Image:
    reached = part.near
    covered = np.zeros_like(reached)
    for solid in solids:
        far = np.minimum(solid.far, part.far)
        piece = far - np.maximum(solid.near, reached)
        covered += np.maximum(piece, 0)
        reached = np.where((solid.far > solid.near) & (piece > 0), far, reached)
    return covered
