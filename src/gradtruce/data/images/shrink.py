"""Shrink a grey image to its short side, with square pixels; never enlarge it."""

import numpy as np
from jaxtyping import UInt8
from PIL import Image


def shrunk(
    image: Image.Image, short_side: int, tallness: float = 1.0
) -> UInt8[np.ndarray, "height width"]:
    """Return the image with a short side of at most `short_side` pixels (Lanczos, antialiased).

    Args:
        image: In mode L.
        short_side: In pixels.
        tallness: Height of a pixel through its width; the finer axis is shrunk to make it 1.

    >>> shrunk(Image.new("L", (600, 500)), 256).shape
    (256, 307)
    >>> shrunk(Image.new("L", (600, 500)), 256, tallness=2.0).shape
    (427, 256)
    """
    width = image.width / max(tallness, 1.0)
    height = image.height * min(tallness, 1.0)
    scale = min(1.0, short_side / min(width, height))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    if size != image.size:
        image = image.resize(size, Image.Resampling.LANCZOS)
    return np.asarray(image)
