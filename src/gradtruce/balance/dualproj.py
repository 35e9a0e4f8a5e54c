"""DualProj: the joint gradient projected onto the cone in which no task gets worse."""

from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from gradtruce.gradients.balancer import Balancer, TaskStatistics
from gradtruce.gradients.solvers.cone import cone_coefficients
from gradtruce.gradients.solvers.rectification import significant


@final
class DualProj(
    Balancer,
    name="dualproj",
    source="Lopez-Paz and Ranzato 2017, eq. 11",
    guarantee="⟨g, update⟩ ≥ 0 for every task",
    degree=0.0,
    synchronises="above 8 tasks: the projection is computed on the host",
):
    """Take the nearest direction to Σ λ_k g_k in which no task gets worse (GEM's projection).

    The update is argmin ‖d − Σ λ_k g_k‖ over {d: ⟨g_k, d⟩ ≥ 0 for all k}; in coefficients, argmin
    over v ≥ λ of vᵀGv, solved exactly. Without conflict it is Σ λ_k g_k, a sum; TorchJD projects
    the mean, which gives 1/K of this. λ enters the joint gradient and changes no constraint; a
    task of weight 0 is left out, of the constraints too.

    Lopez-Paz and Ranzato (2017, gradient episodic memory) project the gradient of one task, with
    those of memories as constraints, and may demand a margin; here all tasks are alike.
    TorchJD's ridge and absolute threshold are not here: see `UPGrad`.

    >>> gramian = torch.tensor([[1.0, -1.5], [-1.5, 4.0]], dtype=torch.float64)
    >>> DualProj().coefficients(TaskStatistics(gramian))
    tensor([1.5000, 1.0000], dtype=torch.float64)
    """

    def coefficients(self, step: TaskStatistics) -> Float[Tensor, "*blocks tasks"]:
        """Return a; λ for tasks that are inactive or whose row is below 1e-12 of the largest."""
        weights = step.weights.to(torch.float64)
        gramian = step.gramian.to(torch.float64)
        active = step.active & significant(gramian * weights.outer(weights))
        a = cone_coefficients(gramian, weights.unsqueeze(-2), active).squeeze(-2)
        return torch.where(active, a, weights)
