"""Arms against the reference arm: means, differences, Holm, ranks, verdicts."""

import numpy as np
import pytest

from gradtruce.study.results.measures import measures
from gradtruce.study.results.outline import outline
from gradtruce.study.results.pooling import pool
from gradtruce.study.results.ranks import ranks
from gradtruce.study.results.record import ComparisonRecord
from gradtruce.study.results.resampling import CellScores, Resampled
from gradtruce.study.results.statistics import arm_scores, compare_arms
from gradtruce.study.results.verdict import verdict_line, verdicts
from tests.study.made_study import plan

METRIC = measures()[0].record.name
ONLY = measures()[:1]


def cell(levels, *, spread=0.01, seeds=5, noise=0.0):
    """Return the scores of a cell whose arms have the given means."""
    shift = np.random.default_rng(3).normal(0, spread, size=seeds)
    table = {}
    for number, (arm, level) in enumerate(levels.items()):
        own = np.random.default_rng(number).normal(0, noise, size=seeds)
        for seed in range(seeds):
            observed = level + shift[seed] + own[seed]
            draws = np.random.default_rng(4).normal(observed, 0.001, size=50)
            table[arm, seed] = Resampled(float(observed), draws)
    return CellScores({METRIC: table}, {}, 40)


def outlined(*arms, methods=1):
    names = {f"m{at}": f"M{at}" for at in range(methods)}
    return outline(plan(range(5), ("linear", *arms), names))


def test_means_and_standard_deviations_over_seeds_by_hand():
    table = {
        ("linear", seed): Resampled(value, np.zeros(3))
        for seed, value in enumerate([1.0, 2.0, 6.0])
    }
    scores = {
        score.arm: score
        for score in arm_scores(
            outlined("famo"), {"m0/phantom": CellScores({METRIC: table}, {}, 3)}, ONLY
        )
    }
    assert (scores["linear"].mean, scores["linear"].std) == (3.0, pytest.approx(np.sqrt(7)))
    assert (scores["famo"].mean, scores["famo"].reason) == (None, "no run is finished")


def test_holm_by_hand_over_three_arms():
    """Holm (1979): 3 × the smallest, 2 × the next, 1 × the last, never falling."""
    levels = {"linear": 0.5, "a": 0.56, "b": 0.5, "c": 0.53}
    found = compare_arms(outlined("a", "b", "c"), {"m0/phantom": cell(levels, noise=0.01)}, ONLY)
    p = sorted(each.p for each in found.comparisons)
    corrected = sorted(each.p_holm for each in found.comparisons)
    assert corrected[0] == pytest.approx(min(1, 3 * p[0]))
    assert corrected[1] == pytest.approx(max(corrected[0], min(1, 2 * p[1])))
    assert corrected[2] == pytest.approx(max(corrected[1], p[2]))
    assert found.families[0].size == 3
    assert "the 3 tested comparisons with Linear" in found.families[0].name


def test_an_arm_that_is_better_on_all_seeds_wins_and_a_worse_one_loses():
    levels = {"linear": 0.5, "good": 0.6, "bad": 0.4, "same": 0.5}
    found = compare_arms(
        outlined("good", "bad", "same"), {"m0/phantom": cell(levels, noise=0.005)}, ONLY
    )
    outcomes = {each.arm: each.outcome for each in found.comparisons}
    assert outcomes == {"good": "better", "bad": "worse", "same": "undecided"}
    good = found.comparisons[0]
    assert good.low < good.difference < good.high
    assert 0 < good.detectable < good.detectable_holm


def test_one_seed_has_a_difference_and_no_test():
    found = compare_arms(
        outlined("a"), {"m0/phantom": cell({"linear": 0.5, "a": 0.6}, seeds=1)}, ONLY
    )
    (only,) = found.comparisons
    assert only.difference == pytest.approx(0.1)
    assert (only.p, only.low, only.outcome) == (None, None, "untested")
    assert "one seed" in only.reason
    assert found.families[0].size == 0


def test_only_the_seeds_that_both_arms_have_are_compared():
    full = cell({"linear": 0.5, "a": 0.6}, noise=0.01)
    table = {key: value for key, value in full.scores[METRIC].items() if key != ("a", 0)}
    found = compare_arms(outlined("a"), {"m0/phantom": CellScores({METRIC: table}, {}, 40)}, ONLY)
    (only,) = found.comparisons
    expected = np.mean(
        [table["a", seed].observed - table["linear", seed].observed for seed in range(1, 5)]
    )
    assert only.seeds == 4
    assert only.difference == pytest.approx(expected)


def test_a_study_of_one_arm_or_of_nothing_compares_nothing():
    alone = compare_arms(outlined(), {"m0/phantom": cell({"linear": 0.5})}, ONLY)
    assert alone.comparisons == ()
    empty = compare_arms(outlined("a"), {"m0/phantom": CellScores()}, ONLY)
    assert empty.comparisons[0].seeds == 0
    assert ranks(outlined("a"), {"m0/phantom": CellScores()}, ONLY) == ()


def test_the_order_of_the_arms_changes_no_number():
    levels = {"linear": 0.5, "a": 0.52, "b": 0.49}
    scores = {"m0/phantom": cell(levels, noise=0.01)}
    one = compare_arms(outlined("a", "b"), scores, ONLY).comparisons
    other = compare_arms(outlined("b", "a"), scores, ONLY).comparisons
    assert {each.arm: each for each in one} == {each.arm: each for each in other}


def test_a_score_without_a_value_says_why():
    lacking = CellScores({METRIC: {}}, {METRIC: {("linear", 0): "no labels"}}, 40)
    (only,) = compare_arms(outlined("a"), {"m0/phantom": lacking}, ONLY).comparisons
    assert (only.difference, only.reason) == (None, "no labels")


def test_ranks_by_hand_over_two_cells():
    first = cell({"linear": 0.5, "a": 0.7, "b": 0.6})
    second = cell({"linear": 0.5, "a": 0.6, "b": 0.7})
    found = ranks(outlined("a", "b", methods=2), {"m0/phantom": first, "m1/phantom": second}, ONLY)
    assert {each.arm: each.rank for each in found} == {"a": 1.5, "b": 1.5, "linear": 3.0}
    assert found[-1].arm == "linear"
    assert found[-1].low == found[-1].high == 3.0


def test_ties_share_a_rank_and_close_arms_have_wide_intervals():
    found = ranks(outlined("a"), {"m0/phantom": cell({"linear": 0.5, "a": 0.5})}, ONLY)
    assert [each.rank for each in found] == [1.5, 1.5]
    close = cell({"linear": 0.5, "a": 0.501}, noise=0.02)
    wide = ranks(outlined("a"), {"m0/phantom": close}, ONLY)
    assert (wide[0].low, wide[0].high) == (1.0, 2.0)


def record(difference, error=0.01, freedom=4.0, outcome="undecided", arm="a"):
    return ComparisonRecord(
        cell="c",
        arm=arm,
        metric=METRIC,
        seeds=5,
        difference=difference,
        error=error,
        freedom=freedom,
        outcome=outcome,
    )


def test_the_mean_over_cells_by_hand():
    mean = pool([record(0.02), record(0.04)])
    low, high = mean.interval()
    # variance (1e-4 + 1e-4) / 4 = 5e-5 with (5e-5)² / (2 · (2.5e-5)² / 4) = 8 degrees
    assert mean.difference == pytest.approx(0.03)
    assert mean.freedom == pytest.approx(8)
    assert high - 0.03 == pytest.approx(2.306004 * np.sqrt(5e-5), rel=1e-5)
    assert 0.03 - low == pytest.approx(high - 0.03)
    assert mean.p(beyond=high) == pytest.approx(0.05)
    assert pool([]) is None


@pytest.mark.parametrize(
    ("outcomes", "line"),
    [
        (["better", "worse", "undecided"], "better on 1 of 3 methods, worse on 1, at 95 %"),
        (["undecided", "undecided"], "better on none of 2 methods, worse on none, at 95 %"),
        (["better", "untested"], "better on 1 of 1 methods, worse on none, at 95 %"),
        (["better"], "better, at 95 %"),
        (["worse"], "worse, at 95 %"),
        (["untested"], "not tested: needs two seeds"),
    ],
)
def test_the_verdict_in_words(outcomes, line):
    assert verdict_line(outcomes, comparisons=6).startswith(line)


def test_a_verdict_counts_wins_ties_and_losses():
    both = {
        "m0/phantom": cell({"linear": 0.5, "a": 0.6}, noise=0.005),
        "m1/phantom": cell({"linear": 0.5, "a": 0.5}, noise=0.005),
    }
    sketch = outlined("a", methods=2)
    found = compare_arms(sketch, both, ONLY)
    (only,) = verdicts(sketch, found.comparisons, found.families)
    assert (only.wins, only.ties, only.losses, only.untested) == (1, 1, 0, 0)
    assert only.line == (
        "better on 1 of 2 methods, worse on none, at 95 % (Holm over 2 comparisons)"
    )
