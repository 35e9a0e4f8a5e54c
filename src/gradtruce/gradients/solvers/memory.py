"""What balancers with a state share: arguments by task, and when a step may change the state."""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def per_task(
    values: Mapping[str, float] | None, tasks: Sequence[str], default: float, argument: str
) -> Float[Tensor, " tasks"]:
    """Return an argument that is given by task as float64 numbers in the order of the tasks.

    Args:
        values: Task name to number; `None` for the default everywhere.
        tasks: All names, in order.
        default: For tasks that are not named.
        argument: What the argument is called, for the message.

    Raises:
        ValueError: If a name is no task.

    >>> per_task({"b": 2.0}, ("a", "b"), 0.5, "targets")
    tensor([0.5000, 2.0000], dtype=torch.float64)
    """
    values = values or {}
    for name in values:
        if name not in tasks:
            raise ValueError(f"{argument}: no task is called {name!r}; known: {', '.join(tasks)}")
    return torch.tensor([values.get(task, default) for task in tasks], dtype=torch.float64)


def worth_remembering(
    active: Bool[Tensor, " tasks"], *values: Float[Tensor, " tasks"]
) -> Bool[Tensor, " tasks"]:
    """Return for which tasks a step may change the state.

    Those that are active; none in a step in which an active task has a number that is not finite,
    because such a step is not taken and must leave no trace.

    >>> active = torch.tensor([True, False])
    >>> worth_remembering(active, torch.tensor([1.0, torch.nan]))
    tensor([ True, False])
    >>> worth_remembering(active, torch.tensor([torch.inf, 1.0]))
    tensor([False, False])
    """
    finite = [(each.isfinite() | ~active).all() for each in values]
    return active & torch.stack(finite).all()


def masked_softmax(
    values: Float[Tensor, " tasks"], active: Bool[Tensor, " tasks"]
) -> Float[Tensor, " tasks"]:
    """Return the softmax over the active tasks, 0 elsewhere.

    >>> masked_softmax(torch.zeros(3), torch.tensor([True, False, True]))
    tensor([0.5000, 0.0000, 0.5000])
    """
    spread = values.masked_fill(~active, -torch.inf).softmax(-1)
    return torch.where(active, spread, 0.0)  # NaN where none is active


def sum_to_count(
    values: Float[Tensor, " tasks"], active: Bool[Tensor, " tasks"]
) -> Float[Tensor, " tasks"]:
    """Return positive numbers scaled so that those of the active tasks sum to their count.

    >>> sum_to_count(torch.tensor([1.0, 3.0, 9.0]), torch.tensor([True, True, False]))
    tensor([0.5000, 1.5000, 9.0000])
    """
    total = (values * active).sum(-1)
    return torch.where(active, values * (active.sum(-1) / total), values)
