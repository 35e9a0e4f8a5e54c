"""What every group of scores must obey, whatever it measures."""

from collections.abc import Callable

import numpy as np
import pytest

from gradtruce.evaluation.classification import ClassificationScores
from gradtruce.evaluation.clinical import ClinicalScores
from gradtruce.evaluation.nlg.lexical import LexicalScores
from gradtruce.evaluation.significance import Statistic

REPORTS = 25
Build = Callable[[np.ndarray], Statistic]


def lexical(rows: np.ndarray) -> Statistic:
    random = np.random.default_rng(0)
    words = ["the", "a", "heart", "lung", "is", "clear", "no", "effusion", ".", ","]
    texts = [[" ".join(random.choice(words, 9)) for _ in range(REPORTS)] for _ in range(2)]
    documents = [[text] for text in texts[1]]  # what is rare is that of the whole set
    return LexicalScores(
        [texts[0][i] for i in rows], [[texts[1][i]] for i in rows], documents=documents
    ).scores


def clinical(rows: np.ndarray) -> Statistic:
    states = np.random.default_rng(0).choice([1.0, 0.0, -1.0, np.nan], (2, REPORTS, 14))
    return ClinicalScores(states[0][rows], states[1][rows]).scores


def classification(rows: np.ndarray) -> Statistic:
    random = np.random.default_rng(0)
    labels = random.choice([1.0, 0.0, -1.0, np.nan], (REPORTS, 14))
    return ClassificationScores(labels[rows], random.random((REPORTS, 14))[rows]).scores


everything = pytest.mark.parametrize("build", [lexical, clinical, classification])


def once(statistic: Statistic, reports: int) -> dict[str, float]:
    return {name: float(v[0]) for name, v in statistic(np.ones((1, reports))).items()}


@everything
def test_order_of_the_reports_changes_nothing(build: Build) -> None:
    rows = np.arange(REPORTS)
    shuffled = np.random.default_rng(1).permutation(rows)
    assert once(build(shuffled), REPORTS) == pytest.approx(once(build(rows), REPORTS))


@everything
def test_counting_a_report_twice_is_having_it_twice(build: Build) -> None:
    times = np.random.default_rng(2).integers(0, 4, REPORTS)
    rows = np.repeat(np.arange(REPORTS), times)
    weighted = build(np.arange(REPORTS))(times[None].astype(float))
    values = {name: float(v[0]) for name, v in weighted.items()}
    assert values == pytest.approx(once(build(rows), len(rows)), nan_ok=True)


@everything
def test_having_every_report_twice_changes_nothing(build: Build) -> None:
    rows = np.arange(REPORTS)
    twice = np.tile(rows, 2)
    values = once(build(rows), REPORTS)
    # coco-caption adds 1e-15 to counts, which shows where there is no 4-gram in common at all
    assert once(build(twice), 2 * REPORTS) == pytest.approx(values, rel=1e-6, abs=1e-5)


@everything
def test_draws_do_not_see_each_other(build: Build) -> None:
    statistic = build(np.arange(REPORTS))
    weights = np.random.default_rng(3).integers(0, 3, (6, REPORTS)).astype(float)
    together = statistic(weights)
    for row in range(6):
        for name, values in statistic(weights[row : row + 1]).items():
            assert values[0] == pytest.approx(together[name][row], nan_ok=True)


@everything
def test_every_score_is_from_zero_to_one(build: Build) -> None:
    weights = np.random.default_rng(4).integers(0, 3, (50, REPORTS)).astype(float)
    for name, values in build(np.arange(REPORTS))(weights).items():
        defined = values[~np.isnan(values)]
        most = 10 if name == "cider" else 1  # by its definition
        assert ((defined >= 0) & (defined <= most + 1e-9)).all()
