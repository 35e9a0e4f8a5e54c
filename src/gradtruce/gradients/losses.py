"""What a step is given: one scalar a task, or none where the task is absent."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, final

import torch
from jaxtyping import Float
from torch import Tensor


@final
class Arrival(NamedTuple):
    """What a call of `backward` brings.

    Attributes:
        here: Losses on this process that have a graph, by the place of their task.
        everywhere: Tasks that this step has had on any process.
        losses: Of the step so far, the mean over processes; 0 where a task is absent.
    """

    here: Mapping[int, Tensor]
    everywhere: Sequence[int]
    losses: Float[Tensor, " tasks"]


def admitted(
    losses: Mapping[str, Tensor],
    tasks: Sequence[str],
    device: torch.device,
    *,
    graph: bool = True,
) -> dict[int, Tensor]:
    """Return the losses by the place of their task; one without a graph is left out, as inactive.

    Without `graph`, those without a graph are kept.

    Raises:
        TypeError: If `losses` is no mapping of names to tensors.
        ValueError: If a name is unknown, a loss is no scalar, or is on another device.

    >>> loss = torch.ones(1, requires_grad=True).sum()
    >>> admitted({"b": loss, "a": torch.tensor(0.0)}, ("a", "b"), torch.device("cpu"))
    {1: tensor(1., grad_fn=<SumBackward0>)}
    """
    if not isinstance(losses, Mapping):
        raise TypeError(f"losses must be a dict of task name to loss, got {type(losses).__name__}")
    for name, loss in losses.items():
        if name not in tasks:
            raise ValueError(f"no task is called {name!r}; known: {', '.join(tasks)}")
        if not isinstance(loss, Tensor):
            raise TypeError(
                f"the loss of task {name!r} must be a tensor, got {type(loss).__name__}"
            )
        if loss.dim() != 0:
            raise ValueError(
                f"the loss of task {name!r} must be a scalar, got shape {tuple(loss.shape)}; "
                "reduce it by .mean() or .sum()"
            )
        if loss.device != device:
            raise ValueError(
                f"the loss of task {name!r} is on {loss.device}, the parameters were on {device} "
                "when TaskGradients was made; make it after model.to(…)"
            )
    places = {task: place for place, task in enumerate(tasks)}
    there = {places[name]: loss for name, loss in losses.items() if loss.requires_grad or not graph}
    return dict(sorted(there.items()))


def none_active(losses: Mapping[str, Tensor], tasks: Sequence[str]) -> ValueError:
    """Return the error for a step in which no task can be learned from."""
    constant = [name for name, loss in losses.items() if not loss.requires_grad]
    if constant:
        return ValueError(
            f"no task is active: the loss of {' and '.join(map(repr, constant))} has no graph; was "
            "the model run under torch.no_grad(), or is everything frozen?"
        )
    return ValueError(f"no task is active: losses must hold at least one of {', '.join(tasks)}")
