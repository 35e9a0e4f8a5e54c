"""The processes that train together: who this one is, and what they tell each other."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeVar, cast, final

import torch
import torch.distributed as dist
from torch import Tensor

Value = TypeVar("Value")


class World(ABC):
    """The processes (ranks) of one run.

    Every method but `is_first` is called by all of them, in the same order, and waits for all.

    Attributes:
        rank: Which process this is, from 0.
        size: How many there are.
    """

    rank: int
    size: int

    @property
    def is_first(self) -> bool:
        """Whether this is the process that writes files and speaks to the user."""
        return self.rank == 0

    @abstractmethod
    def gathered(self, value: Value) -> list[Value]:
        """Return the values of all processes, in order of rank."""

    @abstractmethod
    def by_first(self, make: Callable[[], Value]) -> Value:
        """Return to all what the first process makes; the others wait."""

    @abstractmethod
    def total(self, values: Tensor) -> Tensor:
        """Return the sum over processes, in a new tensor."""

    @abstractmethod
    def share(self, tensors: Iterable[Tensor]) -> None:
        """Overwrite tensors with those of the first process."""


@final
class OneProcess(World):
    """No other processes.

    >>> OneProcess().gathered("alone")
    ['alone']
    """

    rank, size = 0, 1

    def gathered(self, value: Value) -> list[Value]:
        """Return the value alone."""
        return [value]

    def by_first(self, make: Callable[[], Value]) -> Value:
        """Return what is made."""
        return make()

    def total(self, values: Tensor) -> Tensor:
        """Return what is given."""
        return values

    def share(self, tensors: Iterable[Tensor]) -> None:
        """Do nothing."""


ALONE: Final = OneProcess()
"""The world of a run in one process."""


@final
class Processes(World):
    """The processes of the default group of `torch.distributed`; see `joining.joined`.

    Values travel by pickle, among the processes of one run alone.
    """

    def __init__(self) -> None:
        self.rank, self.size = dist.get_rank(), dist.get_world_size()

    def gathered(self, value: Value) -> list[Value]:
        """Return the values of all processes, in order of rank."""
        found: list[Value] = [value] * self.size
        dist.all_gather_object(found, value)
        return found

    def by_first(self, make: Callable[[], Value]) -> Value:
        """Return to all what the first process makes; the others wait."""
        held = [make() if self.is_first else None]
        dist.broadcast_object_list(held, src=0)
        return cast(Value, held[0])

    def total(self, values: Tensor) -> Tensor:
        """Return the sum over processes, in a new tensor."""
        result = values.clone()
        dist.all_reduce(result)
        return result

    def share(self, tensors: Iterable[Tensor]) -> None:
        """Overwrite tensors with those of the first process."""
        with torch.no_grad():
            for tensor in tensors:
                whole = tensor.contiguous()
                dist.broadcast(whole, src=0)
                tensor.copy_(whole)


def require_same(world: World, what: str, facts: Sequence[object], remedy: str) -> None:
    """Refuse to go on where processes were told or have found different things.

    Args:
        world: All processes.
        what: Name of the thing, for the message.
        facts: Anything whose text tells it.
        remedy: What to do where it differs.

    Raises:
        ValueError: On every process, if one differs from the first.

    >>> require_same(ALONE, "the configuration", ["anything"], "start all alike")
    """
    digest = hashlib.sha256()
    for fact in facts:
        digest.update(f"{fact}\n".encode())
    found = world.gathered(digest.hexdigest())
    strange = [rank for rank, each in enumerate(found) if each != found[0]]
    if strange:
        raise ValueError(f"{what} of process {strange[0]} differs from that of process 0; {remedy}")
