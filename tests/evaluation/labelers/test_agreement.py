"""Agreement of two label sets, against scikit-learn and by hand."""

import math

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score, precision_recall_fscore_support

from gradtruce.data.observations import OBSERVATIONS
from gradtruce.evaluation.labelers.agreement import as_rows, compare_labels

NAN = math.nan


def draw(seed, reports=60):
    """Return random states by id."""
    rng = np.random.default_rng(seed)
    rows = rng.choice([1.0, 0.0, -1.0, NAN], size=(reports, 14), p=[0.3, 0.3, 0.1, 0.3])
    return {f"r{number}": row.tolist() for number, row in enumerate(rows)}


@pytest.mark.parametrize("uncertain", ["positive", "negative"])
@pytest.mark.parametrize("seed", range(3))
def test_every_number_is_that_of_scikit_learn(uncertain, seed):
    labels, reference = draw(seed), draw(seed + 100)
    agreement = compare_labels(labels, reference, uncertain=uncertain)
    stated = (1, -1) if uncertain == "positive" else (1,)
    ours, theirs = (np.isin(list(one.values()), stated) for one in (labels, reference))
    for column, one in enumerate(agreement.classes):
        expected = precision_recall_fscore_support(
            theirs[:, column], ours[:, column], average="binary", zero_division=0
        )
        assert one[3:6] == pytest.approx(expected[:3], abs=1e-12)
        kappa = cohen_kappa_score(theirs[:, column], ours[:, column])
        assert one.kappa == pytest.approx(kappa, abs=1e-12)
        assert (one.support, one.stated) == (theirs[:, column].sum(), ours[:, column].sum())


def test_rows_are_matched_by_id_and_not_by_place():
    labels = draw(1)
    shuffled = dict(reversed(labels.items()))
    assert all(one.f1 == 1 for one in compare_labels(labels, shuffled).classes)


def test_a_class_without_positives_scores_zero_and_has_no_kappa():
    one = compare_labels({"a": [0.0] * 14}, {"a": [NAN] * 14}).classes[0]
    assert one[1:6] == (0, 0, 0.0, 0.0, 0.0)
    assert math.isnan(one.kappa)


def test_the_macro_mean_is_over_the_classes_that_both_sides_have_often():
    rows = {f"r{number}": [1.0, *[0.0] * 13] for number in range(10)}
    agreement = compare_labels(rows, rows)
    assert agreement.frequent(10) == OBSERVATIONS[:1]
    assert agreement.frequent(11) == ()
    assert agreement.macro(OBSERVATIONS[:1]).f1 == 1
    assert agreement.macro(OBSERVATIONS[:2]).f1 == 0.5
    for wrong in ((), ("Oedema",)):
        with pytest.raises(ValueError, match="at least one of the 14"):
            agreement.macro(wrong)


def test_label_sets_of_other_reports_are_refused_by_name():
    with pytest.raises(ValueError, match=r"1 of 2 are in the labels alone \(b\), 0 of 1"):
        compare_labels({"a": [0.0] * 14, "b": [0.0] * 14}, {"a": [0.0] * 14})
    with pytest.raises(ValueError, match="at least one"):
        compare_labels({}, {})
    with pytest.raises(ValueError, match="'a' must have 14 states, has 13"):
        compare_labels({"a": [0.0] * 13}, {"a": [0.0] * 14})


def test_labels_by_name_become_rows_in_the_order_of_the_observations():
    rows = as_rows({"a": {"No Finding": 1, "Edema": -1}})
    assert np.array_equal(rows["a"], [NAN] * 4 + [-1.0] + [NAN] * 8 + [1.0], equal_nan=True)


def test_the_table_has_a_line_an_observation_and_the_mean():
    table = compare_labels(draw(5), draw(6)).table(OBSERVATIONS[:5])
    assert table.count("\n| ") == 15
    assert "| macro of 5* |" in table
    assert table.count("*") == 6
    assert "macro" not in compare_labels({"a": [0.0] * 14}, {"a": [0.0] * 14}).table()
