"""CAGrad as its authors' code and LibMTL compute it, re-stated from their specification.

LibMTL's newest release on the package index, of 2021, runs on no torch of today, and the authors'
code is a script for one data set, so neither can be installed and timed. Both flatten every task's
gradients, form the Gramian, and hand it to a general-purpose solver on the host, SLSQP with its
absolute tolerances.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from torch import Tensor, nn

_INSIDE_ROOT = 1e-8  # what both add inside the square roots
_BESIDE_NORM = 1e-4  # and to the norm that is divided by


def slsqp_coefficients(gramian: NDArray[np.float64], radius: float) -> NDArray[np.float64]:
    """Return a with update = Jᵀa, by minimising ⟨g_w, g_0⟩ + c‖g_0‖·‖g_w‖ over the simplex."""
    tasks = len(gramian)
    mean = np.full(tasks, 1 / tasks)
    reach = radius * np.sqrt(mean @ gramian @ mean + _INSIDE_ROOT)

    def cost(w: NDArray[np.float64]) -> float:
        return float(w @ gramian @ mean + reach * np.sqrt(w @ gramian @ w + _INSIDE_ROOT))

    found = minimize(
        cost,
        mean,
        method="SLSQP",
        bounds=[(0, 1)] * tasks,
        constraints={"type": "eq", "fun": lambda w: 1 - w.sum()},
    ).x
    length = np.sqrt(found @ gramian @ found + _INSIDE_ROOT)
    return (mean + reach / (length + _BESIDE_NORM) * found) / (1 + radius**2)


def flatten(gradients: Sequence[Tensor]) -> Tensor:
    """Return all gradients of a task in one vector."""
    return torch.cat([gradient.reshape(-1) for gradient in gradients])


def write_back(update: Tensor, parameters: Sequence[nn.Parameter]) -> None:
    """Put the parts of a flat update into `.grad`."""
    for part, parameter in zip(
        update.split([p.numel() for p in parameters]), parameters, strict=True
    ):
        parameter.grad = part.view_as(parameter).clone()


def official(task_gradients: Sequence[Sequence[Tensor]], radius: float = 0.4) -> Tensor:
    """Return the update of the authors' way: columns of a (params, tasks) matrix, then SLSQP."""
    flat = [flatten(gradients) for gradients in task_gradients]
    columns = flat[0].new_zeros(len(flat[0]), len(flat))
    for place, vector in enumerate(flat):
        columns[:, place] = vector
    gramian = (columns.T @ columns).cpu().double().numpy()
    a = torch.tensor(slsqp_coefficients(gramian, radius), dtype=columns.dtype)
    return (columns * a.to(columns.device)).sum(1)


def libmtl(task_gradients: Sequence[Sequence[Tensor]], radius: float = 0.4) -> Tensor:
    """Return the update of LibMTL's way: rows of a (tasks, params) matrix that the host fills."""
    rows = torch.zeros(len(task_gradients), sum(g.numel() for g in task_gradients[0]))
    for row, gradients in zip(rows, task_gradients, strict=True):
        done = 0
        for gradient in gradients:
            row[done : done + gradient.numel()] = gradient.reshape(-1)
            done += gradient.numel()
    rows = rows.to(task_gradients[0][0].device)
    gramian = (rows @ rows.T).cpu().double().numpy()
    a = torch.tensor(slsqp_coefficients(gramian, radius), dtype=rows.dtype)
    return (a.to(rows.device).view(-1, 1) * rows).sum(0)
