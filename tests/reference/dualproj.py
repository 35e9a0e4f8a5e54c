"""Projection onto the dual cone of the task gradients, by Moreau's decomposition.

{d: ⟨g_k, d⟩ ≥ 0 for all k} is the dual of the cone K that the g_k span, and the nearest point of it
to z is z + (the nearest point of K to −z), found by bounded least squares. (scipy 1.17's `nnls`
gives wrong results for orthogonal rows.)
"""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import lsq_linear

Array = NDArray[np.float64]


def onto_dual_cone(z: Array, g: Array) -> Array:
    """Return the nearest point to z whose inner products with all rows of g are not negative."""
    units = g / np.linalg.norm(g, axis=1, keepdims=True)
    size = np.linalg.norm(z)
    if size == 0:
        return z
    x = lsq_linear(units.T, -z / size, bounds=(0, np.inf), method="bvls", tol=1e-15).x
    return np.asarray(z + size * (x @ units))


def dualproj(g: Array) -> Array:
    """Return the projection of the sum of the rows."""
    return onto_dual_cone(g.sum(0), g)
