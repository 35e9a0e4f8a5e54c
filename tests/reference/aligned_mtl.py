"""Aligned-MTL from the singular value decomposition of the task gradients."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def aligned_mtl(g: Array, w: Array, scale: str = "min") -> Array:
    """Return the update Ĝᵀw with Ĝ = σ·U Vᵀ over the singular values that are there."""
    U, s, Vt = np.linalg.svd(g, full_matrices=False)
    there = s**2 > len(g) * 1.2e-7 * s.max() ** 2
    U, s, Vt = U[:, there], s[there], Vt[there]
    if not there.any():
        return np.zeros(g.shape[1])
    squares = np.sort(s**2)
    chosen = {
        "min": squares[0],
        "median": squares[(len(squares) - 1) // 2],
        "rmse": squares.mean(),
    }[scale]
    return np.asarray(np.sqrt(chosen) * w @ (U @ Vt))
