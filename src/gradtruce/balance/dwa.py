"""Dynamic weight average: weigh tasks by how slowly their epoch means fall."""

import math
from collections.abc import Sequence
from typing import Final, final

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from gradtruce.gradients.balancer import Balancer, TaskStatistics
from gradtruce.gradients.solvers.memory import masked_softmax, worth_remembering

LARGEST: Final = 1e100  # of a ratio of means; only its being the largest matters there


@final
class DWA(
    Balancer,
    name="dwa",
    needs="losses",
    source="Liu et al. 2019, eq. 7",
    guarantee="every coefficient has the sign of its weight",
):
    """Weigh each task by its rate of descent between epochs (Liu, Johns and Davison 2019).

    a_k = λ_k·K·softmax(r/T)_k over the K active tasks, r_k = L̄_k(t−1)/L̄_k(t−2), where L̄_k(t) is
    the mean loss of epoch t. A task whose loss no longer falls gets more weight. λ multiplies the
    result, and leaves the ratios alone.

    Epochs are `TaskGradients.epoch`, which the training loop sets. A task has r = 1 until it has
    been active in two finished epochs; where all have, in the first two epochs of training, a = λ.
    An epoch in which a task was never active does not count for it. nash-mtl takes windows of 25
    steps in place of epochs; set `epoch` to `step // 25` for that.

    Where a mean is not above 0 the ratio says nothing: it is taken as 1, flag "loss_not_positive".

    Args:
        temperature: T, above 0; large ones give equal weights.

    Raises:
        ValueError: If the temperature is not above 0; in `coefficients`, if there is no epoch.

    >>> balancer = DWA(temperature=1.0)
    >>> balancer.bind(["report", "findings"])
    >>> for epoch, losses in enumerate([[4.0, 4.0], [2.0, 4.0], [1.0, 1.0]]):
    ...     step = TaskStatistics(torch.eye(2), losses=torch.tensor(losses), epoch=epoch)
    ...     a = balancer.coefficients(step)
    >>> a  # 2·softmax(1/2, 1)
    tensor([0.7551, 1.2449], dtype=torch.float64)
    """

    epoch: Tensor
    total: Tensor
    count: Tensor
    last: Tensor
    before: Tensor
    finished: Tensor
    loss_not_positive: Tensor

    def __init__(self, *, temperature: float = 2.0) -> None:
        super().__init__()
        if not (0 < temperature < math.inf):
            raise ValueError(f"temperature must be above 0, got {temperature}")
        self.temperature = temperature
        self.register_buffer("loss_not_positive", torch.tensor(False), persistent=False)

    def bind(self, tasks: Sequence[str]) -> None:
        """Forget all epochs."""
        for name in ("total", "count", "last", "before"):
            self.register_buffer(name, torch.zeros(len(tasks), dtype=torch.float64))
        for name in ("epoch", "finished"):
            self.register_buffer(name, torch.zeros(len(tasks), dtype=torch.int64))

    def coefficients(self, step: TaskStatistics) -> Float[Tensor, "*blocks tasks"]:
        """Return λ·K·softmax(r/T), and add the losses to the means of this epoch."""
        if step.epoch is None:
            raise ValueError(
                "balancer 'dwa' compares epochs: set `gradients.epoch = epoch` at the start of "
                "each, gradients being the TaskGradients; it is None"
            )
        losses = step.losses.to(torch.float64)
        self._remember(losses, worth_remembering(step.active, losses), step.epoch)
        comparable = self.finished >= 2
        positive = (self.last > 0) & (self.before > 0)
        ratio = torch.where(comparable & positive, self.last / self.before, 1.0)
        ratio = ratio.clamp_max(LARGEST) / self.temperature
        self.loss_not_positive = (step.active & comparable & ~positive).any()
        spread = step.active.sum(-1) * masked_softmax(ratio, step.active)
        return (step.weights * spread).expand(step.gramian.shape[:-1])

    def flags(self) -> dict[str, Bool[Tensor, ""]]:
        """Return whether an active task had an epoch whose mean loss was not above 0."""
        return {"loss_not_positive": self.loss_not_positive}

    def _remember(
        self, losses: Float[Tensor, " tasks"], seen: Bool[Tensor, " tasks"], epoch: int
    ) -> None:
        """Close the epoch of tasks for which another has begun, and add the losses."""
        turned = seen & (self.epoch != epoch) & (self.count > 0)
        mean = self.total / self.count.clamp_min(1)
        self.before = torch.where(turned, self.last, self.before)
        self.last = torch.where(turned, mean, self.last)
        self.finished = self.finished + turned
        self.total = torch.where(turned, 0.0, self.total) + torch.where(seen, losses, 0.0)
        self.count = torch.where(turned, 0.0, self.count) + seen
        self.epoch = torch.where(seen, epoch, self.epoch)
