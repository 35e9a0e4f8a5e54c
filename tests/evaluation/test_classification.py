"""Agreement with scikit-learn, ties and one-valued observations included."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import precision_recall_fscore_support, roc_auc_score

from gradtruce.data.observations import OBSERVATIONS
from gradtruce.evaluation.classification import ClassificationScores

states = arrays(float, (8, 14), elements=st.sampled_from([1.0, 0.0, -1.0, np.nan]))
chances = arrays(float, (8, 14), elements=st.sampled_from([0.0, 0.2, 0.5, 0.5, 0.8, 1.0]))


def scores_of(labels: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    scores = ClassificationScores(labels, probabilities).scores(np.ones((1, len(labels))))
    return {key: float(values[0]) for key, values in scores.items()}


def area(labels: np.ndarray, probabilities: np.ndarray) -> float:
    known = ~np.isnan(labels)
    positive = labels[known] == 1
    if positive.all() or not positive.any():
        return np.nan
    return float(roc_auc_score(positive, probabilities[known]))


@given(states, chances)
def test_areas_equal_scikit_learns(labels: np.ndarray, probabilities: np.ndarray) -> None:
    labels[0, 0] = 1.0  # at least one label is known
    scores = scores_of(labels, probabilities)
    each = [area(labels[:, k], probabilities[:, k]) for k in range(14)]
    for name, expected in zip(OBSERVATIONS, each, strict=True):
        assert scores[f"auc.{name}"] == pytest.approx(expected, abs=1e-12, nan_ok=True)
    defined = [value for value in each if not np.isnan(value)]
    mean = np.mean(defined) if defined else np.nan
    assert scores["macro_auc"] == pytest.approx(mean, abs=1e-12, nan_ok=True)
    pooled = area(labels.ravel(), probabilities.ravel())
    assert scores["micro_auc"] == pytest.approx(pooled, abs=1e-12, nan_ok=True)


@pytest.mark.parametrize("average", ["macro", "micro"])
def test_scores_at_the_threshold_equal_scikit_learns(average: str) -> None:
    random = np.random.default_rng(0)
    labels, probabilities = random.integers(0, 2, (20, 14)) * 1.0, random.random((20, 14))
    labels[:, 3] = probabilities[:, 3] = 0  # neither stated nor true: counts 0
    scores = scores_of(labels, probabilities)
    expected = precision_recall_fscore_support(
        labels == 1, probabilities >= 0.5, average=average, zero_division=0
    )
    for part, value in zip(("precision", "recall", "f1"), expected, strict=False):
        assert scores[f"{average}_{part}"] == pytest.approx(value, abs=1e-12)


def test_the_threshold_itself_counts_as_stated() -> None:
    labels, probabilities = np.full((1, 14), np.nan), np.full((1, 14), 0.5)
    labels[0, 0] = 1
    assert scores_of(labels, probabilities)["macro_f1"] == 1


def test_one_valued_observations_are_named_and_left_out() -> None:
    labels, probabilities = np.full((4, 14), np.nan), np.full((4, 14), 0.3)
    labels[:, 0], labels[:, 1] = 1, 0
    labels[:, 2], probabilities[:, 2] = [0, 1, 0, 1], [0.1, 0.9, 0.2, 0.8]
    head = ClassificationScores(labels, probabilities)
    assert head.one_valued[OBSERVATIONS[0]] == "all known labels are positive"
    assert head.one_valued[OBSERVATIONS[1]] == "no known label is positive"
    assert head.one_valued[OBSERVATIONS[3]] == "no label is known"
    assert OBSERVATIONS[2] not in head.one_valued
    assert "macro_auc" not in head.undefined
    assert head.scores(np.ones((1, 4)))["macro_auc"][0] == 1


def test_without_any_two_valued_observation_areas_are_undefined_with_reason() -> None:
    labels, probabilities = np.ones((2, 14)), np.full((2, 14), 0.4)
    head = ClassificationScores(labels, probabilities)
    assert head.undefined["macro_auc"] == "no observation has both positive and negative labels"
    assert head.undefined["micro_auc"] == "all known labels are positive"


def test_missing_cells_change_nothing() -> None:
    random = np.random.default_rng(1)
    labels, probabilities = random.integers(0, 2, (10, 14)) * 1.0, random.random((10, 14))
    longer = np.concatenate([labels, np.full((5, 14), np.nan)])
    padded = np.concatenate([probabilities, random.random((5, 14))])
    assert scores_of(longer, padded) == pytest.approx(scores_of(labels, probabilities))


def test_a_bootstrap_draw_equals_the_reports_it_stands_for() -> None:
    random = np.random.default_rng(0)
    labels = random.choice([1.0, 0.0, -1.0, np.nan], (30, 14))
    probabilities = random.integers(0, 6, (30, 14)) / 5
    times = random.integers(0, 4, (1, 30))
    rows = np.repeat(np.arange(30), times[0])
    drawn = ClassificationScores(labels, probabilities).scores(times.astype(float))
    expected = scores_of(labels[rows], probabilities[rows])
    assert {key: float(v[0]) for key, v in drawn.items()} == pytest.approx(expected, nan_ok=True)


def test_nothing_to_compare_is_an_error() -> None:
    with pytest.raises(ValueError, match="both a label and a probability"):
        ClassificationScores(np.full((2, 14), np.nan), np.zeros((2, 14)))
    with pytest.raises(ValueError, match="reports × 14 observations"):
        ClassificationScores(np.zeros((2, 14)), np.zeros((2, 13)))
