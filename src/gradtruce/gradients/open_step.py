"""What the micro-batches of one step have brought so far."""

from collections.abc import Callable, Collection, Container, Mapping
from functools import partial
from typing import NamedTuple, final

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from gradtruce.gradients.backward_pass import backward_pass
from gradtruce.gradients.rows import RowStore
from gradtruce.gradients.scaling import KeptState
from gradtruce.gradients.weighted_pass import WeightedPass


class Seen(NamedTuple):
    """Geometry and coefficients of a step whose rows are gradients of features.

    Attributes:
        gramian: Of the features' gradients, unscaled.
        active: Tasks with a gradient there.
        coefficients: a.
        broken: Tasks whose gradient there is not finite.
    """

    gramian: Float[Tensor, "tasks tasks"]
    active: Bool[Tensor, " tasks"]
    coefficients: Float[Tensor, " tasks"]
    broken: Bool[Tensor, " tasks"]


@final
class OpenStep:
    """Rows, losses and tasks of a step, added up over its micro-batches.

    Args:
        store: One row a task; or a single row, of the weighted sum of the losses.
        weighted: For the single row: how the losses are weighed in it.
        tasks: Number of tasks.
        device: Where the losses are; `home` is where float64 is, which is not on every device.
        scale: What a gradient scaler multiplies all losses with; `None` without one.
        seen: For the single row: the geometry that its coefficients come from, where there is one.
        kept: For the single row: the balancer's state from before its coefficients.
        reads_scope: Whether the host reads which rows are non-zero, whatever the step; what the
            steps that follow leave out of scope must be known to have one owner.
    """

    def __init__(
        self,
        store: RowStore,
        weighted: WeightedPass | None,
        *,
        tasks: int,
        device: torch.device,
        home: torch.device,
        scale: Float[Tensor, ""] | None = None,
        seen: "Seen | None" = None,
        kept: KeptState | None = None,
        reads_scope: bool = False,
    ) -> None:
        self.store, self.weighted, self.scale = store, weighted, scale
        self.seen, self.kept, self.reads_scope = seen, kept, reads_scope
        self.losses: Float[Tensor, " tasks"] = torch.zeros(tasks, dtype=torch.float64, device=home)
        self.present: list[int] = []
        self._tasks, self._device, self._home = tasks, device, home

    def add(
        self,
        losses: Mapping[int, Tensor],
        everywhere: Collection[int] = (),
        complete: Callable[[int], None] | None = None,
    ) -> None:
        """Run the backward passes of a micro-batch.

        Args:
            losses: Of this process, by the place of their task.
            everywhere: Tasks of the step on any process.
            complete: Called for each row that is to come to no more, at once, so that processes
                exchange it during the next backward pass: in the same order on all of them.
        """
        values = loss_vector(losses, self._tasks, self._home)
        last = max(losses, default=None)
        if self.weighted is not None:
            if losses:
                self.store.add(0, partial(self.weighted.run, losses, self.scale))
            if complete is not None:
                complete(0)
        else:
            for task in range(self._tasks):
                if task in losses:
                    self._add_row(task, losses[task], retain_graph=task != last)
                if complete is not None and task in everywhere:
                    complete(task)
        self.losses = self.losses + values
        self.present = sorted({*self.present, *losses})

    def _add_row(self, task: int, loss: Tensor, *, retain_graph: bool) -> None:
        # a copy, since a gradient may lie in its memory
        seed = None if self.scale is None else self.scale.to(loss.dtype, copy=True)
        self.store.add(task, partial(backward_pass, [loss], [seed], retain_graph=retain_graph))

    def present_mask(self) -> Bool[Tensor, " tasks"]:
        """Return which tasks had a graph in any micro-batch."""
        return task_mask(self.present, self._tasks, self._home)


def task_mask(places: Container[int], tasks: int, home: torch.device) -> Bool[Tensor, " tasks"]:
    """Return True for the given tasks, copied to the device without waiting for it.

    >>> task_mask([1], 3, torch.device("cpu"))
    tensor([False,  True, False])
    """
    mask = [place in places for place in range(tasks)]
    return torch.tensor(mask).to(home, non_blocking=True)


def on_device(values: Float[Tensor, "*any"], device: torch.device) -> Float[Tensor, "*any"]:
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
