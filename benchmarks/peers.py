"""CAGrad as its authors' code and LibMTL compute it, re-stated from their specification.

LibMTL's release on the package index is of 2021, too old to be compared with, and the authors' code
is made for single data sets, so neither can be installed and timed. Both flatten every task's
gradients, form the Gramian, and hand it to a general-purpose solver on the host, SLSQP with its
absolute tolerances.
"""

from collections.abc import Iterable, Sequence

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


def write_back(update: Tensor, parameters: Sequence[nn.Parameter]) -> None:
    """Put the parts of a flat update into `.grad`."""
    parts = update.split([parameter.numel() for parameter in parameters])
    for part, parameter in zip(parts, parameters, strict=True):
        parameter.grad = part.view_as(parameter).clone()


def official(task_gradients: Iterable[Sequence[Tensor]], tasks: int, radius: float = 0.4) -> Tensor:
    """Return the update of the authors' way: columns of a (params, tasks) matrix, then SLSQP.

    Args:
        task_gradients: The gradients of one task after the other, which may be made on the way.
        tasks: How many there are; the published code is written for 3.
        radius: c.
    """
    columns = torch.empty(0)
    for place, gradients in enumerate(task_gradients):
        flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
        columns = columns if place else flat.new_zeros(len(flat), tasks)
        columns[:, place] = flat
    gramian = (columns.T @ columns).cpu().double().numpy()
    a = torch.tensor(slsqp_coefficients(gramian, radius), dtype=columns.dtype)
    return (columns * a.to(columns.device)).sum(1)


def libmtl(task_gradients: Iterable[Sequence[Tensor]], tasks: int, radius: float = 0.4) -> Tensor:
    """Return the update of LibMTL's way: rows of a (tasks, params) matrix, filled on the host.

    Args:
        task_gradients: The gradients of one task after the other, which may be made on the way.
        tasks: How many there are.
        radius: c.
    """
    rows, device = torch.empty(0), torch.device("cpu")
    for place, gradients in enumerate(task_gradients):
        numbers, device = sum(gradient.numel() for gradient in gradients), gradients[0].device
        rows = rows if place else torch.zeros(tasks, numbers)
        vector, done = torch.zeros(numbers), 0  # on the host whatever the device is
        for gradient in gradients:
            vector[done : done + gradient.numel()] = gradient.reshape(-1)
            done += gradient.numel()
        rows[place] = vector
    rows = rows.to(device)
    gramian = (rows @ rows.T).cpu().double().numpy()
    a = torch.tensor(slsqp_coefficients(gramian, radius), dtype=rows.dtype)
    return (a.to(device).view(-1, 1) * rows).sum(0)
