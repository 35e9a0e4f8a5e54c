"""Time of a step by balancer, measured in turns so that the machine's moods hit all alike."""

import statistics
from collections.abc import Mapping
from itertools import cycle

from gradtruce.training.assembly import build_training
from gradtruce.training.config import RunConfig
from gradtruce.training.data_parts import load_data
from gradtruce.training.device import training_device
from gradtruce.training.stepper import Stepper


def seconds_per_step(
    configs: Mapping[str, RunConfig], steps: int, *, warm_up: int = 3
) -> dict[str, float]:
    """Return the median seconds of an optimizer step of each configuration.

    Each configuration trains a method of its own, on the same batches; every step is taken by all
    before the next begins. Nothing is written.

    Args:
        configs: By name; data and method must be the same in all.
        steps: Timed steps of each.
        warm_up: Steps before them, not timed.
    """
    config = next(iter(configs.values()))
    data = load_data(config)
    device = training_device()
    steppers = {
        name: Stepper(build_training(each, data), each.training) for name, each in configs.items()
    }
    batches = cycle(data.train)
    seconds: dict[str, list[float]] = {name: [] for name in configs}
    for step in range(warm_up + steps):
        micro_batches = [next(batches).to(device) for _ in range(config.training.accumulation)]
        for name, stepper in steppers.items():
            taken = stepper.step(micro_batches, step)["seconds"]
            if step >= warm_up:
                seconds[name].append(taken)
    return {name: statistics.median(taken) for name, taken in seconds.items()}
