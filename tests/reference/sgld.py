"""The SGLD ablation in the paper's notation: stage 1, noise, stage 3, on explicit gradients."""

import numpy as np
from numpy.typing import NDArray

from tests.reference.came_grad import solve_dual

Array = NDArray[np.float64]


def sgld(
    g: Array,
    lambda_: Array,
    xi: Array,
    *,
    rho: float,
    kappa: float,
    nu: float,
    sigma: float | None = None,
) -> Array:
    """Return g_final; σ by energy unless it is given."""
    g_0 = g.mean(0)
    phi = rho**2 * float(g_0 @ g_0)
    g_w = solve_dual(g, g_0, phi) @ g
    norm = np.linalg.norm(g_w)
    stationary = norm <= 1e-6 * np.linalg.norm(g, axis=1).max()
    g_rect = g_0 if stationary or phi == 0 else g_0 + np.sqrt(phi) / norm * g_w
    g_joint = lambda_ @ g
    if sigma is None:
        excess = kappa**2 * float(g_joint @ g_joint) - float(g_rect @ g_rect)
        sigma = float(np.sqrt(max(excess, 0.0) / g.shape[1]))
    g_noise = g_rect + sigma * xi
    return np.asarray((1 - nu) * g_noise + nu * kappa * g_joint)
