"""Clinical efficacy: do generated and reference report state the same observations?

The same predictions score very differently by how labels are pooled, which observations count, and
what becomes of "uncertain": so all variants are computed and every key says which one it is.
"""

from typing import Final, Literal, final, get_args

import numpy as np
from jaxtyping import Bool, Float

from gradtruce.data.observations import (
    CHEXPERT_FIVE,
    FINDINGS,
    OBSERVATIONS,
    POSITIVE,
    UNCERTAIN,
)

UncertainPolicy = Literal["negative", "positive"]
"""What an uncertain label counts as; a missing one is always negative."""

CLASS_SETS: Final = {13: FINDINGS, 14: OBSERVATIONS, 5: CHEXPERT_FIVE}

PARTS: Final = ("precision", "recall", "f1")

Weights = Float[np.ndarray, "draws reports"]
Draws = Float[np.ndarray, " draws"]


@final
class ClinicalScores:
    """Precision, recall and F1 of the observations stated, in all the field's averagings.

    0/0 is 0 everywhere: a class that neither side states counts 0 in a macro mean, and a report
    where neither side states anything scores 0 in an example-based one (`both_empty` counts these).

    Args:
        reference: Truth, or the reading of the reference report: 1, 0, -1 or NaN.
        generated: The reading of the generated report.

    Raises:
        ValueError: If the two differ in shape, or have other than the 14 observations as columns.

    >>> states = np.zeros((1, 14))
    >>> states[0, 1] = 1
    >>> ClinicalScores(states, states).scores(np.ones((1, 1)))["micro_13.f1"]
    array([1.])
    """

    def __init__(
        self,
        reference: Float[np.ndarray, "reports observations"],
        generated: Float[np.ndarray, "other_reports other_observations"],
    ) -> None:
        if reference.shape != generated.shape or reference.shape[1] != len(OBSERVATIONS):
            raise ValueError(
                f"labels must be reports × {len(OBSERVATIONS)} observations on both sides, found"
                f" {reference.shape} and {generated.shape}"
            )
        self._agreements = {
            policy: _Agreement(binarise(reference, policy), binarise(generated, policy))
            for policy in get_args(UncertainPolicy)
        }

    def scores(self, weights: Weights) -> dict[str, Draws]:
        """Return every variant, one value a row of weights: how often each report is counted.

        Keys: `<averaging>_<classes>.<part>` with averaging micro, macro, weighted or example,
        classes 13, 14 or 5, and `per_class.<Observation>.<part>`, all with uncertain as negative;
        those over 14 classes also as `uncertain_positive.<averaging>_14.<part>`.
        """
        certain, lenient = self._agreements["negative"], self._agreements["positive"]
        named: dict[str, Draws] = {}
        for classes in CLASS_SETS:
            named |= certain.averages(classes, weights)
        for key, values in lenient.averages(14, weights).items():
            named[f"uncertain_positive.{key}"] = values
        return named | certain.per_class(weights)

    def counts(self) -> dict[str, int]:
        """Return the support of each class and the reports where neither side states anything."""
        certain = self._agreements["negative"]
        empty = {f"both_empty_{k}": certain.both_empty(k) for k in CLASS_SETS}
        support = (certain.both + certain.missed).sum(axis=0)
        named = zip(OBSERVATIONS, support, strict=True)
        return empty | {f"per_class.{name}.support": int(count) for name, count in named}


def binarise(
    states: Float[np.ndarray, "reports observations"], uncertain: UncertainPolicy
) -> Bool[np.ndarray, "reports observations"]:
    """Return which observations count as stated.

    >>> binarise(np.array([[1.0, 0.0, -1.0, np.nan]]), "positive")
    array([[ True, False,  True, False]])
    """
    return np.isin(states, (POSITIVE, UNCERTAIN) if uncertain == "positive" else (POSITIVE,))


def precision_recall_f1(
    both: Float[np.ndarray, "*shape"],
    extra: Float[np.ndarray, "*shape"],
    missed: Float[np.ndarray, "*shape"],
) -> Float[np.ndarray, "3 *shape"]:
    """Return precision, recall and F1 from true positives, false positives, false negatives.

    >>> precision_recall_f1(np.array([3.0, 0.0]), np.array([1.0, 0.0]), np.array([0.0, 0.0]))
    array([[0.75      , 0.        ],
           [1.        , 0.        ],
           [0.85714286, 0.        ]])
    """
    return np.stack(
        [
            ratio(both, both + extra),
            ratio(both, both + missed),
            ratio(2 * both, 2 * both + extra + missed),
        ]
    )


def ratio(
    above: Float[np.ndarray, "*shape"], below: Float[np.ndarray, "*shape"]
) -> Float[np.ndarray, "*shape"]:
    """Return above / below, and 0 where below is 0."""
    quotient = np.zeros_like(above)
    np.divide(above, below, out=quotient, where=below != 0)
    return quotient


@final
class _Agreement:
    """Where two Boolean label matrices agree, and their averages."""

    def __init__(
        self,
        reference: Bool[np.ndarray, "reports observations"],
        generated: Bool[np.ndarray, "reports observations"],
    ) -> None:
        self.both = (reference & generated).astype(np.float64)
        self.extra = (~reference & generated).astype(np.float64)
        self.missed = (reference & ~generated).astype(np.float64)
        self.by_example = {
            classes: precision_recall_f1(
                *(
                    counts[:, _columns(classes)].sum(axis=1)
                    for counts in (self.both, self.extra, self.missed)
                )
            )
            for classes in CLASS_SETS
        }

    def averages(self, classes: int, weights: Weights) -> dict[str, Draws]:
        """Return the four averages over a class set."""
        columns = _columns(classes)
        both, extra, missed = (
            weights @ counts[:, columns] for counts in (self.both, self.extra, self.missed)
        )
        by_class = precision_recall_f1(both, extra, missed)
        support = both + missed
        averages = {
            "micro": precision_recall_f1(both.sum(axis=1), extra.sum(axis=1), missed.sum(axis=1)),
            "macro": by_class.mean(axis=2),
            "weighted": ratio(
                (by_class * support).sum(axis=2), np.stack([support.sum(axis=1)] * len(PARTS))
            ),
            "example": self.by_example[classes] @ weights.T / weights.sum(axis=1),
        }
        return {
            f"{averaging}_{classes}.{part}": values[row]
            for averaging, values in averages.items()
            for row, part in enumerate(PARTS)
        }

    def per_class(self, weights: Weights) -> dict[str, Draws]:
        """Return the scores of each observation by itself."""
        values = precision_recall_f1(
            *(weights @ counts for counts in (self.both, self.extra, self.missed))
        )
        return {
            f"per_class.{name}.{part}": values[row, :, column]
            for column, name in enumerate(OBSERVATIONS)
            for row, part in enumerate(PARTS)
        }

    def both_empty(self, classes: int) -> int:
        """Return the number of reports where neither side states one of the classes."""
        stated = (self.both + self.extra + self.missed)[:, _columns(classes)]
        return int((stated.sum(axis=1) == 0).sum())


def _columns(classes: int) -> list[int]:
    return [OBSERVATIONS.index(name) for name in CLASS_SETS[classes]]
