"""The few collective operations that the engine uses, under the names of old and new torch."""

from typing import Any, Final

import torch
import torch.distributed as dist
from torch import Tensor

Group = Any  # torch.distributed.ProcessGroup, which is missing where torch has no distributed part
Work = Any  # torch.distributed.Work, as above

SMALL: Final = 1  # numbers of the operation that is tried to see what a backend can do


def summed(values: Tensor, group: Group) -> Tensor:
    """Return the sum over ranks, in a new tensor."""
    result = values.clone()
    dist.all_reduce(result, group=group)
    return result


def start_all_reduce(values: Tensor, group: Group) -> Work:
    """Start to sum over ranks in place."""
    return dist.all_reduce(values, group=group, async_op=True)


def start_reduce_scatter(part: Tensor, whole: Tensor, group: Group) -> Work:
    """Start to sum over ranks; each gets its part of the sum, in order of rank."""
    operation = getattr(dist, "reduce_scatter_single", None) or dist.reduce_scatter_tensor
    return operation(part, whole, group=group, async_op=True)


def start_all_gather(whole: Tensor, part: Tensor, group: Group) -> Work:
    """Start to collect the parts of all ranks, in order of rank."""
    operation = getattr(dist, "all_gather_single", None) or dist.all_gather_into_tensor
    return operation(whole, part, group=group, async_op=True)


def can_reduce_scatter(group: Group, device: torch.device) -> bool:
    """Return whether the backend does reduce-scatter; gloo of older releases does not."""
    part = torch.zeros(SMALL, device=device)
    try:
        start_reduce_scatter(part, part.repeat(dist.get_world_size(group)), group).wait()
    except (RuntimeError, ValueError, NotImplementedError):
        return False
    return True
