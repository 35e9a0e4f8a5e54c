"""PCGrad, algorithm 1, on the task gradients themselves, one projection at a time."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def pcgrad(g: Array, orders: NDArray[np.int64], *, onto_itself: bool = False) -> Array:
    """Return Σ g_i^PC.

    Args:
        g: Task gradients in rows.
        orders: In row i the order in which task i meets the others.
        onto_itself: Whether j = i is met too, as in some public codes.
    """
    total = np.zeros(g.shape[1])
    for i in range(len(g)):
        g_pc = g[i].copy()
        for j in orders[i]:
            if j == i and not onto_itself:
                continue
            product = float(g_pc @ g[j])
            if product < 0:
                g_pc = g_pc - product / float(g[j] @ g[j]) * g[j]
        total += g_pc
    return total
