"""MMPareto in the paper's notation, on the gradients of one block."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

Array = NDArray[np.float64]


def mmpareto(g: Array, gamma: float) -> Array | None:
    """Return the update of a block; `None` where h is too short to have a known direction."""
    n = len(g)
    cosines_agree = all(g[i] @ g[j] >= 0 for i in range(n) for j in range(i))
    alpha = np.full(n, 1 / n) if cosines_agree else nearest(g)
    h = n * alpha @ g
    if np.linalg.norm(h) < 1e-3 * np.linalg.norm(g, axis=1).max():
        return None
    g_sum = g.sum(0)
    lam = np.linalg.norm(g_sum) / np.linalg.norm(h)
    return np.asarray(gamma * max(lam, 1.0) * h)


def nearest(g: Array) -> Array:
    """Return argmin ‖Σ α_k g_k‖ over the simplex; on a grid, then refined, for two."""
    if len(g) == 2:
        low, high = 0.0, 1.0
        for _ in range(60):  # ternary search of a convex function
            a, b = low + (high - low) / 3, high - (high - low) / 3
            left, right = (float(np.sum((x * g[0] + (1 - x) * g[1]) ** 2)) for x in (a, b))
            low, high = (low, b) if left < right else (a, high)
        x = (low + high) / 2
        return np.array([x, 1 - x])
    scaled = g / np.linalg.norm(g, axis=1).max()
    starts = [np.full(len(g), 1 / len(g)), *(0.9 * np.eye(len(g)) + 0.1 / len(g))]
    found = [
        minimize(
            lambda w: float(np.sum((w @ scaled) ** 2)),
            start,
            jac=lambda w: 2 * scaled @ (w @ scaled),
            method="SLSQP",
            bounds=[(0, 1)] * len(g),
            constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
            options={"ftol": 1e-16, "maxiter": 500},
        ).x
        for start in starts
    ]
    w = min(found, key=lambda w: float(np.sum((w @ scaled) ** 2)))
    return np.asarray(w)
