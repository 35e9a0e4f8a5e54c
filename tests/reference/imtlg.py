"""IMTL-G as in the paper: coefficients of sum 1, one and the same projection on every task."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def imtlg(g: Array) -> Array:
    """Return a, with α_{2:} = g_1 Uᵀ (D Uᵀ)⁻¹, D = g_1 − g_k and U = u_1 − u_k (eq. 6)."""
    u = g / np.linalg.norm(g, axis=1, keepdims=True)
    D, U = g[0] - g[1:], u[0] - u[1:]
    rest = g[0] @ U.T @ np.linalg.inv(D @ U.T)
    return np.concatenate([[1 - rest.sum()], rest])
