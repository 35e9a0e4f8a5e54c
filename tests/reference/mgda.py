"""The point nearest to zero in the hull of the task gradients, by bounded least squares.

min ‖Σ w_k h_k‖ over the simplex is the cone problem min ‖(Σ x_k h_k, Σ x_k − 1)‖ over x ≥ 0, scaled
to Σ w = 1; the two have the same optimal ratios.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import lsq_linear

Array = NDArray[np.float64]


def nearest_point(h: Array) -> Array:
    """Return w over the simplex that minimises ‖Σ w_k h_k‖."""
    scale = np.linalg.norm(h, axis=1).max()
    lifted = np.vstack([h.T / scale, np.ones(len(h))])
    side = np.zeros(len(lifted))
    side[-1] = 1.0
    x = lsq_linear(lifted, side, bounds=(0, np.inf), method="bvls", tol=1e-15).x
    return np.asarray(x / x.sum())


def mgda(g: Array, s: Array) -> Array:
    """Return Σ w_k h_k, h_k = g_k/s_k, scaled to a convex combination of the rows of g."""
    w = nearest_point(g / s[:, None])
    return np.asarray((w / s) @ g / (w / s).sum())
