"""MGDA: the convex combination of the task gradients with the smallest norm."""

from typing import final

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from gradtruce.gradients.balancer import Balancer, TaskStatistics
from gradtruce.gradients.solvers.rectification import significant
from gradtruce.gradients.solvers.simplex import min_norm_weights

NORMALISERS = ("none", "l2", "loss", "loss+")
_FLOOR = 1e-12  # smallest divisor, in units of the largest


@final
class MGDA(
    Balancer,
    name="mgda",
    source="Désidéri 2012; Sener and Koltun 2018",
    guarantee="⟨g, update⟩ ≥ 0 for every task",
    degree=0.0,
    synchronises="above 8 tasks: the nearest point is found on the host",
):
    """Take the point nearest to zero in the hull of the task gradients (Désidéri 2012, eq. 3).

    With s_k the normaliser and h_k = λ_k g_k/s_k, w minimises ‖Σ w_k h_k‖ over the simplex, so that
    ⟨h_k, Σ w_j h_j⟩ ≥ ‖Σ w_j h_j‖²: to first order no task gets worse. The update is Σ w_k h_k
    scaled to a convex combination of the weighted gradients, Σ (w_k/s_k) λ_k g_k / Σ (w_k/s_k);
    without normalisation Σ w_k λ_k g_k, whose norm is at most that of the smallest λ_k g_k: a
    learning rate for the sum is too small here. A task of weight 0 is left out. At a
    Pareto-stationary point the update is zero. Small gradients get large weights, which
    `normalise` counters.

    w is exact. The published codes clamp two-task weights to 0.001 and 0.999, stop early, and the
    authors' and those that took it over never count iterations for three tasks or more, so that
    they may not return. With a normaliser the authors' code weighs the unnormalised gradients with
    w, for which nothing is guaranteed; LibMTL applies w to h, as here, without our common factor.

    Args:
        normalise: s_k: "none" 1, "l2" ‖g_k‖, "loss" the size of L_k, "loss+" the product of
            the two; divisors below 1e-12 of the largest count as that.

    Raises:
        ValueError: If `normalise` is none of these.

    >>> gramian = torch.tensor([[4.0, -1.0], [-1.0, 1.0]], dtype=torch.float64)
    >>> MGDA().coefficients(TaskStatistics(gramian))
    tensor([0.2857, 0.7143], dtype=torch.float64)
    >>> MGDA(normalise="l2").coefficients(TaskStatistics(gramian))
    tensor([0.3333, 0.6667], dtype=torch.float64)
    """

    def __init__(self, *, normalise: str = "none") -> None:
        super().__init__()
        if normalise not in NORMALISERS:
            known = ", ".join(NORMALISERS)
            raise ValueError(f"normalise must be one of {known}, got {normalise!r}")
        self.normalise = normalise

    def coefficients(self, step: TaskStatistics) -> Float[Tensor, "*blocks tasks"]:
        """Return a; λ for tasks that are inactive or whose row is below 1e-12 of the largest."""
        weights = step.weights.to(torch.float64)
        gramian = step.gramian.to(torch.float64)
        active = step.active & significant(gramian * weights.outer(weights))
        inverse = 1 / self._divisors(gramian, step.losses.to(torch.float64), active)
        scale = weights * inverse
        rows = gramian * scale.unsqueeze(-1) * scale.unsqueeze(-2)
        shares = min_norm_weights(rows, active) * inverse
        total = shares.sum(-1, keepdim=True)
        return torch.where(active, weights * shares / torch.where(total == 0, 1.0, total), weights)

    def _divisors(
        self,
        gramian: Float[Tensor, "*blocks tasks tasks"],
        losses: Float[Tensor, " tasks"],
        active: Bool[Tensor, "*blocks tasks"],
    ) -> Float[Tensor, "*blocks tasks"]:
        """Return s in units of the largest; 1 where a task does not count."""
        divisors = torch.ones_like(gramian[..., 0])
        if self.normalise in ("l2", "loss+"):
            divisors = gramian.diagonal(dim1=-2, dim2=-1).clamp_min(0.0).sqrt()
        if self.normalise in ("loss", "loss+"):
            divisors = divisors * losses.abs()
        largest = divisors.masked_fill(~active, 0.0).amax(-1, keepdim=True)
        relative = (divisors / torch.where(largest == 0, 1.0, largest)).clamp_min(_FLOOR)
        return torch.where(active, relative, 1.0)
