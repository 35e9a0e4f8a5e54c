"""Report features, the regression to them, and how often what is found is right."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge as Oracle

from gradtruce.data.retrieval.finding_shares import finding_shares
from gradtruce.data.retrieval.report_features import report_features
from gradtruce.data.retrieval.ridge import fit_ridge

TEXTS = ["Clear lungs.", "The lungs are clear.", "Large effusion.", "A large heart.", "Edema."]


def test_report_features_are_directions_from_the_mean() -> None:
    ids = [str(number) for number in range(len(TEXTS))]
    features = report_features(ids, TEXTS, width=9, seed=0)
    assert features.shape == (5, 9)
    np.testing.assert_allclose(np.linalg.norm(features, axis=1), 1.0, rtol=1e-6)
    assert features[0] @ features[1] > 0.5 > features[0] @ features[2]
    assert not features[:, 4:].any()  # five texts span four dimensions at most


@pytest.mark.parametrize(("texts", "study"), [([*TEXTS, "..."], "5"), (["Clear."] * 3, "0")])
def test_a_report_that_says_nothing_is_named(texts: list[str], study: str) -> None:
    ids = [str(number) for number in range(len(texts))]
    with pytest.raises(ValueError, match=f"nothing that sets them apart, for one '{study}'"):
        report_features(ids, texts, width=4, seed=0)


def drawn(seed: int = 0, studies: int = 40) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    inputs = random.normal(3.0, random.uniform(0.5, 4.0, 6), (studies, 6))
    inputs[:, 5] = 2.5  # a feature that never changes
    targets = inputs @ random.normal(size=(6, 3)) + random.normal(size=(studies, 3))
    return inputs, targets, np.arange(studies) % 4


def test_the_regression_is_that_of_scikit_learn() -> None:
    inputs, targets, folds = drawn()
    fitted, _ = fit_ridge(inputs, targets, folds, [0.1])
    mean, scale = inputs.mean(axis=0), np.where(inputs.std(axis=0) > 1e-9, inputs.std(axis=0), 1.0)
    oracle = Oracle(alpha=0.1 * len(inputs)).fit((inputs - mean) / scale, targets)
    wanted = oracle.predict((inputs - mean) / scale)
    np.testing.assert_allclose(inputs @ fitted.weight.T + fitted.bias, wanted, atol=1e-8)


def test_what_is_held_out_never_saw_its_own_fold() -> None:
    inputs, targets, folds = drawn()
    changed = targets.copy()
    changed[folds == 2] += 100.0
    _, first = fit_ridge(inputs, targets, folds, [0.1])
    _, second = fit_ridge(inputs, changed, folds, [0.1])
    np.testing.assert_allclose(first[folds == 2], second[folds == 2], atol=1e-8)
    assert np.abs(first - second)[folds != 2].min() > 1.0


def test_the_penalty_is_the_best_on_what_was_left_out() -> None:
    random = np.random.default_rng(0)
    inputs, folds = random.normal(size=(30, 25)), np.arange(30) % 3
    targets = inputs[:, :2] + 0.5 * random.normal(size=(30, 2))
    fitted, held_out = fit_ridge(inputs, targets, folds, [1e-6, 0.3])
    assert fitted.penalty == 0.3
    np.testing.assert_array_equal(held_out, fit_ridge(inputs, targets, folds, [0.3])[1])


def test_one_fold_is_none() -> None:
    inputs, targets, folds = drawn()
    with pytest.raises(ValueError, match="at least two folds"):
        fit_ridge(inputs, targets, 0 * folds)


def test_shares_count_what_the_retrieved_reports_have() -> None:
    nan = torch.nan
    of_bank = torch.tensor([[1.0, 0.0], [1.0, 1.0], [-1.0, nan], [0.0, 1.0]])
    labels = torch.tensor([[1.0, 0.0], [1.0, 1.0], [nan, -1.0]])
    found = torch.tensor([[0, 1], [2, 1], [0, 1]])
    shares = finding_shares(labels, of_bank, found, is_own_left_out=False)
    assert shares == {"retrieved": (0.75 + 0.5) / 2, "random": (2 / 4 + 2 / 4) / 2}
    own = finding_shares(of_bank, of_bank, torch.tensor([[1], [0], [0], [1]]), is_own_left_out=True)
    assert own == {"retrieved": 0.75, "random": round(1 / 3, 4)}
    assert finding_shares(labels * nan, of_bank, found, is_own_left_out=False) == {}
