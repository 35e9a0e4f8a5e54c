import math

import numpy as np
import pytest

from gradtruce.analysis.dynamics import (
    conflict_of_pair,
    excess_over_null,
    interference,
    pairs_of,
    update_of,
)


def log(cosines, cross, within):
    steps = [
        {"step": place + 1, "epoch": place // 10, "cosines": {"a|b": float(value)}}
        for place, value in enumerate(cosines)
    ]
    nulls = [
        {
            "step": 5 * place + 5,
            "cross_task": {"a|b": float(value)},
            "within_task": {"a": float(own[0]), "b": float(own[1])},
        }
        for place, (value, own) in enumerate(zip(cross, within, strict=True))
    ]
    return steps, nulls


def test_independent_gradients_conflict_half_of_the_time_and_exceed_nothing():
    generator = np.random.default_rng(0)
    steps, nulls = log(
        0.01 * generator.standard_normal(400),
        0.01 * generator.standard_normal(80),
        0.01 * generator.standard_normal((80, 2)),
    )
    found = conflict_of_pair(steps, nulls, "a|b", steps_per_epoch=10)
    share = found["same_batch"]["negative"]
    assert share["low"] < 0.5 < share["high"]
    assert found["excess"]["negative"]["low"] < 0 < found["excess"]["negative"]["high"]
    assert found["excess"]["cosine"]["low"] < 0 < found["excess"]["cosine"]["high"]


def test_noise_hides_no_real_conflict_from_the_excess():
    generator = np.random.default_rng(1)
    share, cosine = excess_over_null(
        -0.2 + 0.1 * generator.standard_normal(40),
        list(0.3 + 0.1 * generator.standard_normal((2, 40))),
    )
    assert share.is_above(0.0)
    assert cosine.is_below(0.0)


def test_the_interval_of_the_excess_covers_it():
    generator = np.random.default_rng(2)
    covered = []
    for _ in range(400):
        noise = 0.3 * generator.standard_normal((3, 16))
        share, cosine = excess_over_null(noise[0], list(0.1 + noise[1:]))
        covered.append(
            (share.low <= 0.5 - 0.369 <= share.high, cosine.low <= -0.1 <= cosine.high)
        )  # P(N(0.1, 0.3) < 0) = 0.369
    assert (np.mean(covered, axis=0) > 0.91).all()


def test_a_run_without_null_lines_has_cosines_and_no_excess():
    steps, nulls = log([0.1, -0.1] * 10, [], [])
    found = conflict_of_pair(steps, nulls, "a|b", steps_per_epoch=10)
    assert found["excess"] is None
    assert found["same_batch"]["negative"]["value"] == 0.5
    assert math.isnan(found["cross_task"]["negative"]["value"])


def test_epochs_hold_their_own_steps_and_null_lines():
    steps, nulls = log([-0.1] * 10 + [0.1] * 10, [-1, -1, 1, 1], np.ones((4, 2)))
    first, second = conflict_of_pair(steps, nulls, "a|b", steps_per_epoch=10)["epochs"]
    assert first["same_batch"]["negative"]["value"] == 1.0
    assert second["same_batch"]["negative"]["value"] == 0.0
    assert first["cross_task"]["negative"]["value"] == 1.0
    assert second["cross_task"]["negative"]["count"] == 2


def test_histograms_hold_every_known_cosine():
    steps, nulls = log([*np.linspace(-1, 1, 30), math.nan], [], [])
    histogram = conflict_of_pair(steps, nulls, "a|b", 10)["same_batch"]["histogram"]
    assert sum(histogram["counts"]) == 30
    assert histogram["edges"][0] == -1
    assert histogram["edges"][-1] == 1


def test_tasks_that_appear_late_are_found():
    assert pairs_of([{}, {"cosines": {"a|b": None}}, {"cosines": {"a|c": 0.1}}]) == ["a|b", "a|c"]


def test_opposite_equal_tasks_cancel_all_energy():
    line = {"joint_norm": 0.0, "norms": {"a": 2.0, "b": 1.0}}
    assert interference([line] * 3, {"a": 1.0, "b": 2.0})["value"] == -1.0


def test_a_log_without_geometry_gives_no_numbers_and_no_error():
    found = update_of([{"epoch": 0, "clipped": True}] * 4)
    assert math.isnan(found["all"]["retained"]["value"])
    assert found["all"]["clipped"]["value"] == 1.0


def test_the_squared_gain_is_the_ratio_of_second_moments():
    lines = [
        {"epoch": 0, "joint_norm": joint, "update_norm": 1.5 * joint} for joint in (1.0, 2.0, 7.0)
    ]
    assert update_of(lines)["all"]["squared_gain"] == pytest.approx(2.25)
