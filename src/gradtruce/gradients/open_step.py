"""What the micro-batches of one step have brought so far."""

from collections.abc import Container, Mapping
from functools import partial
from typing import final

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from gradtruce.gradients.rows import RowStore


@final
class OpenStep:
    """Rows, losses and tasks of a step, added up over its micro-batches.

    Args:
        store: One row a task; or a single row, of the weighted sum of the losses.
        coefficients: For the single row: how much each loss weighs in it.
        tasks: Number of tasks.
        device: Where the losses are; `home` is where float64 is, which is not on every device.
    """

    def __init__(
        self,
        store: RowStore,
        coefficients: Float[Tensor, " tasks"] | None,
        *,
        tasks: int,
        device: torch.device,
        home: torch.device,
    ) -> None:
        self.store, self.coefficients = store, coefficients
        self.losses: Float[Tensor, " tasks"] = torch.zeros(tasks, dtype=torch.float64, device=home)
        self.present: list[int] = []
        self._tasks, self._device, self._home = tasks, device, home

    def add(self, losses: Mapping[int, Tensor]) -> None:
        """Run the backward passes of a micro-batch."""
        if not losses:
            return
        values = loss_vector(losses, self._tasks, self._home)
        if self.coefficients is not None:
            factors = on_device(self.coefficients, self._device).unbind()
            passing = [factors[task].to(loss.dtype) for task, loss in losses.items()]
            self.store.add(0, partial(torch.autograd.backward, list(losses.values()), passing))
        else:
            last = max(losses)
            for task, loss in losses.items():
                self.store.add(task, partial(_backward, loss, retain_graph=task != last))
        self.losses = self.losses + values
        self.present = sorted({*self.present, *losses})

    def present_mask(self) -> Bool[Tensor, " tasks"]:
        """Return which tasks had a graph in any micro-batch."""
        return task_mask(self.present, self._tasks, self._home)


def _backward(loss: Tensor, *, retain_graph: bool) -> None:
    try:
        torch.autograd.backward(loss, retain_graph=retain_graph)
    except RuntimeError as error:
        if "donated buffers" not in str(error):
            raise
        raise RuntimeError(
            "the backward pass of this model was compiled to be run once a forward pass; let "
            "TaskGradients run before the first backward pass of the compiled model, or set "
            "torch._functorch.config.donated_buffer = False before compiling"
        ) from error


def task_mask(places: Container[int], tasks: int, home: torch.device) -> Bool[Tensor, " tasks"]:
    """Return True for the given tasks, copied to the device without waiting for it.

    >>> task_mask([1], 3, torch.device("cpu"))
    tensor([False,  True, False])
    """
    mask = [place in places for place in range(tasks)]
    return torch.tensor(mask).to(home, non_blocking=True)


def on_device(values: Float[Tensor, " tasks"], device: torch.device) -> Float[Tensor, " tasks"]:
    """Return float64 numbers where gradients are, in float32 on a device without float64."""
    return values.to(device, torch.float32 if device.type == "mps" else torch.float64)


def loss_vector(
    losses: Mapping[int, Tensor], tasks: int, home: torch.device
) -> Float[Tensor, " tasks"]:
    """Return the values of the losses in float64, 0 where a task is absent.

    >>> loss_vector({1: torch.tensor(2.0)}, 3, torch.device("cpu"))
    tensor([0., 2., 0.], dtype=torch.float64)
    """
    zero = torch.zeros((), dtype=torch.float64, device=home)
    values = [
        losses[k].detach().to(home, torch.float64) if k in losses else zero for k in range(tasks)
    ]
    return torch.stack(values)
