"""Learning-rate schedules as pure functions of the step."""

import math

from gradtruce.training.config import ScheduleConfig


def learning_rate(
    schedule: ScheduleConfig, peak: float, *, step: int, total_steps: int, steps_per_epoch: int
) -> float:
    """Return the learning rate of a group of parameters in a step.

    Args:
        schedule: Which schedule, with its settings.
        peak: Learning rate of the group.
        step: Optimizer steps completed before this one.
        total_steps: Optimizer steps of the run.
        steps_per_epoch: Optimizer steps of an epoch.

    >>> schedule = ScheduleConfig(name="constant", warm_up_epochs=1, warm_up_from=1.0)
    >>> [learning_rate(schedule, 3.0, step=step, total_steps=4, steps_per_epoch=1)
    ...  for step in (0, 1)]
    [2.0, 3.0]
    """
    places = {"step": step, "total_steps": total_steps, "steps_per_epoch": steps_per_epoch}
    factor = rate_factor(schedule, **places)
    if step >= warm_up_steps(schedule, steps_per_epoch):
        return peak * factor
    lowest = min(schedule.warm_up_from, peak)
    return lowest + (peak - lowest) * factor


def warm_up_steps(schedule: ScheduleConfig, steps_per_epoch: int) -> int:
    """Return the optimizer steps in which the rate rises.

    >>> warm_up_steps(ScheduleConfig(warm_up_epochs=3), steps_per_epoch=100)
    300
    """
    steps = schedule.warm_up or schedule.warm_up_epochs * steps_per_epoch
    return min(steps, steps_per_epoch) if schedule.name == "cosine_epochs" else steps


def rate_factor(
    schedule: ScheduleConfig, *, step: int, total_steps: int, steps_per_epoch: int
) -> float:
    """Return the share of the peak learning rate that holds in a step; in the warm-up, of the rise.

    Args:
        schedule: Which schedule, with its settings.
        step: Optimizer steps completed before this one.
        total_steps: Optimizer steps of the run.
        steps_per_epoch: Optimizer steps of an epoch.

    >>> cosine = ScheduleConfig(name="cosine")
    >>> [rate_factor(cosine, step=step, total_steps=4, steps_per_epoch=2) for step in (0, 2)]
    [1.0, 0.5]
    """
    epoch, rising = step // steps_per_epoch, warm_up_steps(schedule, steps_per_epoch)
    if step < rising:
        return (step + 1) / ((schedule.warm_up or rising) + 1)
    if schedule.name == "cosine_epochs":
        epochs = math.ceil(total_steps / steps_per_epoch)
        return _cosine((epoch + 1) / epochs, schedule.final) if epoch else 1.0
    if schedule.name == "cosine":
        share = (step - rising) / max(1, total_steps - rising)
        return _cosine(min(1.0, share), schedule.final)
    if schedule.name == "step":
        return float(schedule.factor ** (epoch // schedule.every))
    return 1.0


def _cosine(share: float, final: float) -> float:
    """Return half a cosine from 1 to `final` after a share of its way."""
    return final + (1 - final) * (1 + math.cos(math.pi * share)) / 2
