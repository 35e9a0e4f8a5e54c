"""Steps of balancers that read losses alone."""

import torch
from torch import Tensor

from gradtruce.gradients.balancer import TaskStatistics


def step_of(
    losses: list[float] | Tensor,
    epoch: int | None = None,
    active: list[bool] | None = None,
    weights: list[float] | None = None,
) -> TaskStatistics:
    """Return the statistics of a step without a Gramian."""
    now = torch.as_tensor(losses, dtype=torch.float64)
    return TaskStatistics(
        torch.zeros(len(now), len(now), dtype=torch.float64),
        now,
        None if weights is None else torch.tensor(weights, dtype=torch.float64),
        None if active is None else torch.tensor(active),
        epoch=epoch,
    )
