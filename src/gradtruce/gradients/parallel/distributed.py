"""How a model is spread over processes: not at all, copied by DDP, or sharded by FSDP2."""

from collections.abc import Sequence

import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from gradtruce.gradients.parallel.ranks import OneProcess, Ranks
from gradtruce.gradients.parallel.replicas import Replicas
from gradtruce.gradients.parallel.shards import Shards


def ranks_of(
    model: nn.Module,
    names: Sequence[str],
    parameters: Sequence[nn.Parameter],
    *,
    sketch: int | None = None,
    seed: int | None = None,
) -> Ranks:
    """Return how the processes of a run share the work, found from the model.

    Args:
        model: Wrapped in `DistributedDataParallel`, sharded by `fully_shard`, or neither, which is
            for a single process.
        names: Of the parameters.
        parameters: All parameters of the model.
        sketch: Numbers of a row's sketch, for DDP; `None` for the exact Gramian.
        seed: Of the sketches.

    Raises:
        RuntimeError: If DDP has run a forward pass.
        NotImplementedError: For DDP with options that contradict several backward passes, FSDP1,
            or parameters of different kinds.
        ValueError: If there are several processes and the model is not spread over them, or
            `sketch` is out of place.

    >>> weight = nn.Linear(1, 1)
    >>> ranks_of(weight, ["weight", "bias"], list(weight.parameters())).count
    1
    """
    for module in model.modules():
        if type(module).__name__ == "FullyShardedDataParallel":
            raise NotImplementedError(
                "FullyShardedDataParallel cannot run several backward passes; use "
                "torch.distributed.fsdp.fully_shard"
            )
    wrappers = [m for m in model.modules() if isinstance(m, DistributedDataParallel)]
    sharded = [type(parameter.data).__name__ == "DTensor" for parameter in parameters]
    if sketch is not None and (not wrappers or sketch < 1):
        raise ValueError(
            f"sketch= is the size of projections for a model in DistributedDataParallel, at least "
            f"1, got {sketch}"
        )
    if wrappers:
        _require_ready(wrappers)
        _require_all(names, parameters, wrappers)
        return Replicas(wrappers, parameters, sketch=sketch, seed=seed or 0)
    if any(sharded):
        if not all(sharded):
            raise NotImplementedError(
                f"{names[sharded.index(False)]!r} is not sharded while others are; call "
                "fully_shard on the whole model last"
            )
        return Shards(parameters)
    if dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1:
        raise ValueError(
            f"there are {dist.get_world_size()} processes, but the model is neither in "
            "DistributedDataParallel nor sharded by fully_shard, so that its copies would part; do "
            "that before TaskGradients is made, and give it the wrapped model"
        )
    return OneProcess(parameters)


def _require_ready(wrappers: Sequence[DistributedDataParallel]) -> None:
    for wrapper in wrappers:
        if getattr(wrapper, "_lazy_init_ran", False):  # set by the first forward pass
            raise RuntimeError(
                "the DistributedDataParallel model has run a forward pass, in which it prepared to "
                "average the first backward pass by itself and let the others differ between "
                "ranks; make TaskGradients right after wrapping, or wrap model.module anew"
            )
        if wrapper.static_graph or wrapper.mixed_precision is not None:
            raise NotImplementedError(
                "DistributedDataParallel with static_graph or mixed_precision counts on a single "
                "backward pass; leave them out (torch.autocast serves for the latter)"
            )
        if wrapper.process_group != wrappers[0].process_group:
            raise NotImplementedError("all DistributedDataParallel modules must have one group")


def _require_all(
    names: Sequence[str],
    parameters: Sequence[nn.Parameter],
    wrappers: Sequence[DistributedDataParallel],
) -> None:
    copied = {
        id(parameter)
        for wrapper in wrappers
        for name, parameter in wrapper.module.named_parameters()
        if name not in wrapper.parameters_to_ignore
    }
    loose = [n for n, p in zip(names, parameters, strict=True) if id(p) not in copied]
    if loose:
        raise NotImplementedError(
            f"{loose[0]!r} (and {len(loose) - 1} others) is in no DistributedDataParallel, so that "
            "ranks may start from different values; wrap the whole model"
        )
