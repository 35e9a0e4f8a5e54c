import json
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jaxtyping import Float
from scipy import stats

from gradtruce.evaluation.comparison import compare, compare_all, comparison_json, holm
from gradtruce.evaluation.evaluate import evaluate
from gradtruce.evaluation.families.standard import standard_families
from gradtruce.evaluation.family import Family, Plan
from gradtruce.evaluation.headline import SELECTION
from gradtruce.evaluation.labelers.base import Labeler
from gradtruce.evaluation.predictions import Prediction
from gradtruce.evaluation.protocol import Protocol

Make = Callable[..., list[Prediction]]


class Length(Family):
    """The mean number of characters: a score whose tests can be written down by hand."""

    name = "length"

    def plan(self, predictions: Sequence[Prediction]) -> Plan:
        lengths = np.array([len(prediction.generated) for prediction in predictions], float)

        def mean(weights: Float[np.ndarray, "draws reports"]) -> dict[str, np.ndarray]:
            return {"mean": weights @ lengths / weights.sum(axis=1)}

        return Plan(Protocol("lengths", reports=len(predictions)), mean)


def systems(first: Sequence[int], second: Sequence[int]) -> list[list[Prediction]]:
    return [
        [Prediction(f"s{i}", "reference", "x" * length) for i, length in enumerate(lengths)]
        for lengths in (first, second)
    ]


def test_a_system_does_not_differ_from_itself(labeler: Labeler, make_predictions: Make) -> None:
    predictions = make_predictions(24)
    names = ["nlg.bleu_4", "nlg.cider", "classification.macro_auc", SELECTION]
    found = compare(predictions, predictions[::-1], standard_families(labeler), names)
    assert list(found) == names
    for each in found.values():
        score = each.score
        assert (score.value, score.low, score.high) == pytest.approx((0, 0, 0), abs=1e-12)
        assert each.p_randomisation == 1
        assert each.p_bootstrap == 1


def test_a_difference_is_first_minus_second(labeler: Labeler, make_predictions: Make) -> None:
    first = make_predictions(30)
    second = [replace(prediction, generated="edema .") for prediction in first]
    families = standard_families(labeler)
    found = compare(first, second, families)
    alone = [evaluate(each, families, resamples=0).flat() for each in (first, second)]
    for name, each in found.items():
        values = [scores[name].value for scores in alone]
        if None not in values:
            assert each.score.value == pytest.approx(values[0] - values[1], abs=1e-9), name
    assert found[SELECTION].score.low < found[SELECTION].score.value < found[SELECTION].score.high


def test_pairing_makes_an_interval_narrow() -> None:
    random = np.random.default_rng(0)
    hard = random.integers(0, 1000, 300)
    better = hard + 10 + random.integers(-3, 4, 300)
    score = compare(*systems(better, hard), [Length()])["length.mean"].score
    assert score.value == pytest.approx((better - hard).mean())
    assert score.high - score.low < 1


@pytest.mark.parametrize("gap", [0, 2, 5])
def test_randomisation_gives_the_p_of_scipy(gap: int) -> None:
    random = np.random.default_rng(gap)
    first, second = random.integers(0, 40, 60) + gap, random.integers(0, 40, 60)
    found = compare(*systems(first, second), [Length()], resamples=20_000)["length.mean"]
    theirs = stats.permutation_test(
        (first, second),
        lambda a, b: a.mean() - b.mean(),
        permutation_type="samples",
        n_resamples=20_000,
        rng=np.random.default_rng(9),
    )
    reached = np.abs(theirs.null_distribution) >= abs(theirs.statistic) - 1e-12
    assert found.p_randomisation == pytest.approx(reached.mean(), abs=0.015)
    assert found.p_bootstrap == pytest.approx(reached.mean(), abs=0.04)


def test_tests_of_equal_systems_reject_as_seldom_as_they_say() -> None:
    random = np.random.default_rng(0)
    rejected = 0
    for seed in range(200):
        first, second = random.integers(0, 50, 40), random.integers(0, 50, 40)
        found = compare(*systems(first, second), [Length()], resamples=200, seed=seed)
        rejected += found["length.mean"].p_randomisation < 0.05
    assert rejected / 200 < 0.1


def test_the_same_seed_gives_the_same_tests() -> None:
    pair = systems([1, 5, 3, 9], [2, 2, 2, 2])
    assert compare(*pair, [Length()], seed=4) == compare(*pair, [Length()], seed=4)


def test_without_draws_there_is_a_value_only() -> None:
    found = compare(*systems([3], [1]), [Length()], resamples=0)["length.mean"]
    assert (found.score.value, found.score.low, found.p_bootstrap) == (2.0, None, None)


def test_a_difference_that_cannot_be_computed_says_why(
    labeler: Labeler, make_predictions: Make
) -> None:
    first = make_predictions(3)
    second = [replace(prediction, findings=None) for prediction in first]
    name = "classification.macro_auc"
    found = compare(first, second, standard_families(labeler), [name], resamples=5)[name]
    assert "'s0' has no findings while 3 of 6 have" in found.score.reason
    assert found.p_bootstrap is None


@pytest.mark.parametrize("name", ["clinical.micro_12.f1", "clinic.micro_13.f1", "x"])
def test_an_unknown_name_is_an_error(labeler: Labeler, make_predictions: Make, name: str) -> None:
    predictions = make_predictions(2)
    with pytest.raises(ValueError, match="called"):
        compare(predictions, predictions, standard_families(labeler), [name], resamples=2)


def test_systems_must_answer_the_same_question(make_predictions: Make) -> None:
    first = make_predictions(3)
    with pytest.raises(ValueError, match="differ in 1 studies, 's2'"):
        compare(first, first[:2], [Length()])
    other = [replace(first[0], reference="another ."), *first[1:]]
    with pytest.raises(ValueError, match="'s0' has another reference"):
        compare(first, other, [Length()])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_is_its_definition(p_values: list[float]) -> None:
    named = {str(place): p for place, p in enumerate(p_values)}
    ordered = sorted(p_values)
    for name, p in named.items():
        steps = [(len(ordered) - j) * q for j, q in enumerate(ordered) if q <= p]
        expected = min(1.0, max(steps[: ordered.index(p) + 1]))
        assert holm(named)[name] == pytest.approx(expected) or ordered.count(p) > 1


def test_holm_by_hand() -> None:
    assert holm({"a": 0.01, "b": 0.02, "c": 0.5}) == {"a": 0.03, "b": 0.04, "c": 0.5}
    assert holm({}) == {}


def test_holm_counts_all_tests_that_are_made_together() -> None:
    first, second = systems([10, 11, 12, 13, 10, 12, 11, 9], [1, 2, 3, 4, 5, 6, 7, 8])
    others = {"b": second, "c": first[:1] + second[1:]}
    found = compare_all(first, others, [Length()], ["length.mean"], resamples=300)
    alone = [each.differences["length.mean"].p_randomisation for each in found]
    assert found[0].corrected["length.mean"] == pytest.approx(2 * alone[0])
    content = json.loads(comparison_json(found, resamples=300, seed=0))
    assert set(content["against"]) == {"b", "c"}
    assert content["against"]["b"]["length.mean"]["p_holm"] == found[0].corrected["length.mean"]
    assert "2 tests" in content["p_holm"]


def test_a_wrong_rival_is_named() -> None:
    first, second = systems([1, 2], [3, 4])
    with pytest.raises(ValueError, match=r"against theirs\.csv: the two systems differ"):
        compare_all(first, {"theirs.csv": second[:1]}, [Length()], ["length.mean"])
