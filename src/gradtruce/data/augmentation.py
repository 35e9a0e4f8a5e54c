"""Random changes of training views; a draw can be used again, so prior and current move alike."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, final

import numpy as np
from jaxtyping import UInt8

from gradtruce.data.pixels import adjust, crop, mirror, resize_short_side, rotate, zoom

R2GEN_MARGIN: Final = 256 / 224
"""R2Gen resizes to 256 and crops 224; other sizes keep the ratio."""


@final
@dataclass(frozen=True)
class Draw:
    """One random transform, in numbers that fit an image of any shape.

    Attributes:
        angle: Degrees, anticlockwise.
        top: Where the window lies among those that fit, from 0 to below 1.
        left: The same of columns.
        is_mirrored: Whether left and right are exchanged.
        brightness: Factor of the grey values.
        contrast: Factor of their distance from their mean.
        zoom: Factor of the size, about the centre.

    >>> Draw().angle, Draw().is_mirrored
    (0.0, False)
    """

    angle: float = 0.0
    top: float = 0.5
    left: float = 0.5
    is_mirrored: bool = False
    brightness: float = 1.0
    contrast: float = 1.0
    zoom: float = 1.0


@final
@dataclass(frozen=True)
class Augmentation:
    """What training does in place of a processor's `fit`: resize, random crop, and more if asked.

    `fit` gives the same each time, so the loader keeps it; `draw` is random; `apply` is not.

    Attributes:
        margin: The short side is resized to `margin` times the size before the crop.
        flip: Whether to flip half of the views left to right. R2Gen does; off here, because the
            text names sides.
        rotation: Largest angle in degrees.
        brightness: Largest relative change of the grey values.
        contrast: Largest relative change of their distance from their mean.
        zoom: Largest relative change of the size.
        moved: Share of the views that are turned and changed in size.

    Raises:
        ValueError: If a number is out of its range.

    >>> augmentation = Augmentation(brightness=0.1)
    >>> film = np.zeros((32, 20), dtype=np.uint8)
    >>> draw = augmentation.draw(np.random.default_rng(0))
    >>> augmentation.apply(augmentation.fit(film, 8), 8, draw).shape
    (8, 8)
    """

    margin: float = R2GEN_MARGIN
    flip: bool = False
    rotation: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    zoom: float = 0.0
    moved: float = 1.0

    def __post_init__(self) -> None:
        """Refuse what makes no image."""
        if self.margin < 1:
            raise ValueError(f"margin must be at least 1, got {self.margin}")
        if not 0 <= self.rotation <= 180:
            raise ValueError(f"rotation must be 0 to 180 degrees, got {self.rotation}")
        if not 0 <= self.moved <= 1:
            raise ValueError(f"moved must be 0 to 1, got {self.moved}")
        for name in ("brightness", "contrast", "zoom"):
            value = getattr(self, name)
            if not 0 <= value < 1:
                raise ValueError(f"{name} must be at least 0 and below 1, got {value}")

    def fit(
        self, pixels: UInt8[np.ndarray, "height width"], size: int
    ) -> UInt8[np.ndarray, "rows columns"]:
        """Return the view with its short side `margin` times the size."""
        return resize_short_side(pixels, round(size * self.margin))

    def draw(self, random: np.random.Generator) -> Draw:
        """Return a random transform.

        It takes six numbers of the generator, and two more where sizes change or not all views are
        moved; so what was drawn before there were sizes is drawn again.
        """
        turn, top, left, mirror, bright, contrast = random.random(6).tolist()
        size, move = random.random(2).tolist() if self.zoom or self.moved < 1 else (0.5, 0.0)
        is_moved = move < self.moved
        return Draw(
            angle=self.rotation * (2 * turn - 1) if is_moved else 0.0,
            top=top,
            left=left,
            is_mirrored=self.flip and mirror < 0.5,
            brightness=1 + self.brightness * (2 * bright - 1),
            contrast=1 + self.contrast * (2 * contrast - 1),
            zoom=1 + self.zoom * (2 * size - 1) if is_moved else 1.0,
        )

    def apply(
        self, fitted: UInt8[np.ndarray, "rows columns"], size: int, draw: Draw
    ) -> UInt8[np.ndarray, "size size"]:
        """Return the drawn window of a fitted view, after all else that was drawn."""
        if draw.angle:
            fitted = rotate(fitted, draw.angle)
        if draw.zoom != 1.0:
            fitted = zoom(fitted, draw.zoom)
        window = crop(fitted, size, draw.top, draw.left)
        if draw.is_mirrored:
            window = mirror(window)
        if draw.brightness != 1.0 or draw.contrast != 1.0:
            window = adjust(window, draw.brightness, draw.contrast)
        return window


AUGMENTATIONS: Final[Mapping[str, Augmentation | None]] = {
    "none": None,
    "crop": Augmentation(),
    "promptmrg": Augmentation(rotation=5.0),
    "camanet": Augmentation(rotation=10.0, zoom=0.2, moved=0.5),
    "r2gen": Augmentation(flip=True),
}
"""What `data.augmentation` may name. CAMANet's code turns and scales after the crop; here it is
done before, which leaves less black at the margins."""
