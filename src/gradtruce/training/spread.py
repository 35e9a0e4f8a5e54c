"""How a method is spread over the processes of a run: in one, copied to each, or cut in pieces."""

import copy
import inspect
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any, Final, final

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parallel import DistributedDataParallel

from gradtruce.methods.blocks.encoder_decoder import EncoderDecoderMethod
from gradtruce.methods.registry import Method
from gradtruce.training.config import Parallel
from gradtruce.training.pieces import put_together
from gradtruce.training.world import World

_LEAVES_BUFFERS: Final[dict[str, Any]] = (  # the second name is that of torch before 2.13
    {"forward_sync_buffers": False}
    if "forward_sync_buffers" in inspect.signature(DistributedDataParallel).parameters
    else {"broadcast_buffers": False}
)


class Spread(ABC):
    """A method, and what it takes to train it in several processes.

    Attributes:
        method: Knows tasks, counts and hooks; its parameters are those that the optimizer holds.
        balanced: What the engine is given.
    """

    method: Method
    balanced: nn.Module

    @abstractmethod
    def losses(self, **inputs: Any) -> Mapping[str, Tensor]:  # as those of the method
        """Return the losses of a micro-batch of this process."""

    @abstractmethod
    def whole(self) -> Method:
        """Return a method with all of the present weights, to generate and to be saved.

        All processes must call it, and all get the same. It may be the method itself.
        """


@final
class InOneProcess(Spread):
    """The method as it is.

    Args:
        method: On its device.
    """

    def __init__(self, method: Method) -> None:
        self.method = self.balanced = method

    def losses(self, **inputs: Any) -> Mapping[str, Tensor]:  # as those of the method
        """Return the losses of a micro-batch."""
        losses: Mapping[str, Tensor] = self.method(**inputs).losses
        return losses

    def whole(self) -> Method:
        """Return the method."""
        return self.method


@final
class Copied(Spread):
    """Data parallel training: every process has the whole method, as the first one has it.

    Batch normalisation takes its statistics from the studies of one process. The running ones are
    averaged over processes when the method is asked for, which comes to the same as after every
    step, because they are linear in what each step adds. `SyncBatchNorm` would be another way; it
    is not taken because it communicates in each of the backward passes of a step, and processes
    whose batches lack a task run fewer of them.

    Args:
        method: On its device.
        world: All processes.
    """

    def __init__(self, method: Method, world: World) -> None:
        self.method, self._world = method, world
        self.balanced = DistributedDataParallel(method, **_LEAVES_BUFFERS)

    def losses(self, **inputs: Any) -> Mapping[str, Tensor]:  # as those of the method
        """Return the losses of a micro-batch of this process."""
        losses: Mapping[str, Tensor] = self.balanced(**inputs).losses
        return losses

    def whole(self) -> Method:
        """Return the method, its running statistics averaged."""
        average_statistics(self.method, self._world)
        return self.method


@final
class Sharded(Spread):
    """Fully sharded training (FSDP2): every process has a piece of each parameter.

    Gradients of all tasks and the optimizer's state are in pieces; the parameters are put together
    for a step. One more method, whole, is kept for evaluation and saving, where processes do not
    run in step.

    Args:
        method: On its device; cut here.
        world: All processes.

    Raises:
        ValueError: If the method has a hook after each step, which might look at parameters.
    """

    def __init__(self, method: Method, world: World) -> None:
        _require_no_hook(method)
        world.share(method.state_dict().values())
        self._world, self._copy = world, copy.deepcopy(method)
        mesh = init_device_mesh(method.device.type, (world.size,))
        self.method = self.balanced = method
        self._called = _Losses(method)
        fully_shard(self._called, mesh=mesh)

    def losses(self, **inputs: Any) -> Mapping[str, Tensor]:  # as those of the method
        """Return the losses of a micro-batch of this process."""
        losses: Mapping[str, Tensor] = self._called(**inputs)
        return losses

    def whole(self) -> Method:
        """Return the other method, with the present weights."""
        average_statistics(self.method, self._world)
        state = {name: put_together(each) for name, each in self.method.state_dict().items()}
        self._copy.load_state_dict(state)
        self._copy.decoding = self.method.decoding
        self._copy.train(self.method.training)
        return self._copy


@final
class _Losses(nn.Module):
    """Calls a method for its losses alone.

    `fully_shard` changes the class of what it is given, which that of a method does not allow; and
    it watches every tensor that is returned.
    """

    def __init__(self, method: Method) -> None:
        super().__init__()
        self.method = method

    def forward(self, **inputs: Any) -> Mapping[str, Tensor]:  # as those of the method
        """Return the losses."""
        losses: Mapping[str, Tensor] = self.method(**inputs).losses
        return losses


def spread(method: Method, world: World, parallel: Parallel) -> Spread:
    """Return the method as the processes of a run train it.

    Args:
        method: The same in all processes, on the device of each.
        world: All processes.
        parallel: As `training.parallel`; without meaning for one process.

    Raises:
        ValueError: If the method can't be spread so.
    """
    if world.size == 1:
        return InOneProcess(method)
    return Copied(method, world) if parallel == "data" else Sharded(method, world)


def average_statistics(method: nn.Module, world: World) -> None:
    """Give the running statistics of batch normalisation their mean over processes."""
    running = list(_running_statistics(method))
    if not running:
        return
    flat = torch.cat([each.flatten().double() for each in running])  # the mean of equals is exact
    sizes = [each.numel() for each in running]
    means = torch.split(world.total(flat) / world.size, sizes)
    for each, mean in zip(running, means, strict=True):
        each.copy_(mean.view_as(each))


def has_batch_statistics(method: nn.Module) -> bool:
    """Return whether a layer normalises by the statistics of the batch while training.

    >>> has_batch_statistics(nn.BatchNorm1d(1)), has_batch_statistics(nn.BatchNorm1d(1).eval())
    (True, False)
    """
    return any(isinstance(each, _BatchNorm) and each.training for each in method.modules())


def _running_statistics(method: nn.Module) -> Iterator[Tensor]:
    for module in method.modules():
        if isinstance(module, _BatchNorm):
            for each in (module.running_mean, module.running_var):
                if each is not None:
                    yield each


def has_step_hook(method: Method) -> bool:
    """Return whether a method does something in `on_step_end`."""
    return type(method).on_step_end is not EncoderDecoderMethod.on_step_end


def _require_no_hook(method: Method) -> None:
    if has_step_hook(method):
        raise ValueError(
            f"training.parallel = 'sharded' is not for {method.method_name!r}, which looks at its "
            "weights after every step, and would find pieces of them; take 'data'"
        )
