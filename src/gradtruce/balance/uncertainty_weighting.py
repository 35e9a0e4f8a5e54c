"""Uncertainty weighting: learn the observation noise of every task."""

import math
from collections.abc import Collection, Sequence
from typing import Final, final

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from gradtruce.gradients.balancer import Balancer, TaskStatistics
from gradtruce.gradients.solvers.adam import Adam, require_rate
from gradtruce.gradients.solvers.memory import per_task, worth_remembering

REGRESSION: Final = 0.5
CLASSIFICATION: Final = 1.0


@final
class UncertaintyWeighting(
    Balancer,
    name="uncertainty_weighting",
    needs="losses",
    source="Kendall et al. 2018, section 3.2",
    guarantee="every coefficient has the sign of its weight",
):
    """Weigh each task by the inverse of a learned variance (Kendall, Gal and Cipolla 2018).

    Minimises Σ λ_k (c_k·exp(−s_k)·L_k + s_k/2) over the model and over s_k = log σ_k², with c = 1/2
    for a Gaussian likelihood (regression) and 1 for a softmax (classification):

    - a_k = λ_k·c_k·exp(−s_k), with s from before the step;
    - s_k ← Adam(s_k, 1/2 − c_k·exp(−s_k)·L_k), whose fixed point is exp(s_k) = 2·c_k·L_k: in the
      long run the weight is λ_k/(2·L_k), the inverse of the loss.

    λ stands before the whole term of its task. Before the loss alone, s would learn it away.

    Public codes use c = 1/2 for every task, which is the default here. They start s at 0 (nash-mtl,
    FAMO) or at −1/2 (LibMTL) and learn it with the optimizer of the model: its weight decay then
    pulls s to 0, and who forgets to hand s over trains with fixed weights. Here s has an Adam of
    its own, without decay, in the state of this module.

    A loss that is not above 0 has no variance: s_k would fall forever. It leaves s_k as it is, and
    the record's flag "loss_not_positive" says so.

    Args:
        classification: Names of the tasks with c = 1; at a given loss the weight of such a task
            starts at twice that of another and ends at the same.
        learning_rate: Of s; above 0. The paper does not say; 0.025 is what public comparisons give
            to the parameters of a method.
        initial: s at the start, the logarithm of the variance.

    Raises:
        ValueError: If an argument is out of its range, or in `bind` a name is no task.

    >>> balancer = UncertaintyWeighting()
    >>> balancer.bind(["report", "findings"])
    >>> step = TaskStatistics(torch.eye(2), losses=torch.tensor([1.0, 3.0]))
    >>> balancer.coefficients(step)
    tensor([0.5000, 0.5000], dtype=torch.float64)
    >>> balancer.coefficients(step)  # L = 1 is where the first rests
    tensor([0.5000, 0.4877], dtype=torch.float64)
    """

    factor: Tensor
    log_variance: Tensor
    loss_not_positive: Tensor
    adam: Adam

    def __init__(
        self,
        *,
        classification: Collection[str] = (),
        learning_rate: float = 0.025,
        initial: float = 0.0,
    ) -> None:
        super().__init__()
        require_rate(learning_rate)
        if not math.isfinite(initial):
            raise ValueError(f"initial must be finite, got {initial}")
        if isinstance(classification, str):
            raise TypeError(f"classification must be a list of names, got {classification!r}")
        self.classification = tuple(classification)
        self.learning_rate, self.initial = learning_rate, initial
        self.register_buffer("loss_not_positive", torch.tensor(False), persistent=False)

    def bind(self, tasks: Sequence[str]) -> None:
        """Start every s at its initial value."""
        kinds = dict.fromkeys(self.classification, CLASSIFICATION)
        factor = per_task(kinds, tasks, REGRESSION, "classification")
        self.register_buffer("factor", factor, persistent=False)
        self.register_buffer("log_variance", torch.full_like(factor, self.initial))
        self.adam = Adam(len(tasks), self.learning_rate)

    def coefficients(self, step: TaskStatistics) -> Float[Tensor, "*blocks tasks"]:
        """Return λ·c·exp(−s), and take a step of s."""
        losses = step.losses.to(torch.float64)
        precision = self.factor * torch.exp(-self.log_variance)
        positive = losses > 0
        learned = worth_remembering(step.active, losses) & positive
        self.log_variance = self.adam(self.log_variance, 0.5 - precision * losses, learned)
        self.loss_not_positive = (step.active & (losses <= 0)).any()
        return (step.weights * precision).expand(step.gramian.shape[:-1])

    def flags(self) -> dict[str, Bool[Tensor, ""]]:
        """Return whether an active task had a loss that was not above 0."""
        return {"loss_not_positive": self.loss_not_positive}
