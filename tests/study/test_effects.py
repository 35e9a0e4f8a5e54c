"""The difference between two arms over seeds and studies."""

from itertools import product

import numpy as np
import pytest
from scipy import stats

from gradtruce.evaluation.significance import draws
from gradtruce.study.results.effects import (
    detectable,
    effect,
    sign_flip_p,
    standard_error,
    two_level_draws,
)
from tests.study.known_null import STUDIES, WORLDS, linear, pooled_f1, rejections


def test_where_arms_suit_all_studies_alike_it_is_the_paired_t_over_seeds():
    observed = np.array([0.02, 0.05, 0.01, 0.03, 0.04])
    drawn = np.repeat(observed[:, None], 6, axis=1)
    found = effect(observed, drawn, studies=300)
    expected = stats.ttest_1samp(observed, 0)
    low, high = expected.confidence_interval(0.95)
    assert found.p == pytest.approx(expected.pvalue)
    assert (found.low, found.high) == pytest.approx((low, high))
    assert found.freedom == 4


def test_the_variance_of_hand_worked_draws():
    observed = np.array([1.0, 3.0])
    drawn = np.array([[1.0, 3.0, 2.0], [5.0, 1.0, 3.0]])
    # between: var 2 / 2 = 1; means of draws 3, 2, 2.5: b² = .25; v² = (1 + 4) / 2 = 2.5;
    # c² = 2.25 > b², so the studies add nothing, and 1 < c² keeps 1 degree of freedom
    error, freedom = standard_error(observed, drawn, studies=10**9)
    assert (error, freedom) == (1.0, 1.0)


def test_what_seeds_share_over_studies_is_added_with_its_many_degrees_of_freedom():
    observed = np.array([1.0, 3.0])
    shared = np.array([0.0, 2.0, 4.0])
    error, freedom = standard_error(observed, np.stack([shared, shared]), studies=3)
    # between 1 with 1 degree, studies 4 × 3 / 2 with 2: 49 / (1 / 1 + 36 / 2)
    assert error**2 == pytest.approx(7.0)
    assert freedom == pytest.approx(49 / 19)


@pytest.mark.parametrize(
    ("observed", "p"),
    [([1.0, 2.0], 0.5), ([1.0, 2.0, 3.0, 4.0, 5.0], 0.0625), ([1.0, -1.0], 1.0), ([0.0, 0.0], 1.0)],
)
def test_sign_flips_of_few_seeds_by_hand(observed, p):
    assert sign_flip_p(np.array(observed)) == p


def test_sign_flips_of_many_seeds_are_drawn():
    generator = np.random.default_rng(0)
    assert sign_flip_p(generator.normal(1.0, 0.1, 20)) < 0.001
    assert sign_flip_p(generator.normal(0.0, 1.0, 20)) > 0.01


def test_the_two_level_bootstrap_agrees_with_a_slow_one():
    """Every pair of (seeds drawn, studies drawn) of a small problem, by loops."""
    values = np.array([[0.0, 1.0, 5.0], [2.0, 2.0, 3.0]])  # difference by seed and study
    slow = [
        np.mean([values[seed, study] for seed in seeds for study in studies])
        for seeds in product(range(2), repeat=2)
        for studies in product(range(3), repeat=3)
    ]
    counts = np.concatenate(list(draws(3, 60_000, 0)))
    fast = two_level_draws(values @ counts.T / 3)
    assert fast.mean() == pytest.approx(np.mean(slow), abs=0.02)
    assert fast.std() == pytest.approx(np.std(slow), abs=0.02)
    for value in np.unique(slow)[::3]:  # quantiles would jump between the few values there are
        share = (fast <= value + 1e-9).mean()
        assert share == pytest.approx(np.mean(np.array(slow) <= value + 1e-9), abs=0.01)


def test_the_order_of_the_seeds_changes_no_interval_and_no_p():
    generator = np.random.default_rng(1)
    observed, drawn = generator.normal(size=4), generator.normal(size=(4, 50))
    order = [2, 0, 3, 1]
    first, second = (
        effect(observed, drawn, studies=300),
        effect(observed[order], drawn[order], studies=300),
    )
    assert (second.low, second.high, second.p) == pytest.approx((first.low, first.high, first.p))
    assert second.p_signs == first.p_signs


def test_exchanging_the_arms_turns_the_sign_and_nothing_else():
    generator = np.random.default_rng(2)
    observed, drawn = generator.normal(0.5, 1, size=4), generator.normal(0.5, 1, size=(4, 50))
    first, second = effect(observed, drawn, studies=300), effect(-observed, -drawn, studies=300)
    assert second.difference == -first.difference
    assert (second.low, second.high) == pytest.approx((-first.high, -first.low))
    assert (second.p, second.p_signs) == (first.p, first.p_signs)


def test_arms_that_are_the_same_differ_by_nothing():
    found = effect(np.zeros(3), np.zeros((3, 5)), studies=300)
    assert (found.difference, found.low, found.high, found.p) == (0, 0, 0, 1)


def test_the_detectable_difference_grows_with_the_number_of_comparisons():
    few, many = detectable(0.01, 4.0), detectable(0.01, 4.0, comparisons=29)
    assert many > 2 * few > 0


@pytest.mark.parametrize(
    ("observed", "drawn", "message"),
    [
        (np.zeros(1), np.zeros((1, 5)), "two or more"),
        (np.zeros(2), np.zeros((3, 5)), "seeds × 2 draws"),
        (np.zeros(2), np.full((2, 5), np.nan), "finite"),
    ],
)
def test_what_can_not_be_tested_is_refused(observed, drawn, message):
    with pytest.raises(ValueError, match=message):
        effect(observed, drawn, studies=300)


def test_the_level_is_kept_where_the_paired_t_over_seeds_loses_it():
    shares = rejections(linear, WORLDS["studies"], 5, trials=300, resamples=200)
    assert shares["two-level t"] < 0.09
    assert shares["paired t"] > 0.2


@pytest.mark.slow
@pytest.mark.parametrize("world", [name for name, each in WORLDS.items() if not each.skewed])
@pytest.mark.parametrize("seeds", [3, 5])
@pytest.mark.parametrize(("make", "trials"), [(linear, 2000), (pooled_f1, 700)])
def test_the_level_is_at_most_five_percent_on_known_null_data(make, trials, world, seeds):
    share = rejections(make, WORLDS[world], seeds, trials=trials, resamples=300)["two-level t"]
    assert share < 0.05 + 3 * np.sqrt(0.05 * 0.95 / trials)


def test_a_difference_of_the_detectable_size_is_shown_in_four_of_five_trials():
    world = WORLDS["seeds"]
    std = np.hypot(world.seed, world.both / np.sqrt(STUDIES))
    mean = detectable(float(std) / np.sqrt(5), 4.0)
    shares = rejections(linear, world, 5, trials=300, resamples=200, mean=mean)
    assert shares["paired t"] == pytest.approx(0.8, abs=0.08)
    assert shares["two-level t"] == pytest.approx(0.8, abs=0.12)
