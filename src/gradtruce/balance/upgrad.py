"""UPGrad: each task gradient projected onto the cone in which no task gets worse."""

from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from gradtruce.gradients.balancer import Balancer, TaskStatistics
from gradtruce.gradients.solvers.cone import cone_coefficients
from gradtruce.gradients.solvers.rectification import significant


@final
class UPGrad(
    Balancer,
    name="upgrad",
    source="Quinton and Rey 2024, eq. 5",
    guarantee="⟨g, update⟩ ≥ 0 for every task",
    degree=0.0,
    synchronises="above 8 tasks: the projections are computed on the host",
):
    """Sum the projections of the task gradients onto their dual cone (Quinton and Rey 2024).

    The dual cone {d: ⟨g_k, d⟩ ≥ 0 for all k} holds the directions in which no task gets worse. Each
    λ_k g_k is replaced by the nearest point of the cone, and the update is their sum: without
    conflict Σ λ_k g_k. The paper and TorchJD take the mean, 1/K of this. In coefficients: Σ λ_i v_i
    with v_i = argmin over v ≥ e_i of vᵀGv, solved exactly for all tasks at once. λ changes no
    projection but the weight of each; a task of weight 0 is left out, of the cone too. With two
    tasks it is `PCGrad`.

    TorchJD adds 1e-4 of the trace to the Gramian's diagonal, by which its projections miss the cone
    by a little, and has an absolute threshold below which the mean comes out; neither is here.

    >>> gramian = torch.tensor([[1.0, -1.0], [-1.0, 4.0]], dtype=torch.float64)
    >>> UPGrad().coefficients(TaskStatistics(gramian))
    tensor([2.0000, 1.2500], dtype=torch.float64)
    """

    def coefficients(self, step: TaskStatistics) -> Float[Tensor, "*blocks tasks"]:
        """Return a; λ for tasks that are inactive or whose row is below 1e-12 of the largest."""
        weights = step.weights.to(torch.float64)
        gramian = step.gramian.to(torch.float64)
        active = step.active & significant(gramian * weights.outer(weights))
        a = cone_coefficients(gramian, torch.diag_embed(weights), active).sum(-2)
        return torch.where(active, a, weights)
