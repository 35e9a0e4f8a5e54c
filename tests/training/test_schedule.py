import pytest

from gradtruce.training.config import ScheduleConfig
from gradtruce.training.schedule import rate_factor


def factors(schedule: ScheduleConfig, total: int, per_epoch: int) -> list[float]:
    return [
        rate_factor(schedule, step=step, total_steps=total, steps_per_epoch=per_epoch)
        for step in range(total)
    ]


def test_constant_stays():
    assert factors(ScheduleConfig(name="constant"), 3, 1) == [1.0, 1.0, 1.0]


def test_cosine_falls_from_peak_to_its_last_value():
    values = factors(ScheduleConfig(name="cosine", final=0.1), 101, 10)
    assert values[0] == 1.0
    assert values == sorted(values, reverse=True)
    assert values[-1] == pytest.approx(0.1, abs=1e-3)


def test_warm_up_rises_linearly_and_never_starts_at_zero():
    values = factors(ScheduleConfig(name="constant", warm_up=4), 6, 10)
    assert values == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0, 1.0])


def test_step_changes_every_so_many_epochs():
    schedule = ScheduleConfig(name="step", every=2, factor=0.1)
    assert factors(schedule, 6, 1) == pytest.approx([1, 1, 0.1, 0.1, 0.01, 0.01])
