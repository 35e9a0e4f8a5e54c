"""Scores of the findings head: do its probabilities rank and separate the labels?"""

from typing import Final, final

import numpy as np
from jaxtyping import Bool, Float, Int

from gradtruce.data.observations import OBSERVATIONS, POSITIVE
from gradtruce.evaluation.clinical import PARTS, precision_recall_f1

THRESHOLD: Final = 0.5
"""Probability from which on a finding counts as stated."""

Weights = Float[np.ndarray, "draws reports"]
Draws = Float[np.ndarray, " draws"]


@final
class ClassificationScores:
    """AUC, and precision, recall and F1 at a threshold, over the 14 observations.

    A cell whose label or probability is missing (NaN) is left out; an uncertain label counts as
    negative. The AUC of an observation with one label value only is not defined: macro AUC is the
    mean over the others, and `one_valued` names it. Micro scores pool all cells; macro precision,
    recall and F1 are means over the observations with a known cell, 0/0 being 0.

    Args:
        labels: 1, 0, -1 or NaN for each observation.
        probabilities: From 0 to 1, or NaN.
        threshold: Probability from which on a finding counts as stated.

    Raises:
        ValueError: If the two differ in shape, have other than the 14 observations as columns, or
            have no cell where both are known.

    >>> labels, probabilities = np.zeros((4, 14)), np.full((4, 14), 0.5)
    >>> labels[:, 1], probabilities[:, 1] = [0, 0, 1, 1], [0.1, 0.7, 0.6, 0.9]
    >>> scores = ClassificationScores(labels, probabilities).scores(np.ones((1, 4)))
    >>> scores["auc.Cardiomegaly"]
    array([0.75])
    """

    def __init__(
        self,
        labels: Float[np.ndarray, "reports observations"],
        probabilities: Float[np.ndarray, "other_reports other_observations"],
        threshold: float = THRESHOLD,
    ) -> None:
        if labels.shape != probabilities.shape or labels.shape[1] != len(OBSERVATIONS):
            raise ValueError(
                f"labels and probabilities must be reports × {len(OBSERVATIONS)} observations,"
                f" found {labels.shape} and {probabilities.shape}"
            )
        known = ~np.isnan(labels) & ~np.isnan(probabilities)
        if not known.any():
            raise ValueError("no observation has both a label and a probability in any report")
        self._known = known.astype(np.float64)
        positive = labels == POSITIVE
        stated = np.greater_equal(probabilities, threshold)
        self._counts = [
            (known & cells).astype(np.float64)
            for cells in (positive & stated, ~positive & stated, positive & ~stated)
        ]
        self._rankings = [
            _Ranking(probabilities[:, k : k + 1], positive[:, k : k + 1], known[:, k : k + 1])
            for k in range(len(OBSERVATIONS))
        ]
        self._pooled = _Ranking(probabilities, positive, known)

    @property
    def one_valued(self) -> dict[str, str]:
        """Return the observations without an AUC, and why."""
        named = zip(OBSERVATIONS, self._rankings, strict=True)
        return {name: ranking.defect for name, ranking in named if ranking.defect}

    @property
    def undefined(self) -> dict[str, str]:
        """Return the keys that have no value on these reports, and why."""
        reasons = {f"auc.{name}": why for name, why in self.one_valued.items()}
        if len(reasons) == len(OBSERVATIONS):
            reasons["macro_auc"] = "no observation has both positive and negative labels"
        if self._pooled.defect:
            reasons["micro_auc"] = self._pooled.defect
        return reasons

    def scores(self, weights: Weights) -> dict[str, Draws]:
        """Return every score, one value a row of weights; NaN where not defined.

        A draw in which an observation has one label value only leaves it out of that draw's macro
        AUC, and one without a known cell out of the other macro scores, as on the whole set.
        """
        areas = np.stack([ranking.auc(weights) for ranking in self._rankings])
        both, extra, missed = (weights @ counts for counts in self._counts)
        is_known = weights @ self._known > 0
        macro = _mean_where(precision_recall_f1(both, extra, missed), is_known)
        micro = precision_recall_f1(both.sum(axis=1), extra.sum(axis=1), missed.sum(axis=1))
        micro = np.where(is_known.any(axis=1), micro, np.nan)
        macro_auc = _mean_where(areas.T, ~np.isnan(areas.T))
        return (
            {"macro_auc": macro_auc, "micro_auc": self._pooled.auc(weights)}
            | {f"macro_{part}": macro[row] for row, part in enumerate(PARTS)}
            | {f"micro_{part}": micro[row] for row, part in enumerate(PARTS)}
            | {f"auc.{name}": area for name, area in zip(OBSERVATIONS, areas, strict=True)}
        )


def _mean_where(
    values: Float[np.ndarray, "*parts draws observations"],
    is_counted: Bool[np.ndarray, "draws observations"],
) -> Float[np.ndarray, "*parts draws"]:
    """Return the mean over the observations that count in each draw; NaN where none does."""
    number = is_counted.sum(axis=-1)
    total = np.where(is_counted, values, 0.0).sum(axis=-1)
    return np.where(number > 0, total / np.maximum(number, 1), np.nan)


@final
class _Ranking:
    """The known cells of some observations in order of probability, sorted once for all draws."""

    def __init__(
        self,
        probabilities: Float[np.ndarray, "reports some"],
        positive: Bool[np.ndarray, "reports some"],
        known: Bool[np.ndarray, "reports some"],
    ) -> None:
        reports, _ = np.nonzero(known)
        order = np.argsort(probabilities[known], kind="stable")
        ranked = probabilities[known][order]
        self._reports: Int[np.ndarray, " cells"] = reports[order]
        self._positive: Bool[np.ndarray, " cells"] = positive[known][order]
        self._ties: Int[np.ndarray, " groups"] = np.flatnonzero(
            np.diff(ranked, prepend=-np.inf) != 0
        )
        """Where each group of equal probabilities starts."""

    @property
    def defect(self) -> str:
        """Return why there is no AUC, or ""."""
        if not len(self._positive):
            return "no label is known"
        if self._positive.all():
            return "all known labels are positive"
        return "" if self._positive.any() else "no known label is positive"

    def auc(self, weights: Weights) -> Draws:
        """Return the chance that a positive ranks above a negative, ties counting one half."""
        if self.defect:
            return np.full(len(weights), np.nan)
        cells = weights[:, self._reports]
        positive = np.add.reduceat(cells * self._positive, self._ties, axis=1)
        negative = np.add.reduceat(cells * ~self._positive, self._ties, axis=1)
        below = np.cumsum(negative, axis=1) - negative / 2
        pairs = positive.sum(axis=1) * negative.sum(axis=1)
        wins = (positive * below).sum(axis=1)
        areas = np.full(len(weights), np.nan)
        np.divide(wins, pairs, out=areas, where=pairs > 0)
        return areas
