import pytest

from gradtruce.training.config import ScheduleConfig
from gradtruce.training.schedule import learning_rate, rate_factor


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


def test_cosine_by_epochs_has_the_published_rates_of_promptmrg():
    schedule = ScheduleConfig(name="cosine_epochs", final=0.1, warm_up=2)
    rates = [5e-5 * factor for factor in factors(schedule, 18, 3)]
    assert rates[2] == 5e-5
    assert rates[3::3] == pytest.approx([3.875e-5, 2.75e-5, 1.625e-5, 8.01e-6, 5e-6], rel=1e-3)
    assert rates[3] == rates[4] == rates[5]


def test_the_warm_up_of_cosine_by_epochs_ends_with_the_first():
    schedule = ScheduleConfig(name="cosine_epochs", warm_up=10)
    assert factors(schedule, 8, 2)[1:3] == pytest.approx([2 / 11, 0.5])


def rates(schedule: ScheduleConfig, peak: float, total: int, per_epoch: int) -> list[float]:
    return [
        learning_rate(schedule, peak, step=step, total_steps=total, steps_per_epoch=per_epoch)
        for step in range(total)
    ]


def test_a_warm_up_in_epochs_is_one_in_steps():
    for name in ("constant", "cosine", "step"):
        steps, epochs = (
            ScheduleConfig(name=name, warm_up=6),
            ScheduleConfig(name=name, warm_up_epochs=3),
        )
        assert rates(steps, 0.3, 12, 2) == rates(epochs, 0.3, 12, 2)


def test_a_warm_up_may_rise_from_one_rate_for_all_groups():
    schedule = ScheduleConfig(name="constant", warm_up_epochs=2, warm_up_from=1.0)
    assert rates(schedule, 6.0, 6, 2) == pytest.approx([2.0, 3.0, 4.0, 5.0, 6.0, 6.0])
    assert rates(schedule, 11.0, 6, 2) == pytest.approx([3.0, 5.0, 7.0, 9.0, 11.0, 11.0])
    assert rates(schedule, 0.0, 3, 2) == [0.0, 0.0, 0.0]


def test_a_warm_up_in_steps_and_epochs_is_refused():
    with pytest.raises(ValueError, match="4 steps or 1 epochs long, not both"):
        ScheduleConfig(warm_up=4, warm_up_epochs=1)
