"""What is done to an 8-bit grey image: resize, crop, mirror, turn, enlarge, brighten.

Pillow resizes and turns. On one core it needs 0.22 ms to shrink a film of 256 x 312 to 224 x 224;
torch on bytes needs 0.15 ms, on bytes of 32 channels at once 0.31 ms, and turns more slowly.
"""

import numpy as np
from jaxtyping import UInt8
from PIL import Image

Grey = UInt8[np.ndarray, "height width"]


def resize(pixels: Grey, shape: tuple[int, int]) -> UInt8[np.ndarray, "rows columns"]:
    """Return the image stretched to `shape` (rows, columns), bilinear, antialiased.

    >>> resize(np.array([[0, 100]], dtype=np.uint8), (1, 1))
    array([[50]], dtype=uint8)
    """
    if pixels.shape == shape:
        return pixels
    resized = Image.fromarray(pixels).resize(shape[::-1], Image.Resampling.BILINEAR)
    return np.asarray(resized)  # pillow's bilinear widens its support when shrinking: antialiased


def resize_short_side(pixels: Grey, short_side: int) -> UInt8[np.ndarray, "rows columns"]:
    """Return the image with its short side of `short_side` pixels, aspect kept.

    >>> resize_short_side(np.zeros((30, 20), dtype=np.uint8), 10).shape
    (15, 10)
    """
    shorter = min(pixels.shape)
    height, width = (max(short_side, round(side * short_side / shorter)) for side in pixels.shape)
    return resize(pixels, (height, width))


def crop(pixels: Grey, size: int, top: float, left: float) -> UInt8[np.ndarray, "size size"]:
    """Return a square window.

    Args:
        pixels: No side below `size`.
        size: Pixels a side.
        top: Where among the windows that fit, from 0 (the first row) to below 1 (the last).
        left: The same of columns.

    >>> crop(np.arange(16, dtype=np.uint8).reshape(4, 4), 2, top=0.0, left=0.9)
    array([[2, 3],
           [6, 7]], dtype=uint8)
    """
    height, width = pixels.shape
    return _window(pixels, size, int(top * (height - size + 1)), int(left * (width - size + 1)))


def centre_crop(pixels: Grey, size: int) -> UInt8[np.ndarray, "size size"]:
    """Return the square window in the middle; no side may be below `size`.

    >>> centre_crop(np.arange(16, dtype=np.uint8).reshape(4, 4), 2)
    array([[ 5,  6],
           [ 9, 10]], dtype=uint8)
    """
    height, width = pixels.shape
    return _window(pixels, size, (height - size) // 2, (width - size) // 2)


def mirror(pixels: Grey) -> UInt8[np.ndarray, "height width"]:
    """Return the image with left and right exchanged.

    >>> mirror(np.array([[1, 2, 3]], dtype=np.uint8))
    array([[3, 2, 1]], dtype=uint8)
    """
    return pixels[:, ::-1]


def rotate(pixels: Grey, angle: float) -> UInt8[np.ndarray, "height width"]:
    """Return the image turned about its centre, black where it had nothing.

    Args:
        pixels: Grey values.
        angle: Degrees, anticlockwise.

    >>> rotate(np.array([[1, 2], [3, 4]], dtype=np.uint8), 90.0)
    array([[2, 4],
           [1, 3]], dtype=uint8)
    """
    return np.asarray(Image.fromarray(pixels).rotate(angle, Image.Resampling.BILINEAR))


def zoom(pixels: Grey, factor: float) -> UInt8[np.ndarray, "height width"]:
    """Return the image enlarged about its centre, of the same shape, black where it had nothing.

    Args:
        pixels: Grey values.
        factor: Above 1 cuts the margins off, below 1 leaves them black.

    >>> zoom(np.full((4, 4), 9, dtype=np.uint8), 0.5)[0]
    array([0, 0, 0, 0], dtype=uint8)
    >>> zoom(np.array([[1, 2], [3, 4]], dtype=np.uint8), 1.0)
    array([[1, 2],
           [3, 4]], dtype=uint8)
    """
    height, width = pixels.shape
    left, top = (side / 2 * (1 - 1 / factor) for side in (width, height))
    change = (1 / factor, 0.0, left, 0.0, 1 / factor, top)
    image = Image.fromarray(pixels)
    zoomed = image.transform(image.size, Image.Transform.AFFINE, change, Image.Resampling.BILINEAR)
    return np.asarray(zoomed)


def adjust(
    pixels: Grey, brightness: float = 1.0, contrast: float = 1.0
) -> UInt8[np.ndarray, "height width"]:
    """Return the grey values times `brightness`, then `contrast` times as far from their mean.

    The result is rounded and cut to 0 to 255.

    >>> adjust(np.array([[50, 150]], dtype=np.uint8), brightness=1.2, contrast=0.5)
    array([[ 90, 150]], dtype=uint8)
    """
    mean = float(pixels.mean()) * brightness if contrast != 1.0 else 0.0
    values = np.arange(256) * brightness
    table = (mean + contrast * (values - mean)).round().clip(0, 255).astype(np.uint8)
    return np.take(table, pixels)


def _window(pixels: Grey, size: int, row: int, column: int) -> UInt8[np.ndarray, "size size"]:
    return pixels[row : row + size, column : column + size]
