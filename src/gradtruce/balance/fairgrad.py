"""FairGrad: the update that is α-fair to the tasks."""

from typing import final

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from gradtruce.gradients.balancer import Balancer, TaskStatistics
from gradtruce.gradients.solvers.newton import fair_coefficients


@final
class FairGrad(
    Balancer,
    name="fairgrad",
    source="Ban and Ji 2024, algorithm 1",
    guarantee="⟨g_k, update⟩ > 0 for every task, unless capped",
    degree=-4 / 3,
):
    """Share progress fairly: a > 0 with (Ga)_k = (a_k/λ_k)^(−1/α).

    The update d maximises Σ λ_k (g_k·d)^(1−α)/(1−α) − ½‖d‖², as resources are shared in networks:
    α → 0 is linear scalarization, 1 is `NashMTL`, and the larger α, the more the task with least
    progress counts. λ weighs the utilities, 1 in the paper. With K tasks and α = 1, ‖d‖² = Σλ.

    Gradients scaled by s give coefficients scaled by s^(−2α/(1+α)), which the class states for the
    default α; the update grows with s^((1−α)/(1+α)), so for α = 2 it is longer where gradients are
    shorter. The learning rate wants to be set for that.

    The paper's code hands Ga − a^(−1/α) to a least-squares routine on the host and takes what comes
    back; here the equation is solved to rounding by Newton's method (`solvers.newton`), where
    nothing leaves the device. Where a positive combination of the gradients vanishes (a
    Pareto-stationary point) it has no solution; coefficients then stay below a cap that is 1e4 in
    units of what the task would get alone for α ≥ 1, with the record's flag "capped".

    Args:
        fairness: α, from 0.1 to 10; the paper takes 1 or 2, by data set. Above 5 the steps may not
            suffice where gradients nearly cancel, which the flag says as well.

    Raises:
        ValueError: If `fairness` is out of its range.

    >>> gramian = torch.tensor([[1.0, 0.0], [0.0, 8.0]], dtype=torch.float64)
    >>> a = FairGrad().coefficients(TaskStatistics(gramian))
    >>> a, gramian @ a * a.sqrt()
    (tensor([1.0000, 0.2500], dtype=torch.float64), tensor([1., 1.], dtype=torch.float64))
    """

    capped: Tensor

    def __init__(self, fairness: float = 2.0) -> None:
        super().__init__()
        if not 0.1 <= fairness <= 10:
            raise ValueError(f"fairness must be from 0.1 to 10, got {fairness}")
        self.fairness = fairness
        self.register_buffer("capped", torch.tensor(False), persistent=False)

    def coefficients(self, step: TaskStatistics) -> Float[Tensor, "*blocks tasks"]:
        """Return a; 0 for a task that is inactive or has no weight or gradient."""
        a, capped = fair_coefficients(step.gramian, self.fairness, step.weights, step.active)
        self.capped = capped.any()
        return a

    def flags(self) -> dict[str, Bool[Tensor, ""]]:
        """Return whether a coefficient was kept from growing without bound."""
        return {"capped": self.capped}
