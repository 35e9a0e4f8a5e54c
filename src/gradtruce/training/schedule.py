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
    epoch = step // steps_per_epoch
    by_epoch = schedule.name == "cosine_epochs"
    if step < schedule.warm_up and not (by_epoch and epoch):
        return (step + 1) / (schedule.warm_up + 1)
    if by_epoch:
        epochs = math.ceil(total_steps / steps_per_epoch)
        return _cosine((epoch + 1) / epochs, schedule.final) if epoch else 1.0
    if schedule.name == "cosine":
        share = (step - schedule.warm_up) / max(1, total_steps - schedule.warm_up)
        return _cosine(min(1.0, share), schedule.final)
    if schedule.name == "step":
        return float(schedule.factor ** (epoch // schedule.every))
    return 1.0


def _cosine(share: float, final: float) -> float:
    """Return half a cosine from 1 to `final` after a share of its way."""
    return final + (1 - final) * (1 + math.cos(math.pi * share)) / 2
