"""FairGrad and Nash-MTL from the task gradients, as the maximum over d that defines them.

d maximises Σ λ_k u(g_k·d) − ½‖d‖², found by Newton steps in d itself with backtracking, in
coordinates of the row space and from a point where all g_k·d are positive; the code under test
works on the other side, in one unknown a task.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog

Array = NDArray[np.float64]


def fair_update(g: Array, lambda_: Array, alpha: float) -> Array | None:
    """Return d; `None` where no direction improves all tasks."""
    basis = np.linalg.svd(g, full_matrices=False)[2]
    h = g @ basis.T
    start = _improving(h)
    if start is None:
        return None
    scale = np.linalg.norm(h, axis=1).max()

    def negative(d: Array) -> float:
        s = h @ d
        if (s <= 0).any():
            return np.inf
        u = np.log(s) if alpha == 1 else s ** (1 - alpha) / (1 - alpha)
        return float(0.5 * d @ d - lambda_ @ u)

    def slope(d: Array) -> Array:
        return np.asarray(d - h.T @ (lambda_ * (h @ d) ** -alpha))

    d = start / scale
    for _ in range(400):  # Newton in d itself, with halved steps: slow and sure
        s = h @ d
        H = np.eye(len(d)) + h.T @ np.diag(alpha * lambda_ * s ** (-alpha - 1)) @ h
        step = -np.linalg.solve(H, slope(d))
        t = 1.0
        while (
            negative(d + t * step) > negative(d) + 1e-4 * t * float(slope(d) @ step) and t > 1e-12
        ):
            t /= 2
        d = d + t * step
        if np.linalg.norm(step) <= 1e-14 * np.linalg.norm(d):
            break
    return np.asarray(d @ basis)


def _improving(h: Array) -> Array | None:
    """Return a d with g_k·d ≥ 1e-3‖g_k‖‖d‖ for all k, by linear programming."""
    unit = h / np.linalg.norm(h, axis=1, keepdims=True)
    K, P = unit.shape
    found = linprog(
        np.r_[np.zeros(P), -1.0],
        A_ub=np.c_[-unit, np.ones(K)],
        b_ub=np.zeros(K),
        bounds=[(-1, 1)] * P + [(None, 1)],
    )
    d = found.x[:P]
    return d if (unit @ d >= 1e-3 * np.linalg.norm(d)).all() and np.linalg.norm(d) > 0 else None
