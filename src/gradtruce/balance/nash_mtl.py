"""Nash-MTL: the update as the Nash bargaining solution of the tasks."""

import math
from typing import final

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from gradtruce.gradients.balancer import Balancer, TaskStatistics
from gradtruce.gradients.solvers.newton import fair_coefficients


@final
class NashMTL(
    Balancer,
    name="nash_mtl",
    source="Navon et al. 2022, algorithm 1",
    guarantee="⟨g_k, update⟩ > 0 for every task, unless capped",
    degree=-1.0,
):
    """Let the tasks bargain for the update: a > 0 with Ga = λ/a.

    The update d maximises Σ λ_k log(g_k·d) on a ball, which is Nash's bargaining solution; λ_k is
    the bargaining power of task k, 1 in the paper. So a_k⟨g_k, d⟩ = λ_k and ‖d‖² = Σλ, whatever the
    scale of each gradient: only directions matter, and d is as long at the end of the training as
    at its start. A loss that is a thousand times larger gets a coefficient a thousand times
    smaller. The learning rate wants to be set for that.

    The paper solves a sequence of convex problems with a general solver; here the equation is
    solved to rounding by Newton's method (`solvers.newton`). Public codes fall back on the last
    coefficients when that solver fails, without a word. Where a positive combination of the
    gradients vanishes (a Pareto-stationary point) no a solves the equation and coefficients would
    grow without bound; they stay below about 1e4/‖g_k‖, with the record's flag "capped", and the
    update goes to zero. The paper's code clips the norm of the update at 1, which it always
    exceeds with two tasks or more: with Adam that changes nothing, so `max_norm` is off here.

    Args:
        max_norm: Cap of ‖d‖ over the parameters in scope; 1 in the paper's code; above 0.

    Raises:
        ValueError: If `max_norm` is not above 0.

    >>> gramian = torch.tensor([[1.0, -0.5], [-0.5, 4.0]], dtype=torch.float64)
    >>> a = NashMTL().coefficients(TaskStatistics(gramian))
    >>> a, a * (gramian @ a)
    (tensor([1.1547, 0.5774], dtype=torch.float64), tensor([1.0000, 1.0000], dtype=torch.float64))
    """

    capped: Tensor

    def __init__(self, *, max_norm: float = math.inf) -> None:
        super().__init__()
        if not max_norm > 0:
            raise ValueError(f"max_norm must be above 0, got {max_norm}")
        self.max_norm = max_norm
        self.register_buffer("capped", torch.tensor(False), persistent=False)

    def coefficients(self, step: TaskStatistics) -> Float[Tensor, "*blocks tasks"]:
        """Return a; 0 for a task that is inactive or has no weight or gradient."""
        a, capped = fair_coefficients(step.gramian, 1.0, step.weights, step.active)
        self.capped = capped.any()
        if math.isinf(self.max_norm):
            return a
        product = (step.gramian.to(a) @ a.unsqueeze(-1)).squeeze(-1)
        norm = (a * product).sum(-1, keepdim=True).clamp_min(0.0).sqrt()
        return a * (self.max_norm / norm).clamp_max(1.0)

    def flags(self) -> dict[str, Bool[Tensor, ""]]:
        """Return whether a coefficient was kept from growing without bound."""
        return {"capped": self.capped}
