"""Random orders in which each task meets the others."""

import torch
from jaxtyping import Int
from torch import Tensor


def random_orders(
    tasks: int, generator: torch.Generator | None, device: torch.device, *, of: str
) -> Int[Tensor, "tasks tasks"]:
    """Return an order for each task, in its row; any order for two tasks.

    Args:
        tasks: Number of tasks.
        generator: Random numbers, needed from three tasks on.
        device: Where the orders are wanted.
        of: The balancer that draws, for the message.

    Raises:
        ValueError: If there are three tasks or more and no generator.

    >>> random_orders(2, None, torch.device("cpu"), of="PCGrad")
    tensor([[0, 1],
            [0, 1]])
    """
    if tasks <= 2:
        return torch.arange(tasks, device=device).expand(tasks, tasks)
    if generator is None:
        raise ValueError(f"{of} draws an order from three tasks on: give TaskGradients a seed=")
    drawn_on = generator.device
    draws = torch.rand(tasks, tasks, dtype=torch.float64, generator=generator, device=drawn_on)
    return draws.argsort(-1).to(device, non_blocking=True)
