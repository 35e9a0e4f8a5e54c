"""GradVac in the paper's loops, on the gradients themselves; the order of tasks is given."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class GradVac:
    """One group of parameters; keeps the targets φ̂_ij."""

    def __init__(self, tasks: int, beta: float) -> None:
        self.target, self.beta = np.zeros((tasks, tasks)), beta

    def __call__(self, g: Array, orders: Sequence[Sequence[int]]) -> list[Array]:
        """Return g'_i of every task."""
        changed = []
        for i, order in enumerate(orders):
            v = g[i].copy()
            for j in order:
                if j == i:
                    continue
                phi = float(v @ g[j] / (np.linalg.norm(v) * np.linalg.norm(g[j])))
                aim = float(self.target[i, j])
                if phi < aim:
                    v = v + g[j] * (
                        np.linalg.norm(v)
                        * (aim * np.sqrt(1 - phi**2) - phi * np.sqrt(1 - aim**2))
                        / (np.linalg.norm(g[j]) * np.sqrt(1 - aim**2))
                    )
                self.target[i, j] = (1 - self.beta) * aim + self.beta * phi
            changed.append(v)
        return changed


def pcgrad(g: Array, orders: Sequence[Sequence[int]]) -> list[Array]:
    """Return the projected gradients of PCGrad in the same orders."""
    changed = []
    for i, order in enumerate(orders):
        v = g[i].copy()
        for j in order:
            if j != i and v @ g[j] < 0:
                v = v - float(v @ g[j]) / float(g[j] @ g[j]) * g[j]
        changed.append(v)
    return changed
