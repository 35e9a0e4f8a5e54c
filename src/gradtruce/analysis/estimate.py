"""Intervals on averages over the steps of one run, whose neighbours may depend on each other.

The variance of an average of dependent values is that of the moving-block bootstrap (Künsch 1989),
which needs no draws: it is the sum of autocovariances with Bartlett weights (Newey and West 1987).
What an interval covers is the chance of the batches, along the path that this run took. It says
nothing of another training seed.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, final

import numpy as np
from jaxtyping import Float
from scipy import stats

LEVEL: Final = 0.95
"""Share of intervals that hold the true value."""

_DEGREES: Final = 1.5
"""Degrees of freedom of Bartlett weights, in blocks (Priestley 1981, table 6.1)."""

_LARGEST_MEMORY: Final = 0.97
"""Correlation of neighbours at most, of a process of first order, where a block is chosen."""

_LARGEST_EXPONENT: Final = 50.0
"""Of the factor between an estimate and the end of its interval: enough to say that it is none."""

Array = Float[np.ndarray, " values"]
Values = Sequence[float] | Array


@final
@dataclass(frozen=True)
class Estimate:
    """A number and its 95 % interval; NaN where there is none.

    Attributes:
        value: The estimate.
        low: Lower end; NaN of fewer than two values.
        high: Upper end.
        count: Values it is made of.

    >>> Estimate(0.5, 0.4, 0.6, 10).is_above(0.3)
    True
    """

    value: float
    low: float
    high: float
    count: int

    def is_above(self, number: float) -> bool:
        """Return whether the whole interval is above a number."""
        return self.low > number

    def is_below(self, number: float) -> bool:
        """Return whether the whole interval is below a number."""
        return self.high < number

    def to_dict(self) -> dict[str, float | int]:
        """Return the four by name."""
        return {"value": self.value, "low": self.low, "high": self.high, "count": self.count}


def mean_estimate(
    values: Values, *, block: int | None = None, is_positive: bool = False
) -> Estimate:
    """Return the mean of values in their order, NaN left out.

    Args:
        values: One a step.
        block: Steps over which values may depend on each other; 1 for independent ones. Where not
            given, the cube root of their number, or more where neighbours are alike (Andrews 1991,
            for Bartlett weights). Such an interval covers 92 to 98 % where neighbours correlate by
            up to 0.3; where they do by 0.5, 92 % of 200 values and 87 % of 16.
        is_positive: Whether the mean is above 0 by its nature; the interval is then symmetric in
            its logarithm.

    >>> found = mean_estimate([1.0, 2.0, 3.0, 4.0], block=1)
    >>> found.value, round(found.low, 3), round(found.high, 3)
    (2.5, 0.446, 4.554)
    """
    known = _known(values)
    if len(known) < 2:
        return Estimate(
            float(known.mean()) if len(known) else math.nan, math.nan, math.nan, len(known)
        )
    value = float(known.mean())
    half = _quantile(known, block) * math.sqrt(_variance(known, block))
    if is_positive and value > 0:
        factor = math.exp(min(half / value, _LARGEST_EXPONENT))
        return Estimate(value, value / factor, value * factor, len(known))
    return Estimate(value, value - half, value + half, len(known))


def share_estimate(flags: Values, *, block: int | None = None) -> Estimate:
    """Return the share of ones among zeros and ones, with Wilson's interval.

    The number of values in it is the number of independent ones that would be as sure.

    >>> found = share_estimate([0.0] * 10)
    >>> found.value, found.low, round(found.high, 2)
    (0.0, 0.0, 0.28)
    """
    known = _known(flags)
    if not len(known):
        return Estimate(math.nan, math.nan, math.nan, 0)
    share = float(known.mean())
    if len(known) < 2:
        return Estimate(share, 0.0, 1.0, len(known))
    alone = float(known.var(ddof=1)) / len(known)
    number = len(known) * (alone / _variance(known, block) if alone else 1.0)
    z = float(stats.norm.isf((1 - LEVEL) / 2))
    centre = (share + z * z / (2 * number)) / (1 + z * z / number)
    half = (
        z / (1 + z * z / number) * math.sqrt(share * (1 - share) / number + (z / (2 * number)) ** 2)
    )
    return Estimate(share, max(0.0, centre - half), min(1.0, centre + half), len(known))


def share_difference(differences: Values, *, block: int | None = None) -> Estimate:
    """Return the mean of paired differences of shares, each from −1 to 1.

    Few pairs may all be equal, and their variance zero. So two made-up ones, +1 and −1, stand with
    them in the interval, as Bonett and Price (2012) have it for paired proportions.

    >>> found = share_difference([0.0] * 8)
    >>> found.value, found.low < -0.2, found.high > 0.2
    (0.0, True, True)
    """
    known = _known(differences)
    count = len(known)
    value = float(known.mean()) if count else math.nan
    if count < 2:
        return Estimate(value, -1.0, 1.0, count)
    alone = float(known.var(ddof=1)) / count
    factor = _variance(known, block) / alone if alone else 1.0
    centre = float(known.sum()) / (count + 2)
    squares = (float(known @ known) + 2) / (count + 2)
    half = _quantile(known, block) * math.sqrt(factor * (squares - centre**2) / (count + 2))
    return Estimate(value, max(-1.0, centre - half), min(1.0, centre + half), count)


def ratio_estimate(numerators: Values, denominators: Values, *, paired: bool) -> Estimate:
    """Return the ratio of two means of independent values, above 0, by its logarithm.

    Args:
        numerators: At least two, above 0.
        denominators: The same.
        paired: Whether the values of one place come from the same batches.

    Raises:
        ValueError: If there are fewer than two values, or as pairs not as many of each.

    >>> ratio_estimate([2.0, 4.0, 6.0], [1.0, 2.0, 3.0], paired=True).value
    2.0
    """
    above, below = np.asarray(numerators, np.float64), np.asarray(denominators, np.float64)
    if min(len(above), len(below)) < 2 or (paired and len(above) != len(below)):
        raise ValueError(
            "a ratio needs two values or more above and below, and as many of each where they are "
            f"paired, got {len(above)} and {len(below)}"
        )
    one, other = above / above.mean(), below / below.mean()
    if paired:
        variance = float((one - other).var(ddof=1)) / len(one)
    else:
        variance = float(one.var(ddof=1) / len(one) + other.var(ddof=1) / len(other))
    freedom = min(len(one), len(other)) - 1
    half = float(stats.t.isf((1 - LEVEL) / 2, freedom)) * math.sqrt(variance)
    value = float(above.mean() / below.mean())
    return Estimate(
        value, value * math.exp(-half), value * math.exp(half), min(len(one), len(other))
    )


def _known(values: Values) -> Float[np.ndarray, " known"]:
    array = np.asarray(values, dtype=np.float64)
    return array[~np.isnan(array)]


def _length(values: Array, block: int | None) -> int:
    """Return the block: as given, else the cube root of the count, or what Andrews (1991) has."""
    count = len(values)
    if block is not None:
        return min(block, count)
    deviations = values - values.mean()
    square = float(deviations @ deviations)
    memory = float(deviations[1:] @ deviations[:-1]) / square if square else 0.0
    memory = max(-_LARGEST_MEMORY, min(_LARGEST_MEMORY, memory))
    alpha = 4 * memory**2 / ((1 - memory) ** 2 * (1 + memory) ** 2)
    wanted = math.ceil(max(count ** (1 / 3), 1.1447 * (alpha * count) ** (1 / 3)))
    return min(int(wanted), count)


def _variance(values: Array, block: int | None) -> float:
    """Return the variance of the mean, never below that of independent values."""
    count, length = len(values), _length(values, block)
    deviations = values - values.mean()
    alone = float(deviations @ deviations) / (count - 1)
    lagged = sum(
        2 * (1 - lag / length) * float(deviations[lag:] @ deviations[:-lag]) / (count - 1)
        for lag in range(1, length)
    )
    return max(alone, alone + lagged) / count


def _quantile(values: Array, block: int | None) -> float:
    count = len(values)
    freedom = min(count - 1.0, max(1.0, _DEGREES * count / _length(values, block) - 1))
    return float(stats.t.isf((1 - LEVEL) / 2, freedom))
