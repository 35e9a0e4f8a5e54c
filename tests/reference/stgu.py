"""Proximal affinities in the paper's notation (Jeong and Yoon 2025), one pair at a time."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def affinities(B: Array, group: list[int], before: Array, after: Array, beta: float) -> Array:
    """Return the affinities after the update of a group; tasks with a loss of 0 are absent."""
    B = B.copy()
    G = [s for s in group if before[s] > 0]
    v = {t: (1 - after[t] / before[t]) / len(G) for t in range(len(before)) if before[t] > 0}
    for s in G:
        for t in v:
            if t == s:
                if v[t] < 0:
                    continue
                value = v[t]
            elif t not in G or v[s] * v[t] >= 0:
                value = v[t]
            else:
                value = -max(v[s], v[t])
            B[s, t] = (1 - beta) * B[s, t] + beta * value
    return B
