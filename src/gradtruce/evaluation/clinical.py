"""Clinical efficacy: do generated and reference report state the same observations?

The same predictions score very differently by how labels are pooled, which observations count, and
what becomes of "uncertain": so all variants are computed and every key says which one it is.
"""

from collections.abc import Iterator
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

CLASS_SETS: Final = {14: OBSERVATIONS, 13: FINDINGS, 5: CHEXPERT_FIVE}

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
    >>> ClinicalScores(states, states).scores(np.ones((1, 1)))["micro_13.uncertain_negative.f1"]
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

        Keys: `<averaging>_<classes>.uncertain_<policy>.<part>` with averaging micro, macro,
        weighted or example, classes 14, 13 or 5, policy negative or positive, part precision,
        recall or f1; and `per_class.<Observation>.uncertain_<policy>.<part>`.
        """
        return {
            f"{kind}.uncertain_{policy}.{part}": values[row]
            for policy, agreement in self._agreements.items()
            for kind, values in agreement.scores(weights).items()
            for row, part in enumerate(PARTS)
        }

    def counts(self) -> dict[str, int]:
        """Return the support of each class and the reports where neither side states anything.

        Keys: `per_class.<Observation>.uncertain_<policy>.support` and
        `both_empty_<classes>.uncertain_<policy>`.
        """
        return {
            f"{kind}.uncertain_{policy}{part}": count
            for policy, agreement in self._agreements.items()
            for kind, part, count in agreement.counts()
        }


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
                *(counts[:, columns].sum(axis=1) for counts in (self.both, self.extra, self.missed))
            )
            for classes, columns in _COLUMNS.items()
        }

    def scores(self, weights: Weights) -> dict[str, Float[np.ndarray, "parts draws"]]:
        """Return precision, recall and F1 of every averaging, and of each observation by itself."""
        counts = [weights @ each for each in (self.both, self.extra, self.missed)]
        by_class = precision_recall_f1(*counts)
        named: dict[str, Float[np.ndarray, "parts draws"]] = {}
        for classes, columns in _COLUMNS.items():
            both, extra, missed = (each[:, columns] for each in counts)
            support = both + missed
            weighted = (by_class[:, :, columns] * support).sum(axis=2)
            everyone = np.broadcast_to(support.sum(axis=1), weighted.shape)
            pooled = (each.sum(axis=1) for each in (both, extra, missed))
            named |= {
                f"micro_{classes}": precision_recall_f1(*pooled),
                f"macro_{classes}": by_class[:, :, columns].mean(axis=2),
                f"weighted_{classes}": ratio(weighted, everyone),
                f"example_{classes}": self.by_example[classes] @ weights.T / weights.sum(axis=1),
            }
        each_class = {f"per_class.{name}": by_class[:, :, k] for k, name in enumerate(OBSERVATIONS)}
        return named | each_class

    def counts(self) -> Iterator[tuple[str, str, int]]:
        """Yield kind, part and number of what stands beside the scores."""
        support = (self.both + self.missed).sum(axis=0)
        for name, count in zip(OBSERVATIONS, support, strict=True):
            yield f"per_class.{name}", ".support", int(count)
        stated = self.both + self.extra + self.missed
        for classes, columns in _COLUMNS.items():
            yield f"both_empty_{classes}", "", int((stated[:, columns].sum(axis=1) == 0).sum())


_COLUMNS: Final = {
    classes: [OBSERVATIONS.index(name) for name in names] for classes, names in CLASS_SETS.items()
}
