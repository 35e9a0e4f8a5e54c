"""One of several processes that fail: `python -m tests.training.ranks.failing HOW`."""

import os
import signal
import sys

import torch

from gradtruce.training.joining import OtherProcessError, joined
from gradtruce.training.world import World, require_same


def work(world: World, how: str) -> None:
    """Fail in the last process alone, or in all; the others wait for it."""
    is_last = world.rank == world.size - 1
    if how == "kill" and is_last:
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "error" and is_last:
        raise ValueError("there is no such file here")
    if how == "other facts":
        require_same(world, "the data set", [world.rank], "copy one to all machines")
    world.total(torch.ones(1))


def main(how: str) -> int:
    """Say why this process failed, if it is the one to say so."""
    try:
        with joined() as world:
            work(world, how)
    except OtherProcessError:
        return 2
    except (ValueError, ConnectionError) as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
