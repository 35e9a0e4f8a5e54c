"""Keep a view in memory as it lies in a prepared set: lossless PNG, or JPEG where asked."""

import io

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from gradtruce.data.images.png import encode_png
from gradtruce.data.images.raster import DAMAGED


def encode_view(pixels: UInt8[np.ndarray, "height width"], jpeg: int | None = None) -> bytes:
    """Return the view as a PNG file in memory, or as a JPEG of that quality.

    Nothing but pixels is in it: no date, no comment, no EXIF.

    Args:
        pixels: 8-bit grey.
        jpeg: Quality from 1 to 100; `None` for lossless PNG.

    Raises:
        ValueError: If the quality is not from 1 to 100.

    >>> film = np.full((256, 256), 77, dtype=np.uint8)
    >>> encode_view(film)[1:4], encode_view(film, jpeg=95)[6:10]
    (b'PNG', b'JFIF')
    """
    if jpeg is None:
        return encode_png(pixels)
    if not 1 <= jpeg <= 100:
        raise ValueError(f"jpeg must be a quality from 1 to 100, got {jpeg}; 95 loses little")
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=jpeg, optimize=True)
    return buffer.getvalue()


def decode_view(data: bytes) -> UInt8[np.ndarray, "height width"]:
    """Return the pixels of a view that `encode_view` made.

    Raises:
        ValueError: If the bytes are not such a view, or damaged.

    >>> decode_view(encode_view(np.array([[0, 200]], dtype=np.uint8)))
    array([[  0, 200]], dtype=uint8)
    """
    try:
        with Image.open(io.BytesIO(data), formats=("PNG", "JPEG")) as image:
            pixels = np.asarray(image)
    except DAMAGED as error:
        raise ValueError(f"a stored view is damaged ({error}); prepare the set again") from None
    if pixels.dtype != np.uint8 or pixels.ndim != 2:
        raise ValueError("a stored view is not 8-bit grey; prepare the set again")
    return pixels
