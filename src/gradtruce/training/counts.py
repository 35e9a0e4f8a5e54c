"""How many terms the loss of each task averages over, on all processes and micro-batches."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from gradtruce.data.batch import Batch
from gradtruce.methods.registry import Method
from gradtruce.training.world import World


def normalizers_of(batches: Sequence[Batch], method: Method, world: World) -> dict[str, Tensor]:
    """Return what the loss of every task is divided by, for `forward`.

    The count over all micro-batches and processes, divided by the number of processes, because the
    engine averages rows and losses over processes and adds both over micro-batches.

    Args:
        batches: The micro-batches of this process; may be none.
        method: Counts.
        world: All processes, which must have the same tasks with targets in their data.
    """
    local = _summed([method.loss_counts(batch) for batch in batches])
    if world.size == 1:
        return local
    names = [task.name for task in method.tasks]
    zero = torch.zeros((), device=method.device)
    counts = torch.stack([local.get(name, zero).to(torch.float64) for name in names])
    means = (world.total(counts) / world.size).to(method.dtype)
    return {name: means[place] for place, name in enumerate(names) if name in local}


def _summed(counts: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    total: dict[str, Tensor] = {}
    for count in counts:
        for task, terms in count.items():
            total[task] = total[task] + terms if task in total else terms
    return total
