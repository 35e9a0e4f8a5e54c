"""How a process joins the others that torchrun started, and how all of them end together."""

import atexit
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, final

import torch
import torch.distributed as dist
from torch.distributed.distributed_c10d import PrefixStore, Store
from torch.distributed.rendezvous import rendezvous

from gradtruce.training.world import ALONE, Processes, World

PATIENCE: Final = timedelta(hours=1)
"""How long a process waits for another: the first scores all reports while the others wait."""

GRACE: Final = timedelta(seconds=20)
"""How long a process lets the one that failed first say why, before it ends as well."""

_FAILED: Final = "gradtruce/failed"
_TOLD: Final = "gradtruce/told"


@final
class OtherProcessError(RuntimeError):
    """Another process failed first and says why; this one has nothing to add."""


@final
@dataclass(frozen=True)
class Place:
    """Where torchrun put this process.

    Attributes:
        rank: Among all processes, from 0.
        size: How many there are.
        local_rank: Among those of this machine.
        local_size: How many there are on this machine.

    >>> Place.read({}) is None
    True
    >>> Place.read({"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2"})
    Place(rank=1, size=2, local_rank=1, local_size=2)
    """

    rank: int
    size: int
    local_rank: int
    local_size: int

    @staticmethod
    def read(environment: Mapping[str, str]) -> "Place | None":
        """Return the place that the environment tells; `None` where there is one process.

        Raises:
            ValueError: If it tells how many processes there are, and not which one this is.
        """
        if int(environment.get("WORLD_SIZE", "1")) == 1:
            return None
        names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
        missing = [name for name in names if name not in environment]
        if missing:
            raise ValueError(
                f"WORLD_SIZE is {environment['WORLD_SIZE']}, but {missing[0]} is not set; start "
                "several processes by: torchrun --nproc-per-node N -m gradtruce train …"
            )
        return Place(*(int(environment[name]) for name in names))


@contextmanager
def joined() -> Iterator[World]:
    """Join the processes that torchrun started, for as long as the `with` block lasts.

    gloo connects processors, NCCL the GPUs, one a process. An error in one process ends all: the
    first that fails raises its error, the others `OtherProcessError`.

    Raises:
        ValueError: If torchrun started more processes on this machine than it has GPUs.
        ConnectionError: If another process ended without an error.

    >>> with joined() as world:
    ...     world.size
    1
    """
    place = Place.read(os.environ)
    if place is None:
        yield ALONE
        return
    _prepare(place)
    store, rank, size = next(rendezvous("env://"))
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    dist.init_process_group(
        backend,
        store=PrefixStore("gradtruce/group", store),
        rank=rank,
        world_size=size,
        timeout=PATIENCE,
    )
    try:
        yield Processes()
    except BaseException as error:  # of any kind: the others must not wait for this process
        verdict = _verdict(error, store, rank)
        if verdict is error:
            raise
        raise verdict from error
    dist.destroy_process_group()


def _prepare(place: Place) -> None:
    """Take a GPU where there are some, and a way to the others."""
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if count and place.local_size > count:
        raise ValueError(
            f"torchrun started {place.local_size} processes on a machine with {count} GPUs; each "
            f"needs one of its own: --nproc-per-node {count}"
        )
    if count:
        torch.cuda.set_device(place.local_rank)
    if place.local_size == place.size and sys.platform == "linux":
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")  # the host's name may lead nowhere


def _verdict(error: BaseException, store: Store, rank: int) -> BaseException:
    """Return what this process is to raise, given that it fails by `error`."""
    claim = f"process {rank}"
    try:
        is_first = store.compare_set(_FAILED, "", claim) == claim.encode()
        if is_first:
            atexit.register(store.set, _TOLD, claim)  # once the message is printed
        else:
            store.wait([_TOLD], GRACE)
    except (dist.DistError, RuntimeError):  # the store is gone, and its owner with it
        is_first = False
    if not is_first:
        return OtherProcessError("another process failed first")
    if _is_broken_line(error):
        return ConnectionError(
            f"process {rank} lost the others, one of which ended without a word; most often its "
            "memory ran out"
        )
    return error


def _is_broken_line(error: BaseException) -> bool:
    """Tell whether the error says that another process went away."""
    text = str(error)
    return isinstance(error, RuntimeError) and (
        isinstance(error, dist.DistError) or "gloo" in text or "NCCL" in text
    )
