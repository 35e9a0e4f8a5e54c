"""Adam for a few numbers that a balancer learns itself, one a task."""

import math
from typing import NamedTuple, final

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn


class Moments(NamedTuple):
    """Running means of gradient and squared gradient, and how many steps each task has seen."""

    mean: Float[Tensor, " tasks"]
    square: Float[Tensor, " tasks"]
    steps: Float[Tensor, " tasks"]


def adam_step(
    values: Float[Tensor, " tasks"],
    gradient: Float[Tensor, " tasks"],
    moments: Moments,
    active: Bool[Tensor, " tasks"],
    *,
    learning_rate: float,
    betas: tuple[float, float] = (0.9, 0.999),
    epsilon: float = 1e-8,
) -> tuple[Float[Tensor, " tasks"], Moments]:
    """Return values and moments after a step of Adam (Kingma and Ba 2015, algorithm 1).

    Each task counts its own steps, so that one that is not active keeps all it has.

    >>> zero = torch.zeros(2)
    >>> active = torch.tensor([True, False])
    >>> values, moments = adam_step(
    ...     zero, torch.ones(2), Moments(zero, zero, zero), active, learning_rate=0.1
    ... )
    >>> values, moments.steps
    (tensor([-0.1000,  0.0000]), tensor([1., 0.]))
    """
    slow, slower = betas
    mean = slow * moments.mean + (1 - slow) * gradient
    square = slower * moments.square + (1 - slower) * gradient.square()
    steps = moments.steps + 1
    size = (square / (1 - torch.pow(slower, steps))).sqrt() + epsilon
    moved = values - learning_rate * mean / (1 - torch.pow(slow, steps)) / size
    after = [
        torch.where(active, new, old)
        for new, old in zip((mean, square, steps), moments, strict=True)
    ]
    return torch.where(active, moved, values), Moments(*after)


@final
class Adam(nn.Module):
    """Keeps the moments of Adam in buffers, for a balancer that learns one number a task.

    Args:
        tasks: How many numbers.
        learning_rate: Above 0.
        epsilon: Added to the root of the second moment, in the unit of the gradients.

    Raises:
        ValueError: If the learning rate is not above 0.

    >>> adam = Adam(2, learning_rate=0.1)
    >>> adam(torch.zeros(2), torch.tensor([1.0, -1.0]), torch.tensor([True, True]))
    tensor([-0.1000,  0.1000])
    """

    mean: Tensor
    square: Tensor
    steps: Tensor

    def __init__(self, tasks: int, learning_rate: float, *, epsilon: float = 1e-8) -> None:
        super().__init__()
        require_rate(learning_rate)
        self.learning_rate, self.epsilon = learning_rate, epsilon
        for name in Moments._fields:
            self.register_buffer(name, torch.zeros(tasks, dtype=torch.float64))

    def forward(
        self,
        values: Float[Tensor, " tasks"],
        gradient: Float[Tensor, " tasks"],
        active: Bool[Tensor, " tasks"],
    ) -> Float[Tensor, " tasks"]:
        """Return the values after a step, those of inactive tasks as they were."""
        moments = Moments(self.mean, self.square, self.steps)
        moved, (self.mean, self.square, self.steps) = adam_step(
            values,
            gradient,
            moments,
            active,
            learning_rate=self.learning_rate,
            epsilon=self.epsilon,
        )
        return moved.to(values.dtype)


def require_rate(learning_rate: float) -> None:
    """Refuse a learning rate that is not above 0.

    Raises:
        ValueError: If it is not, or not finite.

    >>> require_rate(0.0)
    Traceback (most recent call last):
    ValueError: learning_rate must be above 0, got 0.0
    """
    if not (0 < learning_rate < math.inf):
        raise ValueError(f"learning_rate must be above 0, got {learning_rate}")
