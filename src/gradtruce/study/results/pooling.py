"""The mean of a difference over several cells, with interval and test."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from scipy import stats

from gradtruce.evaluation.significance import LEVEL
from gradtruce.study.results.record import ComparisonRecord


@final
@dataclass(frozen=True)
class Pooled:
    """A mean difference over cells.

    Attributes:
        difference: The mean.
        error: Its standard error.
        freedom: Degrees of freedom.
        cells: How many cells.

    >>> low, high = Pooled(0.03, 0.01, 4.0, 1).interval()
    >>> round(low, 4), round(high, 4)
    (0.0022, 0.0578)
    """

    difference: float
    error: float
    freedom: float
    cells: int

    def interval(self) -> tuple[float, float]:
        """Return the 95 % interval."""
        half = float(stats.t.isf((1 - LEVEL) / 2, self.freedom)) * self.error
        return self.difference - half, self.difference + half

    def p(self, beyond: float = 0.0) -> float:
        """Return the two-sided p of a mean of `beyond`."""
        distance = self.difference - beyond
        if self.error == 0:
            return 1.0 if distance == 0 else 0.0
        return float(2 * stats.t.sf(abs(distance) / self.error, self.freedom))


def pool(comparisons: Sequence[ComparisonRecord]) -> Pooled | None:
    """Return the mean over the cells that were tested; `None` where none was.

    The cells are taken as given: the interval says nothing of other methods or data sets. It treats
    them as independent, which cells on one data set are but for their shared test studies.

    Args:
        comparisons: Of one pair of arms in one metric, one a cell.
    """
    tested = [
        (each.difference, each.error, each.freedom)
        for each in comparisons
        if each.difference is not None and each.error is not None and each.freedom is not None
    ]
    if not tested:
        return None
    differences, errors, freedoms = (np.array(column) for column in zip(*tested, strict=True))
    variances = errors**2 / len(tested) ** 2
    total = float(variances.sum())
    freedom = total**2 / float((variances**2 / freedoms).sum()) if total else float(min(freedoms))
    return Pooled(float(differences.mean()), float(np.sqrt(total)), freedom, len(tested))
