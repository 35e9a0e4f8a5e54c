"""Read a PNG or JPEG as 8-bit grey."""

import io
import math
import struct
import warnings
import zlib
from typing import Literal

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from gradtruce.data.images.film import Film, UnfitImageError, bomb_error, refuse_bomb
from gradtruce.data.images.shrink import shrunk
from gradtruce.data.images.whole import ends_early, jpeg_fault, png_fault

DAMAGED = (  # what pillow's readers raise on damaged files
    *(OSError, SyntaxError, ValueError, EOFError, IndexError, TypeError, KeyError),
    *(AttributeError, OverflowError, struct.error, zlib.error, UserWarning),
)
"""Errors that mean damaged content."""

_DEPTHS = (8, 10, 12, 14, 16)
_FAINTEST = 64
_MAX_SCANS = 100  # a progressive JPEG has about 10; each costs a pass over all pixels


def read_raster(
    content: bytes, kind: Literal["png", "jpeg"], short_side: int, notes: tuple[str, ...] = ()
) -> Film:
    """Return the film in the content of a PNG or JPEG file.

    Colour becomes luminance, transparency lies on black, EXIF orientation is applied. Of 16 bits
    the depth in use is the least of 8, 10, 12, 14 and 16 that holds the brightest value.

    Raises:
        UnfitImageError: If it is damaged, too large, or too dark to be what it claims.

    >>> buffer = io.BytesIO()
    >>> Image.fromarray(np.array([[0, 4095]], dtype=np.uint16)).save(buffer, "PNG")
    >>> film = read_raster(buffer.getvalue(), "png", 256)
    >>> film.pixels.tolist(), film.grey
    ([[0, 255]], '12 bits')
    """
    if kind == "jpeg" and content.count(b"\xff\xda") > _MAX_SCANS:
        raise UnfitImageError(f"a JPEG of more than {_MAX_SCANS} scans; save it again")
    reason = ""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)  # unreadable EXIF: which side is up?
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # ours is lower
            with Image.open(io.BytesIO(content), formats=(kind.upper(),)) as image:
                refuse_bomb(*image.size)
                _decode_smaller(image, short_side)
                _refuse_part(image, content, kind)
                grey, depth = _grey(image, has_wide_colour=_has_wide_colour(content, kind))
                return Film(
                    shrunk(grey, short_side),
                    position="unknown",
                    burned_in=None,
                    lossy=kind == "jpeg",
                    kind=kind,
                    grey=f"{depth} bits",
                    notes=notes,
                )
    except Image.DecompressionBombError:
        raise bomb_error() from None
    except UnidentifiedImageError:
        reason = "its header cannot be read"
    except DAMAGED as error:
        reason = " ".join(str(error).split()) or type(error).__name__
    raise UnfitImageError(f"damaged image ({reason}); replace it or leave it out")


def _refuse_part(image: Image.Image, content: bytes, kind: str) -> None:
    """Decode, and raise where the decoder had to make up what the file lacks."""
    fault = png_fault(content) if kind == "png" else jpeg_fault(content)
    if fault:
        raise OSError(fault)
    image.load()
    if kind == "jpeg" and ends_early(content, image):
        raise OSError("its pixels run out before its end")


def _decode_smaller(image: Image.Image, short_side: int) -> None:
    """Let a large JPEG be decoded at 1/2, 1/4 or 1/8, at least twice the size that is needed."""
    scale = 2 * short_side / min(image.size)
    if scale < 1:
        width, height = image.size
        image.draft(None, (math.ceil(width * scale), math.ceil(height * scale)))


def _has_wide_colour(content: bytes, kind: str) -> bool:
    """Return whether it is a PNG of 16 bits with colour or alpha, of which pillow keeps 8."""
    return kind == "png" and content[24:25] == b"\x10" and content[25:26] != b"\0"


def _grey(image: Image.Image, *, has_wide_colour: bool) -> tuple[Image.Image, int]:
    """Return the image in mode L, upright, and how many bits its values use."""
    upright = ImageOps.exif_transpose(image)
    if upright.mode.startswith("I"):
        return _from_sixteen_bits(upright)
    if upright.mode != "RGB" and upright.has_transparency_data:
        rgba = upright.convert("RGBA")
        black = Image.new("RGBA", rgba.size, (0, 0, 0, 255))
        upright = Image.alpha_composite(black, rgba)
    grey = upright.convert("L")
    if has_wide_colour and int(np.asarray(grey).max()) < _FAINTEST:
        raise UnfitImageError(
            "a PNG of 16 bits with colour or alpha that is almost black: it seems to hold fewer "
            "bits; save it as 16-bit grey without alpha"
        )
    return grey, 16 if has_wide_colour else 8


def _from_sixteen_bits(image: Image.Image) -> tuple[Image.Image, int]:
    values = np.asarray(image).clip(0, 65_535).astype(np.uint32)
    brightest = int(values.max())
    depth = next(bits for bits in _DEPTHS if brightest < 1 << bits)
    return Image.fromarray((values * 255 // ((1 << depth) - 1)).astype(np.uint8)), depth
