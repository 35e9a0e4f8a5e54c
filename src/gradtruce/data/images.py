"""Read a user's PNG or JPEG safely as 8-bit grey, and keep views and masks as lossless PNG."""

import io
import struct
import warnings
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np
from jaxtyping import Bool, UInt8
from PIL import Image, ImageOps, UnidentifiedImageError

MAX_PIXELS = 64_000_000
"""Largest image read: a 200-byte PNG can claim gigapixels, a radiograph has 5 to 20 million."""

SHORT_SIDE = 256
"""Short side in pixels that prepared views have, unless asked."""

_FORMATS = ("PNG", "JPEG")
_DAMAGED = (  # what pillow's readers raise on damaged files
    *(OSError, SyntaxError, ValueError, EOFError, IndexError, TypeError, KeyError),
    *(AttributeError, OverflowError, struct.error, zlib.error, UserWarning),
)
_FULL_SCALE = 65_535


def read_grey(path: str | Path, short_side: int = SHORT_SIDE) -> UInt8[np.ndarray, "height width"]:
    """Return the image as 8-bit grey, its short side at most `short_side` pixels.

    Colour becomes luminance, transparency lies on black, 16 bits become 8 by dividing the full
    scale, EXIF orientation is applied. The aspect is kept and nothing is ever enlarged.

    Args:
        path: A PNG or JPEG file.
        short_side: Short side in pixels after shrinking (Lanczos, antialiased).

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not a PNG or JPEG, is damaged, has more than `MAX_PIXELS` pixels, or
            holds fewer bits in a 16-bit file than that.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "film.png"
    ...     Image.new("L", (600, 500), 128).save(path)
    ...     read_grey(path).shape
    (256, 307)
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such image file")
    if path.suffix.lower() in {".dcm", ".dicom"}:
        raise ValueError(f"{path}: DICOM is not read yet; export it as PNG or JPEG")
    with path.open("rb") as stream:
        return _read(stream, path, short_side)


def encode_png(
    pixels: UInt8[np.ndarray, "height width"] | Bool[np.ndarray, "height width"],
) -> bytes:
    """Return the pixels as a PNG file in memory: 8-bit grey, or 1 bit a pixel for a mask.

    >>> decode_png(encode_png(np.array([[0, 7], [255, 1]], dtype=np.uint8)))
    array([[  0,   7],
           [255,   1]], dtype=uint8)
    """
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=3)  # 6: 10 % smaller, 40 % slower
    return buffer.getvalue()


def decode_png(data: bytes) -> UInt8[np.ndarray, "height width"] | Bool[np.ndarray, "height width"]:
    """Return the pixels of a PNG that `encode_png` made.

    >>> decode_png(encode_png(np.array([[True, False]])))
    array([[ True, False]])
    """
    with Image.open(io.BytesIO(data), formats=("PNG",)) as image:
        return np.asarray(image)


class _UnfitImageError(Exception):
    """An image that can be read but must not be taken."""


def _read(stream: BinaryIO, path: Path, short_side: int) -> UInt8[np.ndarray, "height width"]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)  # unreadable EXIF: which side is up?
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # ours is lower
            with Image.open(stream, formats=_FORMATS) as image:
                _refuse_bomb(image, path)
                return _shrunk(_grey(image, path), short_side)
    except _UnfitImageError as error:
        raise ValueError(str(error)) from None
    except UnidentifiedImageError:
        raise ValueError(
            f"{path}: not a PNG or JPEG image, or a damaged one; replace it or leave it out"
        ) from None
    except Image.DecompressionBombError:
        raise ValueError(_bomb_message(path)) from None
    except _DAMAGED as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"{path}: damaged image ({reason}); replace it or leave it out") from error


def _refuse_bomb(image: Image.Image, path: Path) -> None:
    if image.width * image.height > MAX_PIXELS:
        raise _UnfitImageError(_bomb_message(path))


def _bomb_message(path: Path) -> str:
    return f"{path}: more than {MAX_PIXELS:,} pixels; shrink it or leave it out"


def _grey(image: Image.Image, path: Path) -> Image.Image:
    """Return the image in mode L, upright."""
    upright = ImageOps.exif_transpose(image)
    if upright.mode.startswith("I"):
        return _from_sixteen_bits(upright, path)
    if upright.mode != "RGB" and upright.has_transparency_data:
        rgba = upright.convert("RGBA")
        black = Image.new("RGBA", rgba.size, (0, 0, 0, 255))
        return Image.alpha_composite(black, rgba).convert("L")
    return upright.convert("L")


def _from_sixteen_bits(image: Image.Image, path: Path) -> Image.Image:
    values = np.asarray(image).clip(0, _FULL_SCALE).astype(np.uint32)
    brightest = int(values.max())
    if brightest <= _FULL_SCALE // 8:  # 12-bit data would come out almost black
        raise _UnfitImageError(
            f"{path}: 16-bit image whose brightest value is {brightest:,} of {_FULL_SCALE:,}; "
            "it seems to hold fewer bits: stretch it to the full range"
        )
    return Image.fromarray((values * 255 // _FULL_SCALE).astype(np.uint8))


def _shrunk(image: Image.Image, short_side: int) -> UInt8[np.ndarray, "height width"]:
    shorter = min(image.size)
    if shorter > short_side:
        width, height = (max(1, round(side * short_side / shorter)) for side in image.size)
        image = image.resize((width, height), Image.Resampling.LANCZOS)
    return np.asarray(image)
