"""ConFIG from the pseudo-inverse of the matrix of unit gradients."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def con_fig(g: Array, w: Array) -> Array:
    """Return Σ w_k (g_k·g_u)·g_u with g_u the unit vector along U⁺w."""
    unit = np.array([row / np.linalg.norm(row) for row in g])
    direction = np.linalg.pinv(unit, rcond=float(np.sqrt(len(g) * 1.2e-7))) @ w
    g_u = direction / np.linalg.norm(direction)
    return np.asarray(sum(w_k * float(row @ g_u) for w_k, row in zip(w, g, strict=True)) * g_u)
