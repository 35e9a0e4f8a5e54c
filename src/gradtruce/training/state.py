"""What a run must know to go on as if it had never stopped: the part that is no weight."""

import random
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from gradtruce.training.assembly import TrainingParts
from gradtruce.training.pieces import load_optimizer_state, whole_optimizer_state
from gradtruce.training.stepper import Stepper
from gradtruce.training.world import ALONE, World


def training_state(parts: TrainingParts, stepper: Stepper, world: World = ALONE) -> dict[str, Any]:
    """Return the state of optimizer, engine, scaler, stepper and random numbers after a step.

    Tensors, numbers, text, and lists, tuples and dicts of them: what `torch.load` reads with
    `weights_only=True`. The rates of the schedule and the place in the data follow from the step.
    It is the same whether parameters are in one process, copied or in pieces, but for the random
    numbers, of which every process has its own.

    Raises:
        RuntimeError: Between the micro-batches of a step.
    """
    scaler = parts.scaler
    return {
        "optimizer": whole_optimizer_state(parts.optimizer),
        "gradients": parts.gradients.state_dict(),
        "scaler": None if scaler is None else scaler.state_dict(),
        "seen": sorted(set[str]().union(*world.gathered(stepper.seen))),
        "skipped": stepper.skipped,
        "random": world.gathered(random_state()),
    }


def restore_training(
    state: Mapping[str, Any], parts: TrainingParts, stepper: Stepper, world: World = ALONE
) -> None:
    """Hand back what `training_state` returned; to be called last, as it sets the random numbers.

    A process that there was none of when the state was saved keeps its own.

    Raises:
        ValueError: If the state is of another method, balancer or scope.
    """
    load_optimizer_state(parts.optimizer, state["optimizer"])
    parts.gradients.load_state_dict(state["gradients"])
    if parts.scaler is not None:
        parts.scaler.load_state_dict(state["scaler"])
    stepper.seen = set(state["seen"])
    stepper.skipped = state["skipped"]
    if world.rank < len(state["random"]):
        set_random_state(state["random"][world.rank])


def seed_random(seed: int) -> None:
    """Set all global random numbers, of Python and numpy as of torch.

    >>> seed_random(3)
    >>> first = random.random()
    >>> seed_random(3)
    >>> random.random() == first
    True
    """
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 # as in random_state
    torch.manual_seed(seed)


def random_state() -> dict[str, Any]:
    """Return the state of the global random numbers of torch, on processor and GPU, and others.

    gradtruce itself draws from generators of its own; a library that it calls may not.
    """
    numpy_state = np.random.get_state(legacy=False)  # noqa: NPY002 # whoever draws from it
    assert isinstance(numpy_state, dict)  # not legacy
    state: dict[str, Any] = {
        "cpu": torch.get_rng_state(),
        "python": random.getstate(),
        "numpy": numpy_state
        | {
            "state": {
                "key": torch.from_numpy(numpy_state["state"]["key"].astype(np.int64)),
                "pos": numpy_state["state"]["pos"],
            }
        },
    }
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state()
    return state


def set_random_state(state: Mapping[str, Any]) -> None:
    """Go back to a state that `random_state` returned.

    >>> state = random_state()
    >>> first = torch.rand(3), random.random(), np.random.rand()
    >>> set_random_state(state)
    >>> bool((torch.rand(3) == first[0]).all()), random.random() == first[1]
    (True, True)
    >>> np.random.rand() == first[2]
    True
    """
    torch.set_rng_state(state["cpu"])
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"])
    random.setstate(state["python"])
    inner = state["numpy"]["state"]
    key = inner["key"].numpy().astype(np.uint32)
    np.random.set_state(  # noqa: NPY002 # as above
        {**state["numpy"], "state": {"key": key, "pos": inner["pos"]}}
    )
