import math

import numpy as np
import pytest

from gradtruce.analysis.estimate import (
    mean_estimate,
    ratio_estimate,
    share_difference,
    share_estimate,
)


def autoregressive(generator, runs, steps, memory):
    noise = generator.standard_normal((runs, steps + 50))
    values = np.zeros_like(noise)
    for step in range(1, steps + 50):
        values[:, step] = memory * values[:, step - 1] + noise[:, step]
    return values[:, 50:]


def coverage(estimates, truth):
    return np.mean([found.low <= truth <= found.high for found in estimates])


@pytest.mark.parametrize(
    ("steps", "memory", "least"),
    [(16, 0.0, 0.93), (16, 0.3, 0.9), (200, 0.0, 0.93), (200, 0.3, 0.9), (200, 0.5, 0.88)],
)
def test_the_interval_of_a_mean_covers_it_as_often_as_its_docstring_says(steps, memory, least):
    runs = autoregressive(np.random.default_rng(0), 600, steps, memory)
    assert coverage([mean_estimate(run) for run in runs], 0.0) > least


def test_an_interval_for_independent_values_misses_where_they_are_not():
    runs = autoregressive(np.random.default_rng(0), 400, 200, 0.7)
    assert coverage([mean_estimate(run, block=1) for run in runs], 0.0) < 0.8


@pytest.mark.parametrize("share", [0.02, 0.3, 0.5])
def test_the_interval_of_a_share_covers_it_even_near_zero(share):
    runs = np.random.default_rng(1).random((600, 20)) < share
    assert coverage([share_estimate(run.astype(float)) for run in runs], share) > 0.91


@pytest.mark.parametrize("shares", [(0.0, 0.0), (0.1, 0.3), (0.5, 0.5)])
def test_the_interval_of_an_excess_covers_it(shares):
    generator = np.random.default_rng(2)
    pair, null = (generator.random((600, 16)) < share for share in shares)
    found = [share_difference(a.astype(float) - b) for a, b in zip(pair, null, strict=True)]
    assert coverage(found, shares[0] - shares[1]) > 0.91


@pytest.mark.parametrize("paired", [True, False])
def test_the_interval_of_a_ratio_covers_it(paired):
    generator = np.random.default_rng(3)
    base = generator.gamma(8.0, size=(600, 12))
    other = (
        base * generator.gamma(20.0, 1 / 20, base.shape)
        if paired
        else generator.gamma(8.0, size=base.shape)
    )
    found = [ratio_estimate(2 * a, b, paired=paired) for a, b in zip(other, base, strict=True)]
    assert coverage(found, 2.0) > 0.91


def test_a_positive_mean_has_no_negative_end():
    assert mean_estimate([0.1, 0.1, 4.0], block=1, is_positive=True).low > 0


def test_unknown_values_are_left_out_and_none_at_all_is_nan():
    assert mean_estimate([1.0, math.nan, 3.0]).value == 2.0
    assert math.isnan(mean_estimate([math.nan]).value)
    assert math.isnan(share_estimate([]).value)


def test_a_ratio_of_pairs_needs_as_many_of_each():
    with pytest.raises(ValueError, match="got 3 and 2"):
        ratio_estimate([1.0, 2.0, 3.0], [1.0, 2.0], paired=True)
