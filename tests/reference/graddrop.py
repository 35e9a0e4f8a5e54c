"""GradDrop in the paper's notation (Chen et al. 2020, algorithm 1), one number at a time."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def graddrop(g: Array, lambda_: Array, U: Array, leak: float = 0.0) -> Array:
    """Return the update from the task gradients in the rows of g and one U a coordinate."""
    update = np.zeros(g.shape[1])
    for i in range(g.shape[1]):
        weighted = [lambda_[k] * g[k, i] for k in range(len(g))]
        size = sum(abs(x) for x in weighted)
        P = 0.5 if size == 0 else 0.5 * (1 + sum(weighted) / size)
        for x in weighted:
            M = (U[i] < P) * (x > 0) + (U[i] >= P) * (x < 0)
            update[i] += (leak + (1 - leak) * M) * x
    return update
