"""CAME-Grad in the paper's notation, slow and from the task gradients themselves.

The dual is solved by away-step Frank-Wolfe with exact line search, which knows nothing of faces or
Gramian inverses, and by SLSQP from several starts; the better of the two counts.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize, minimize_scalar

Array = NDArray[np.float64]


def dual_objective(w: Array, g: Array, g_0: Array, phi: float) -> float:
    """Return g_wᵀg0 + √φ·‖g_w‖."""
    g_w = w @ g
    return float(g_w @ g_0 + np.sqrt(phi) * np.linalg.norm(g_w))


def solve_dual(g: Array, g_0: Array, phi: float, iterations: int = 3000) -> Array:
    """Return argmin over the simplex of the dual objective."""
    K = len(g)
    starts = [*np.eye(K), np.full(K, 1 / K)]
    candidates = [_slsqp(w, g, g_0, phi) for w in (*starts[:3], starts[-1])]
    best = min((*candidates, *starts), key=lambda w: dual_objective(w, g, g_0, phi))
    refined = _frank_wolfe(best, g, g_0, phi, iterations)
    return min(best, refined, key=lambda w: dual_objective(w, g, g_0, phi))


def _slsqp(start: Array, g: Array, g_0: Array, phi: float) -> Array:
    result = minimize(
        dual_objective,
        0.9 * start + 0.1 / len(start),
        args=(g, g_0, phi),
        method="SLSQP",
        bounds=[(0, 1)] * len(start),
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
        options={"ftol": 1e-15, "maxiter": 300},
    )
    w = np.clip(result.x, 0, None)
    return w / w.sum()


def _frank_wolfe(w: Array, g: Array, g_0: Array, phi: float, iterations: int) -> Array:
    """Move weight from the worst to the best vertex, by exact line search."""
    w = w.copy()
    for _ in range(iterations):
        g_w = w @ g
        norm = np.linalg.norm(g_w)
        if norm < 1e-12:
            break
        slope = g @ (g_0 + np.sqrt(phi) * g_w / norm)
        to = int(slope.argmin())
        away = int(np.where(w > 0, slope, -np.inf).argmax())
        if slope[away] - slope[to] < 1e-13 * np.abs(g).max() ** 2:
            break
        direction = np.zeros_like(w)
        direction[to], direction[away] = 1, -1
        step = minimize_scalar(
            lambda t, w=w, d=direction: dual_objective(w + t * d, g, g_0, phi),
            bounds=(0, w[away]),
            method="bounded",
            options={"xatol": 1e-14},
        ).x
        full = dual_objective(w + w[away] * direction, g, g_0, phi)
        if full <= dual_objective(w + step * direction, g, g_0, phi):
            step = w[away]
        moved = np.clip(w + step * direction, 0, None)
        if dual_objective(moved, g, g_0, phi) >= dual_objective(w, g, g_0, phi):
            break
        w = moved / moved.sum()
    return w


def came_grad(
    g: Array, lambda_: Array, *, rho: float, kappa: float, nu: float, max_gain: float = np.inf
) -> Array:
    """Return g_final of one step from the task gradients in the rows of g."""
    g_0 = g.mean(0)
    phi = rho**2 * float(g_0 @ g_0)
    g_w = solve_dual(g, g_0, phi) @ g
    norm = np.linalg.norm(g_w)
    stationary = norm <= 1e-6 * np.linalg.norm(g, axis=1).max()
    g_rect = g_0 if stationary or phi == 0 else g_0 + np.sqrt(phi) / norm * g_w
    g_joint = lambda_ @ g
    gain = np.linalg.norm(g_joint) / max(float(np.linalg.norm(g_rect)), 1e-300)
    g_enh = kappa * min(gain, max_gain * lambda_.sum()) * g_rect
    return np.asarray((1 - nu) * g_enh + nu * kappa * g_joint)
