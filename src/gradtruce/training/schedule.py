"""Learning-rate schedules as pure functions of the step."""

import math

from gradtruce.training.config import ScheduleConfig


def rate_factor(
    schedule: ScheduleConfig, *, step: int, total_steps: int, steps_per_epoch: int
) -> float:
    """Return the share of the peak learning rate that holds in a step.

    Args:
        schedule: Which schedule, with its settings.
        step: Optimizer steps completed before this one.
        total_steps: Optimizer steps of the run.
        steps_per_epoch: Optimizer steps of an epoch.

    >>> cosine = ScheduleConfig(name="cosine")
    >>> [rate_factor(cosine, step=step, total_steps=4, steps_per_epoch=2) for step in (0, 2)]
    [1.0, 0.5]
    """
    if step < schedule.warm_up:
        return (step + 1) / (schedule.warm_up + 1)
    if schedule.name == "cosine":
        share = (step - schedule.warm_up) / max(1, total_steps - schedule.warm_up)
        return schedule.final + (1 - schedule.final) * (1 + math.cos(math.pi * min(1.0, share))) / 2
    if schedule.name == "step":
        epoch = step // steps_per_epoch
        return float(schedule.factor ** (epoch // schedule.every))
    return 1.0
