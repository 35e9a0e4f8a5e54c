"""Smooth random fields."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32
from scipy import ndimage

from gradtruce.data.phantom.rays import floats


def clouds(
    seed: Sequence[int], size: int, waves: float, octaves: int = 3
) -> Float32[np.ndarray, "size size"]:
    """Return random clouds with zero mean and unit spread.

    The same seed gives the same clouds at any size. `waves` is how many of the largest clouds
    fit on a side; each further octave is half as large and .6 as strong.

    >>> field = clouds([1, 2], 64, 4.0)
    >>> abs(float(field.mean())) < 0.5, field.dtype
    (True, dtype('float32'))
    """
    rng = np.random.default_rng(list(seed))
    total = np.zeros((size, size), np.float32)
    norm, weight = 0.0, 1.0
    for octave in range(octaves):
        cells = max(round(waves * 2**octave), 1) + 3
        if cells > size:
            break
        grid = rng.standard_normal((cells, cells), dtype=np.float32)
        total += weight * _enlarge(grid, size, cells - 3)
        norm += weight**2
        weight *= 0.6
    return floats(total / floats(max(norm, 1e-6) ** 0.5 * 0.6))


def _enlarge(
    grid: Float32[np.ndarray, "cells cells"], size: int, spans: int
) -> Float32[np.ndarray, "size size"]:
    """Return a grid as a smooth image: cubic B-splines, as two matrix products."""
    place = np.linspace(0, spans, size, dtype=np.float32) * floats(1 - 1e-6)
    cell = place.astype(np.int32)
    t = place - cell
    basis = np.zeros((size, len(grid)), np.float32)
    row = np.arange(size)
    basis[row, cell] = (1 - t) ** 3 / 6
    basis[row, cell + 1] = (3 * t**3 - 6 * t**2 + 4) / 6
    basis[row, cell + 2] = (-3 * t**3 + 3 * t**2 + 3 * t + 1) / 6
    basis[row, np.minimum(cell + 3, len(grid) - 1)] += t**3 / 6
    return floats(basis @ grid @ basis.T)


def soften(
    image: Float32[np.ndarray, "size size"], sigma: float
) -> Float32[np.ndarray, "size size"]:
    """Return the image blurred by a wide Gaussian of `sigma` pixels, at a quarter of its size.

    >>> soften(np.ones((64, 64), np.float32), 8.0).shape
    (64, 64)
    """
    step = 4 if sigma >= 6 and len(image) >= 32 else 1
    if step == 1:
        return ndimage.gaussian_filter(image, sigma, truncate=2.5)
    size = len(image) // step * step
    small = image[:size, :size].reshape(size // step, step, size // step, step).mean((1, 3))
    small = ndimage.gaussian_filter(small, sigma / step, truncate=2.5)
    place = (np.arange(len(image), dtype=np.float32) + 0.5) / step - 0.5
    place = np.clip(place, 0, len(small) - 1.001)
    cell = place.astype(np.int32)
    t = (place - cell).astype(np.float32)
    rows = small[cell] * (1 - t)[:, None] + small[cell + 1] * t[:, None]
    return rows[:, cell] * (1 - t) + rows[:, cell + 1] * t
