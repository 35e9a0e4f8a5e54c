"""Radiographs and heat maps as small PNG files, and as data URIs of a page."""

import base64
import io

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

LEVELS = 48
"""Steps of the heat scale: enough to look smooth, few enough to compress well."""

_STOPS = (0.0, 0.25, 0.5, 0.75, 1.0)
_COLOURS = ((76, 29, 149), (157, 38, 130), (225, 77, 80), (250, 150, 50), (255, 226, 100))
_OPACITIES = (0, 70, 130, 165, 190)


def film_png(pixels: UInt8[np.ndarray, "height width"]) -> bytes:
    """Return a radiograph as PNG.

    >>> film_png(np.zeros((2, 2), dtype=np.uint8))[1:4]
    b'PNG'
    """
    return _png(Image.fromarray(pixels))


def heat_png(heat: Float[np.ndarray, "height width"]) -> bytes:
    """Return a heat map as PNG that lies over an image: clear where cold, bright where hot.

    Args:
        heat: From 0 to 1.

    >>> Image.open(io.BytesIO(heat_png(np.eye(2)))).convert("RGBA").getpixel((1, 0))[3]
    0
    """
    colours, opacities = _scale()
    image = Image.fromarray((heat.clip(0, 1) * (LEVELS - 1)).round().astype(np.uint8))
    image.putpalette(colours.tobytes())
    return _png(image, transparency=opacities.tobytes())


def overlay(
    pixels: UInt8[np.ndarray, "height width"], heat: Float[np.ndarray, "rows columns"]
) -> Image.Image:
    """Return the radiograph with the heat map on it, in colour.

    Raises:
        ValueError: If the two differ in size.

    >>> overlay(np.zeros((4, 3), dtype=np.uint8), np.ones((4, 3))).getpixel((0, 0))
    (190, 168, 75)
    """
    if pixels.shape != heat.shape:
        raise ValueError(
            f"the heat map must have the size {pixels.shape} of the image, got {heat.shape}"
        )
    film = Image.fromarray(pixels).convert("RGBA")
    with Image.open(io.BytesIO(heat_png(heat))) as layer:
        return Image.alpha_composite(film, layer.convert("RGBA")).convert("RGB")


def overlay_png(
    pixels: UInt8[np.ndarray, "height width"], heat: Float[np.ndarray, "rows columns"]
) -> bytes:
    """Return the radiograph with the heat map on it as PNG.

    >>> overlay_png(np.zeros((4, 3), dtype=np.uint8), np.ones((4, 3)))[1:4]
    b'PNG'
    """
    return _png(overlay(pixels, heat))


def data_uri(png: bytes) -> str:
    """Return a PNG as a data URI.

    >>> data_uri(b"x")
    'data:image/png;base64,eA=='
    """
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")


def _scale() -> tuple[UInt8[np.ndarray, "levels 3"], UInt8[np.ndarray, " levels"]]:
    at = np.linspace(0, 1, LEVELS)
    channels = [np.interp(at, _STOPS, channel) for channel in zip(*_COLOURS, strict=True)]
    return np.stack(channels, axis=1).astype(np.uint8), np.interp(at, _STOPS, _OPACITIES).astype(
        np.uint8
    )


def _png(image: Image.Image, **options: bytes) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True, **options)
    return buffer.getvalue()
