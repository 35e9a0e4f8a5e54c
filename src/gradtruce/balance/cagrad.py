"""CAGrad: the direction near the mean gradient whose worst task improves most."""

import math
from typing import final

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from gradtruce.gradients.balancer import Balancer, TaskStatistics
from gradtruce.gradients.solvers.rectification import rectify, significant


@final
class CAGrad(
    Balancer,
    name="cagrad",
    source="Liu et al. 2021, algorithm 1",
    guarantee="within c of the joint gradient: ‖(1 + c²)·update − Σ λ g‖ ≤ c‖Σ λ g‖",
    degree=0.0,
    synchronises="above 8 tasks: the dual is solved on the host",
):
    """Maximise the worst task's improvement near the mean gradient (Liu et al. 2021, algorithm 1).

    With g_k the task gradients times their static weights λ_k, K tasks and g0 = (1/K)·Σ g_k:

        d = argmax over ‖d − g0‖ ≤ c‖g0‖ of min_k ⟨g_k, d⟩ = g0 + (c‖g0‖/‖g_w‖)·g_w

    with w the exact optimum of the dual over the simplex. The update is K·d/(1 + c²): the factor K
    makes it comparable to the sum of the weighted gradients, which it is for c = 0. For c ≥ 1 no
    task's inner product with it is negative, for c < 1 some may be. It does not depend on the scale
    of the gradients. A task of weight 0 is left out, of the mean too. Where ‖g_w‖ is noise at the
    optimum, d = g0, flag "stationary".

    The published codes disagree on the scale: the authors' has K·d/(1 + c²), its other two values
    of `rescale` K·d/(1 + c) and K·d; LibMTL leaves out K; TorchJD has d itself. Known faults of
    public codes that are not here: a general-purpose solver on the raw Gramian returns its start,
    so that the mean is taken, for gradients of norm 1e-3 and below; an absolute threshold makes the
    update zero for small gradients; the graph is retained after the last task.

    Args:
        radius: c, share of ‖g0‖ by which the direction may leave the mean; at least 0.
        rescale: What d is divided by: "square" 1 + c², "linear" 1 + c, "none" 1.

    Raises:
        ValueError: If an argument is out of its range.

    >>> gramian = torch.tensor([[1.0, -0.5], [-0.5, 4.0]], dtype=torch.float64)
    >>> CAGrad(radius=0.4).coefficients(TaskStatistics(gramian))
    tensor([1.5517, 0.8621], dtype=torch.float64)
    """

    stationary: Tensor

    def __init__(self, radius: float = 0.4, *, rescale: str = "square") -> None:
        super().__init__()
        divisors = {"none": 1.0, "linear": 1 + radius, "square": 1 + radius**2}
        if not 0 <= radius < math.inf:
            raise ValueError(f"radius must be at least 0, got {radius}")
        if rescale not in divisors:
            raise ValueError(f"rescale must be one of {', '.join(divisors)}, got {rescale!r}")
        self.radius, self.rescale = radius, rescale
        self._divisor = divisors[rescale]
        self.register_buffer("stationary", torch.tensor(False), persistent=False)

    def coefficients(self, step: TaskStatistics) -> Float[Tensor, "*blocks tasks"]:
        """Return a; λ for tasks that are inactive or whose row is below 1e-12 of the largest."""
        weights = step.weights.to(torch.float64)
        gramian = step.gramian.to(torch.float64) * weights.outer(weights)
        active = step.active & significant(gramian)
        direction, self.stationary = rectify(gramian, self.radius, active)
        tasks = active.sum(-1, keepdim=True)
        return torch.where(active, weights * direction * tasks / self._divisor, weights)

    def flags(self) -> dict[str, Bool[Tensor, ""]]:
        """Return whether the direction fell back on the mean."""
        return {"stationary": self.stationary.any()}
