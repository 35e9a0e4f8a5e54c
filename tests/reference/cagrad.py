"""CAGrad in the paper's notation, slow and from the task gradients themselves."""

import numpy as np
from numpy.typing import NDArray

from tests.reference.came_grad import solve_dual

Array = NDArray[np.float64]


def cagrad(g: Array, *, c: float, divisor: float = 1.0) -> Array:
    """Return K·d/divisor, d the argmax of algorithm 1 for the task gradients in the rows of g."""
    g_0 = g.mean(0)
    phi = c**2 * float(g_0 @ g_0)
    g_w = solve_dual(g, g_0, phi) @ g
    norm = np.linalg.norm(g_w)
    stationary = norm <= 1e-6 * np.linalg.norm(g, axis=1).max()
    d = g_0 if stationary or phi == 0 else g_0 + np.sqrt(phi) / norm * g_w
    return np.asarray(len(g) * d / divisor)
