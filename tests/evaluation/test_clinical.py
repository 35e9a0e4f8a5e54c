"""Agreement with scikit-learn, and the facts that make these scores misleading."""

from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import precision_recall_fscore_support

from gradtruce.data.observations import CHEXPERT_FIVE, FINDINGS, OBSERVATIONS
from gradtruce.evaluation.clinical import PARTS, ClinicalScores, UncertainPolicy, binarise

NAMES = {13: FINDINGS, 14: OBSERVATIONS, 5: CHEXPERT_FIVE}
AVERAGES = {"micro": "micro", "macro": "macro", "weighted": "weighted", "example": "samples"}
NORMAL = OBSERVATIONS.index("No Finding")
states = st.sampled_from([1.0, 0.0, -1.0, np.nan])
pairs = st.integers(1, 12).flatmap(lambda n: arrays(float, (2, n, 14), elements=states))


def scores_of(reference: np.ndarray, generated: np.ndarray) -> dict[str, float]:
    scores = ClinicalScores(reference, generated).scores(np.ones((1, len(reference))))
    return {key: float(values[0]) for key, values in scores.items()}


def by_scikit_learn(reference: np.ndarray, generated: np.ndarray) -> dict[str, float]:
    expected: dict[str, float] = {}
    for policy in get_args(UncertainPolicy):
        truth, said = binarise(reference, policy), binarise(generated, policy)
        for size, names in NAMES.items():
            columns = [OBSERVATIONS.index(name) for name in names]
            for ours, theirs in AVERAGES.items():
                values = precision_recall_fscore_support(
                    truth[:, columns], said[:, columns], average=theirs, zero_division=0
                )
                for part, value in zip(PARTS, values, strict=False):
                    expected[f"{ours}_{size}.uncertain_{policy}.{part}"] = float(value)
        each = precision_recall_fscore_support(truth, said, average=None, zero_division=0)
        for column, name in enumerate(OBSERVATIONS):
            for part, values in zip(PARTS, each, strict=False):
                expected[f"per_class.{name}.uncertain_{policy}.{part}"] = float(values[column])
    return expected


@given(pairs)
def test_every_variant_equals_scikit_learns(pair: np.ndarray) -> None:
    assert scores_of(*pair) == pytest.approx(by_scikit_learn(*pair), abs=1e-12)


@pytest.mark.parametrize("value", [1.0, 0.0, -1.0, np.nan])
@pytest.mark.parametrize("other", [1.0, 0.0, -1.0, np.nan])
def test_constant_labels_equal_scikit_learns(value: float, other: float) -> None:
    pair = np.full((3, 14), value), np.full((3, 14), other)
    assert scores_of(*pair) == pytest.approx(by_scikit_learn(*pair), abs=1e-12)


def test_a_report_where_neither_side_states_anything_scores_zero() -> None:
    nothing = np.full((2, 14), np.nan)
    assert set(scores_of(nothing, nothing).values()) == {0.0}
    assert ClinicalScores(nothing, nothing).counts()["both_empty_14.uncertain_negative"] == 2


def test_macro_f1_is_the_mean_of_f1s_not_the_f1_of_means() -> None:
    reference, generated = np.zeros((4, 14)), np.zeros((4, 14))
    reference[0, 0] = generated[:, 0] = 1  # precision 1/4, recall 1
    reference[:, 1] = generated[0, 1] = 1  # precision 1, recall 1/4
    scores = scores_of(reference, generated)
    assert scores["macro_14.uncertain_negative.f1"] == pytest.approx(2 * 0.4 / 14)
    precision, recall = (
        scores[f"macro_14.uncertain_negative.{part}"] for part in ("precision", "recall")
    )
    of_means = 2 * precision * recall / (precision + recall)
    assert of_means > scores["macro_14.uncertain_negative.f1"] * 1.5


def test_a_writer_of_normal_reports_is_caught_by_micro_13_alone() -> None:
    reference, generated = np.zeros((100, 14)), np.zeros((100, 14))
    reference[:32, NORMAL] = 1
    reference[32:, 1] = 1
    generated[:, NORMAL] = 1
    scores = scores_of(reference, generated)
    assert scores["example_14.uncertain_negative.f1"] == pytest.approx(0.32)
    assert scores["micro_14.uncertain_negative.f1"] == pytest.approx(0.32)
    assert scores["micro_13.uncertain_negative.f1"] == 0


def test_uncertain_counts_as_its_policy_says() -> None:
    reference, generated = np.full((1, 14), np.nan), np.full((1, 14), np.nan)
    reference[0, 1], generated[0, 1] = -1, 1
    scores = scores_of(reference, generated)
    assert scores["micro_14.uncertain_negative.f1"] == 0
    assert scores["micro_14.uncertain_positive.f1"] == 1


def test_support_counts_reference_positives() -> None:
    reference, generated = np.zeros((3, 14)), np.ones((3, 14))
    reference[:2, 1], reference[2, 1] = 1, -1
    counts = ClinicalScores(reference, generated).counts()
    assert counts["per_class.Cardiomegaly.uncertain_negative.support"] == 2
    assert counts["per_class.Edema.uncertain_negative.support"] == 0


def test_a_bootstrap_draw_equals_the_reports_it_stands_for() -> None:
    random = np.random.default_rng(0)
    reference, generated = random.integers(-1, 2, (2, 30, 14)).astype(float)
    times = random.integers(0, 4, (1, 30))
    rows = np.repeat(np.arange(30), times[0])
    drawn = ClinicalScores(reference, generated).scores(times.astype(float))
    expected = scores_of(reference[rows], generated[rows])
    assert {key: float(values[0]) for key, values in drawn.items()} == pytest.approx(expected)


@pytest.mark.parametrize("shape", [(2, 13), (3, 14)])
def test_labels_of_another_shape_are_an_error(shape: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="reports × 14 observations"):
        ClinicalScores(np.zeros((2, 14)), np.zeros(shape))
