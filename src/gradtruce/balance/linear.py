"""Linear scalarization: the weighted sum of the losses."""

from typing import final

from jaxtyping import Float
from torch import Tensor

from gradtruce.gradients.balancer import Balancer, TaskStatistics


@final
class Linear(
    Balancer,
    name="linear",
    needs="losses",
    is_fixed=True,
    source="weighted sum of the losses",
    degree=0.0,
):
    """Weigh each task by its static weight: the update is Σ λ_k g_k.

    A sum, not a mean: with two tasks of weight 1 the update is g_1 + g_2.

    >>> import torch
    >>> weights = torch.tensor([1.0, 4.0])
    >>> Linear().coefficients(TaskStatistics(torch.eye(2), weights=weights))
    tensor([1., 4.])
    """

    def coefficients(self, step: TaskStatistics) -> Float[Tensor, "*blocks tasks"]:
        """Return λ."""
        return step.weights.expand(step.gramian.shape[:-1])
