"""Random loss weighting: new weights at every step."""

from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from gradtruce.gradients.balancer import Balancer, TaskStatistics
from gradtruce.gradients.solvers.memory import masked_softmax


@final
class RLW(
    Balancer,
    name="rlw",
    needs="losses",
    source="Lin et al. 2022, section 3",
    guarantee="convex combination of the weighted losses",
    degree=0.0,
):
    """Draw the weights at random in every step (Lin, Ye, Zhang and Tsang 2022).

    a_k = λ_k·softmax(z)_k over the active tasks, z independent standard normal numbers. The mean
    over steps is linear scalarization with weights λ/K.

    The published weights sum to 1, so the update is K times smaller than that of linear
    scalarization; `sum_to_tasks` makes up for it, which matters under plain gradient descent and
    clipping, not under Adam. The numbers come from the engine's generator: the same on all ranks,
    and an inactive task uses none up.

    Args:
        sum_to_tasks: Whether to multiply by the number of active tasks.

    Raises:
        ValueError: In `coefficients`, if there is no generator.

    >>> generator = torch.Generator().manual_seed(0)
    >>> step = TaskStatistics(torch.eye(2).double(), generator=generator)
    >>> a = RLW().coefficients(step)
    >>> float(a.sum()), bool((a > 0).all())
    (1.0, True)
    """

    def __init__(self, *, sum_to_tasks: bool = False) -> None:
        super().__init__()
        self.sum_to_tasks = sum_to_tasks

    def coefficients(self, step: TaskStatistics) -> Float[Tensor, "*blocks tasks"]:
        """Return λ times a random point of the simplex of the active tasks."""
        if step.generator is None:
            raise ValueError("balancer 'rlw' draws random numbers: give seed=")
        drawn = torch.randn(
            step.active.shape,
            generator=step.generator,
            device=step.generator.device,
            dtype=torch.float64,
        ).to(step.weights.device)
        places = (step.active.cumsum(-1) - 1).clamp_min(0)  # the n-th number is the n-th active's
        spread = masked_softmax(drawn[places], step.active)
        if self.sum_to_tasks:
            spread = spread * step.active.sum(-1)
        return (step.weights * spread).expand(step.gramian.shape[:-1])
