import numpy as np
import pytest
from jaxtyping import Float
from scipy import stats

from gradtruce.evaluation.significance import (
    Statistic,
    bootstrap,
    draws,
    minimal_detectable_difference,
)


def mean_of(values: np.ndarray) -> Statistic:
    def mean(weights: Float[np.ndarray, "draws reports"]) -> dict[str, np.ndarray]:
        return {"mean": weights @ values / weights.sum(axis=1)}

    return mean


def test_an_interval_of_a_mean_is_that_of_scipy() -> None:
    values = np.random.default_rng(0).normal(size=200)
    score = bootstrap(mean_of(values), 200, resamples=4000)["mean"]
    theirs = stats.bootstrap(
        (values,), np.mean, n_resamples=4000, method="percentile", rng=np.random.default_rng(1)
    ).confidence_interval
    assert score.value == pytest.approx(values.mean())
    assert score.low == pytest.approx(theirs.low, abs=0.01)
    assert score.high == pytest.approx(theirs.high, abs=0.01)


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    random = np.random.default_rng(0)
    covered = 0
    for seed in range(300):
        values = random.normal(size=60)
        score = bootstrap(mean_of(values), 60, resamples=300, seed=seed)["mean"]
        assert score.low is not None
        assert score.high is not None
        covered += score.low <= 0 <= score.high
    assert 0.89 < covered / 300 < 0.98


def test_the_same_seed_gives_the_same_interval_and_another_one_another() -> None:
    values = mean_of(np.arange(20.0))
    assert bootstrap(values, 20, seed=1) == bootstrap(values, 20, seed=1)
    assert bootstrap(values, 20, seed=1) != bootstrap(values, 20, seed=2)


def test_draws_do_not_depend_on_how_many_are_made_at_a_time() -> None:
    rows = np.concatenate(list(draws(reports=100_000, resamples=5, seed=3)))
    expected = np.random.default_rng(3).integers(0, 100_000, size=(5, 100_000))
    assert rows.shape == (5, 100_000)
    for row, drawn in zip(rows, expected, strict=True):
        assert (row == np.bincount(drawn, minlength=100_000)).all()


def test_an_undefined_score_has_a_reason_and_no_value() -> None:
    def nothing(weights: Float[np.ndarray, "draws reports"]) -> dict[str, np.ndarray]:
        return {"a": np.full(len(weights), np.nan), "b": np.full(len(weights), np.nan)}

    scores = bootstrap(nothing, 3, undefined={"a": "no label is known"})
    assert scores["a"].value is scores["a"].low is None
    assert scores["a"].reason == "no label is known"
    assert scores["b"].reason == "not defined on these reports"


def test_draws_without_a_value_are_left_out_of_the_interval() -> None:
    def first_report_only(weights: Float[np.ndarray, "draws reports"]) -> dict[str, np.ndarray]:
        return {"a": np.where(weights[:, 0] > 0, 2.0, np.nan)}

    score = bootstrap(first_report_only, 3)["a"]
    assert (score.value, score.low, score.high) == (2.0, 2.0, 2.0)


def test_no_resamples_give_no_interval() -> None:
    score = bootstrap(mean_of(np.arange(3.0)), 3, resamples=0)["mean"]
    assert (score.value, score.low, score.high) == (1.0, None, None)


def test_a_single_report_gives_an_interval_of_no_width() -> None:
    score = bootstrap(mean_of(np.array([0.4])), 1)["mean"]
    assert score.low == score.value == score.high == 0.4


@pytest.mark.parametrize(("reports", "resamples"), [(0, 10), (3, -1)])
def test_numbers_that_make_no_sense_are_errors(reports: int, resamples: int) -> None:
    with pytest.raises(ValueError, match=r"no report|at least 0"):
        bootstrap(mean_of(np.arange(3.0)), reports, resamples=resamples)


@pytest.mark.parametrize("seeds", [2, 3, 5, 20])
def test_the_detectable_difference_is_detected_at_the_stated_power(seeds: int) -> None:
    std = 0.7
    smallest = minimal_detectable_difference(std, seeds)
    samples = np.random.default_rng(seeds).normal(smallest, std, size=(40_000, seeds))
    found = stats.ttest_1samp(samples, 0.0, axis=1).pvalue < 0.05
    assert found.mean() == pytest.approx(0.8, abs=0.01)


def test_the_detectable_difference_of_many_seeds_is_the_textbook_one() -> None:
    textbook = (stats.norm.isf(0.025) + stats.norm.isf(0.2)) / np.sqrt(2000)
    assert minimal_detectable_difference(1.0, 2000) == pytest.approx(textbook, rel=2e-3)


def test_without_spread_any_difference_is_detectable() -> None:
    assert minimal_detectable_difference(0.0, 5) == 0


@pytest.mark.parametrize(
    ("std", "seeds", "power", "significance"),
    [
        (-1, 5, 0.8, 0.05),
        (1, 1, 0.8, 0.05),
        (np.nan, 5, 0.8, 0.05),
        (1, 5, 1.0, 0.05),
        (1, 5, 0.04, 0.05),
    ],
)
def test_bad_arguments_of_the_detectable_difference_are_errors(
    std: float, seeds: int, power: float, significance: float
) -> None:
    with pytest.raises(ValueError, match="needs"):
        minimal_detectable_difference(float(std), seeds, power=power, significance=significance)
