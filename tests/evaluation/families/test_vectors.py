import numpy as np
import pytest

from gradtruce.evaluation.families.vectors import CheXbertVectors, cosines
from gradtruce.evaluation.labelers.chexbert import CheXbertLabeler
from gradtruce.evaluation.predictions import Prediction
from tests.evaluation.tiny_chexbert import LONGEST, write_chexbert

LONG = " ".join(["edema"] * LONGEST)
PREDICTIONS = [
    Prediction("s1", "no edema .", "no edema ."),
    Prediction("s2", "the heart is enlarged .", "lungs clear , no mass ."),
    Prediction("s3", LONG, ""),
    Prediction("s4", "lungs clear .", LONG),
]


@pytest.fixture
def chexbert(tmp_path) -> CheXbertLabeler:
    return CheXbertLabeler(write_chexbert(tmp_path))


def test_the_similarity_is_the_mean_cosine_of_the_vectors(chexbert):
    plan = CheXbertVectors(chexbert).plan(PREDICTIONS)
    expected = []
    for prediction in PREDICTIONS:
        first, second = chexbert.embed([prediction.generated, prediction.reference]).astype(float)
        expected.append(first @ second / np.sqrt(first @ first * (second @ second)))
    np.testing.assert_allclose(plan.per_report["similarity"], expected, atol=1e-5)
    assert plan.per_report["similarity"][0] == pytest.approx(1.0)
    weights = np.array([[1.0, 1, 1, 1], [0, 2, 0, 2]])
    values = plan.statistic(weights)
    assert list(values) == ["similarity"]
    np.testing.assert_allclose(
        values["similarity"], [np.mean(expected), np.mean(expected[1::2])], atol=1e-5
    )


def test_what_was_cut_and_what_was_empty_is_counted(chexbert):
    plan = CheXbertVectors(chexbert).plan(PREDICTIONS)
    assert plan.counts == {"truncated_generated": 1, "truncated_reference": 1}
    assert plan.protocol.empty_generated == 1
    assert chexbert.identity in plan.protocol.settings["vectors"]


def test_without_chexbert_the_reason_is_kept():
    plan = CheXbertVectors(None, "no weights of CheXbert on this machine").plan(PREDICTIONS)
    assert (plan.statistic, plan.reason) == (None, "no weights of CheXbert on this machine")
    assert "weights are needed" in CheXbertVectors(None).plan(PREDICTIONS).reason


def test_cosines_keep_to_their_range_and_are_zero_for_a_zero_vector():
    random = np.random.default_rng(0)
    first = random.normal(size=(50, 8)).astype(np.float32)
    np.testing.assert_array_equal(cosines(first, first * 3) <= 1, True)
    np.testing.assert_allclose(cosines(first, first * 3), 1)
    np.testing.assert_allclose(cosines(first, -first), -1)
    np.testing.assert_array_equal(cosines(first, first * 0), 0)
    assert cosines(first[:0], first[:0]).shape == (0,)
