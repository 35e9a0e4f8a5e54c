"""FAMO: equalise the relative improvement of all tasks, from losses alone."""

import math
from collections.abc import Mapping, Sequence
from typing import Final, final

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from gradtruce.gradients.balancer import Balancer, TaskStatistics
from gradtruce.gradients.solvers.adam import Adam, require_rate
from gradtruce.gradients.solvers.memory import masked_softmax, per_task, worth_remembering

EPSILON: Final = 1e-8  # added to L − b, as published


@final
class FAMO(
    Balancer,
    name="famo",
    needs="losses",
    source="Liu et al. 2023, algorithm 1",
    guarantee="convex combination of the losses",
):
    """Let all losses fall at the same relative rate (Liu, Feng, Stone and Liu 2023).

    With logits ξ, z = softmax(ξ) over the active tasks and D_k = L_k − b_k + 1e-8:

    - a_k = c·λ_k·z_k/D_k with c such that Σ a = 1: the gradient of Σ z_k log D_k, rescaled;
    - after the update, with the losses of the same batch at the new parameters,
      δ_k = log D_k(before) − log D_k(after), and ξ ← Adam(ξ, z⊙(δ − zᵀδ) + γξ): a task that
      improved more than the average loses weight.

    One backward pass a step and one more forward pass: call `TaskGradients.step`, which runs it
    with the same dropout and leaves the statistics of batch normalisation alone.

    λ enters the coefficients only. ξ works towards equal relative improvement whatever λ is, so in
    the long run a static weight fades.

    Public codes disagree about γ: 1e-5 or 1e-2 within one repository, 1e-3 in its scripts, LibMTL
    and TorchJD, and here, so that logits learned from old parameters fade over some hundred steps.
    Bugs that are not repeated: clipping before the backward pass, which clips nothing; and, in one
    variant, c = Σ z/D as a factor where it must divide. The scale of the losses is not that of the
    sum of log losses: log something else than that.

    A loss below its minimum b has no logarithm: the task is left out of the step, flag
    "loss_below_minimum".

    Args:
        learning_rate: Of ξ; above 0.
        decay: γ, L2 penalty of ξ, at least 0.
        minimum_losses: b by task, 0 where not given; for losses that can be negative.

    Raises:
        ValueError: If an argument is out of its range, or in `bind` a name is no task.

    >>> balancer = FAMO()
    >>> balancer.bind(["report", "findings"])
    >>> balancer.coefficients(TaskStatistics(torch.eye(2), losses=torch.tensor([1.0, 3.0])))
    tensor([0.7500, 0.2500], dtype=torch.float64)
    >>> balancer.after_step(torch.tensor([0.5, 3.0]))
    >>> balancer.logits  # the first improved, the second did not
    tensor([-0.0250,  0.0250], dtype=torch.float64)
    """

    minimum: Tensor
    logits: Tensor
    before: Tensor
    counted: Tensor
    loss_below_minimum: Tensor
    adam: Adam

    def __init__(
        self,
        *,
        learning_rate: float = 0.025,
        decay: float = 1e-3,
        minimum_losses: Mapping[str, float] | None = None,
    ) -> None:
        super().__init__()
        require_rate(learning_rate)
        if not (0 <= decay < math.inf):
            raise ValueError(f"decay must be at least 0, got {decay}")
        for task, loss in (minimum_losses or {}).items():
            if not math.isfinite(loss):
                raise ValueError(f"minimum_losses[{task!r}] must be finite, got {loss}")
        self.learning_rate, self.decay = learning_rate, decay
        self.minimum_losses = dict(minimum_losses or {})
        self.register_buffer("loss_below_minimum", torch.tensor(False), persistent=False)

    def bind(self, tasks: Sequence[str]) -> None:
        """Start every ξ at 0."""
        minimum = per_task(self.minimum_losses, tasks, 0.0, "minimum_losses")
        self.register_buffer("minimum", minimum, persistent=False)
        self.register_buffer("logits", torch.zeros_like(minimum))
        self.register_buffer("before", torch.ones_like(minimum), persistent=False)
        self.register_buffer("counted", torch.zeros_like(minimum).bool(), persistent=False)
        self.adam = Adam(len(tasks), self.learning_rate)

    def coefficients(self, step: TaskStatistics) -> Float[Tensor, "*blocks tasks"]:
        """Return λ·z/D over its sum, and keep the losses for `after_step`."""
        excess = step.losses.to(torch.float64) - self.minimum
        below = step.active & (excess < 0)
        counted = step.active & ~below
        self.before, self.loss_below_minimum = excess + EPSILON, below.any()
        self.counted = worth_remembering(counted, excess)
        spread = step.weights * masked_softmax(self.logits, counted) / self.before
        spread = torch.where(counted, spread, 0.0)
        total = spread.sum(-1)
        a = torch.where(total == 0, 0.0, spread / total)
        return a.expand(step.gramian.shape[:-1])

    def after_step(self, losses: Float[Tensor, " tasks"]) -> None:
        """Take a step of ξ, from the losses of the same batch at the new parameters."""
        excess = losses.to(torch.float64) - self.minimum
        counted = worth_remembering(self.counted & ~(excess < 0), excess)
        gain = torch.where(counted, self.before.log() - (excess + EPSILON).log(), 0.0)
        z = masked_softmax(self.logits, counted)
        gradient = z * (gain - (z * gain).sum(-1)) + self.decay * self.logits
        self.logits = self.adam(self.logits, gradient, counted)

    def flags(self) -> dict[str, Bool[Tensor, ""]]:
        """Return whether an active task was left out, its loss below its minimum."""
        return {"loss_below_minimum": self.loss_below_minimum}
