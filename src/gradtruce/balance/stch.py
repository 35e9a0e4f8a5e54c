"""Smooth Tchebycheff scalarization: descend a smooth maximum of the losses."""

import math
from collections.abc import Mapping, Sequence
from typing import final

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from gradtruce.gradients.balancer import Balancer, TaskStatistics
from gradtruce.gradients.solvers.memory import masked_softmax, per_task, worth_remembering


@final
class STCH(
    Balancer,
    name="stch",
    needs="losses",
    source="Lin et al. 2024, smooth Tchebycheff scalarization",
    guarantee="a gradient of one smooth maximum of the losses",
):
    """Minimise a smooth maximum of the weighted losses (Lin, Zhang, Yang, Liu, Wang, Zhang 2024).

    The scalarization is μ·log Σ exp(λ_k·(L_k − z_k)/μ), z the ideal point, so

        a_k = λ_k·softmax(λ_k·(L_k − z_k)/μ)_k

    over the active tasks: the worst task gets most of the weight, all of it as μ → 0. λ is the
    preference of the method and stands inside. The paper takes λ from the simplex; with λ = 1
    everywhere μ counts K times as much.

    `relative=True` is what the authors' multi-task code does, and LibMTL after it: logarithms of
    the losses in units of their means in one early epoch, times the number of tasks. With N_k the
    mean over epoch `warmup_epochs`, a_k = λ_k·K·softmax(λ_k·log(L_k/N_k)/μ)_k/L_k afterwards, and
    a_k = λ_k/L_k until then. It needs `TaskGradients.epoch`. A task that was not active in that
    epoch stays at λ_k/L_k. The code adds 1e-20 inside the logarithm; here a loss that is not above
    0 is left out of the step, with a = 0 and the flag "loss_not_positive".

    Args:
        smoothing: μ, above 0, in the unit of the losses (of their logarithms where relative).
        ideal_losses: z by task, 0 where not given; not used where relative.
        relative: Whether to compare logarithms of losses in units of an early epoch.
        warmup_epochs: The epoch, counted from 0, of which the means are taken.

    Raises:
        ValueError: If an argument is out of its range; in `bind`, if a name is no task; in
            `coefficients`, if it is relative and there is no epoch.

    >>> balancer = STCH(smoothing=1.0)
    >>> balancer.bind(["report", "findings"])
    >>> balancer.coefficients(TaskStatistics(torch.eye(2), losses=torch.tensor([1.0, 2.0])))
    tensor([0.2689, 0.7311], dtype=torch.float64)
    """

    ideal: Tensor
    total: Tensor
    count: Tensor
    loss_not_positive: Tensor

    def __init__(
        self,
        smoothing: float = 1.0,
        *,
        ideal_losses: Mapping[str, float] | None = None,
        relative: bool = False,
        warmup_epochs: int = 4,
    ) -> None:
        super().__init__()
        if not (0 < smoothing < math.inf):
            raise ValueError(f"smoothing must be above 0, got {smoothing}")
        if warmup_epochs < 0:
            raise ValueError(f"warmup_epochs must be at least 0, got {warmup_epochs}")
        for task, loss in (ideal_losses or {}).items():
            if not math.isfinite(loss):
                raise ValueError(f"ideal_losses[{task!r}] must be finite, got {loss}")
        if ideal_losses and relative:
            raise ValueError("ideal_losses say nothing where relative=True; give one of them")
        self.smoothing, self.ideal_losses = smoothing, dict(ideal_losses or {})
        self.relative, self.warmup_epochs = relative, warmup_epochs
        self.register_buffer("loss_not_positive", torch.tensor(False), persistent=False)

    def bind(self, tasks: Sequence[str]) -> None:
        """Forget the means of the early epoch."""
        ideal = per_task(self.ideal_losses, tasks, 0.0, "ideal_losses")
        self.register_buffer("ideal", ideal, persistent=False)
        self.register_buffer("total", torch.zeros_like(ideal))
        self.register_buffer("count", torch.zeros_like(ideal))

    def coefficients(self, step: TaskStatistics) -> Float[Tensor, "*blocks tasks"]:
        """Return the gradient of the scalarization with respect to the losses."""
        losses, weights = step.losses.to(torch.float64), step.weights.to(torch.float64)
        if self.relative:
            a = self._relative(losses, weights, step.active, step.epoch)
        else:
            height = weights * (losses - self.ideal) / self.smoothing
            a = weights * masked_softmax(height, step.active)
        return a.expand(step.gramian.shape[:-1])

    def flags(self) -> dict[str, Bool[Tensor, ""]]:
        """Return whether an active task was left out because its loss was not above 0."""
        return {"loss_not_positive": self.loss_not_positive}

    def _relative(
        self,
        losses: Float[Tensor, " tasks"],
        weights: Float[Tensor, " tasks"],
        active: Bool[Tensor, " tasks"],
        epoch: int | None,
    ) -> Float[Tensor, " tasks"]:
        if epoch is None:
            raise ValueError(
                "balancer 'stch' with relative=True counts epochs: set `gradients.epoch = epoch` "
                "at the start of each, gradients being the TaskGradients; it is None"
            )
        left_out = losses <= 0
        self.loss_not_positive = (active & left_out).any()
        if epoch == self.warmup_epochs:
            seen = worth_remembering(active & ~left_out, losses)
            self.total = self.total + torch.where(seen, losses, 0.0)
            self.count = self.count + seen
        compared = active & ~left_out & (self.count > 0) & (epoch > self.warmup_epochs)
        height = weights * (losses / (self.total / self.count)).log() / self.smoothing
        spread = compared.sum(-1) * masked_softmax(height, compared)
        a = weights * torch.where(compared, spread, 1.0) / losses
        return torch.where(left_out, 0.0, a)
