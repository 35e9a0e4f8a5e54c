"""What one image file holds: the grey values, and the few facts about them that are kept."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import UInt8

from gradtruce.data.study import ViewPosition

Kind = Literal["png", "jpeg", "dicom"]

SHORT_SIDE = 256
"""Short side in pixels that prepared views have, unless asked."""

MAX_PIXELS = 64_000_000
"""Largest image read: a 200-byte PNG can claim gigapixels, a radiograph has 5 to 20 million."""

MAX_BYTES = 4 * MAX_PIXELS
"""Largest file read: 16 bits a pixel of the largest image, twice."""


@dataclass(frozen=True, eq=False)
class Film:
    """One radiograph as read from a file; nothing else of the file is kept.

    Attributes:
        pixels: 8-bit grey, 0 black (air) to 255 white (bone, metal).
        position: From which side it was taken, where the header says so in a standard field.
        burned_in: Whether text is burned into the pixels; `None` where the file does not say.
        lossy: Whether it was ever compressed with loss, as far as the file shows.
        kind: What the content is, whatever the name of the file ends in.
        grey: How stored values became grey, such as "VOI window 1 of 2".
        notes: What was done beyond that, and oddities met; fixed phrases, never text of the file.

    >>> Film(np.zeros((2, 3), dtype=np.uint8), "unknown", None, lossy=False, kind="png").grey
    '8 bits'
    """

    pixels: UInt8[np.ndarray, "height width"]
    position: ViewPosition
    burned_in: bool | None
    lossy: bool
    kind: Kind = "png"
    grey: str = "8 bits"
    notes: tuple[str, ...] = ()


class UnfitImageError(Exception):
    """An image that must not be taken; the message says why and what to do, but names no file."""


def refuse_bomb(width: int, height: int) -> None:
    """Raise unless an image of that size may be decoded.

    Raises:
        UnfitImageError: If it has more than `MAX_PIXELS` pixels, or none.

    >>> refuse_bomb(2544, 3056)
    """
    if width * height > MAX_PIXELS:
        raise bomb_error()
    if width < 1 or height < 1:
        raise UnfitImageError("an image without pixels; replace it or leave it out")


def bomb_error() -> UnfitImageError:
    """Return the error for an image of too many pixels.

    >>> bomb_error()
    UnfitImageError('more than 64,000,000 pixels; shrink it or leave it out')
    """
    return UnfitImageError(f"more than {MAX_PIXELS:,} pixels; shrink it or leave it out")
