"""Intervals on scores, and the smallest difference that a number of seeds can show.

A statistic is a function of how often each report is counted: all once gives the score itself, a
bootstrap draw gives the score of that draw.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float

LEVEL: Final = 0.95
"""Share of the draws inside an interval."""

CELLS_AT_ONCE: Final = 250_000
"""Draws × reports held in memory at a time."""

Statistic = Callable[
    [Float[np.ndarray, "draws reports"]], Mapping[str, Float[np.ndarray, " draws"]]
]


@dataclass(frozen=True)
class Score:
    """A number with its interval; no number where it can't be computed, and then the reason.

    Attributes:
        value: The score, or a difference of two; `None` where it is not defined.
        low: Lower end of the interval; `None` where there is none (a count, or none asked for).
        high: Upper end.
        reason: Why there is no value; "" where there is one.

    >>> Score(0.5, 0.4, 0.6).value
    0.5
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    reason: str = ""


def bootstrap(
    statistic: Statistic,
    reports: int,
    *,
    resamples: int = 1000,
    seed: int = 0,
    undefined: Mapping[str, str] | None = None,
) -> dict[str, Score]:
    """Return each score with its percentile interval over reports drawn with replacement.

    An interval says how much the score hangs on which reports were tested; it says nothing of the
    spread between training seeds. Draws in which a score is not defined are left out of it.

    Args:
        statistic: From weights, one row a draw, to values by name; NaN where not defined.
        reports: Number of reports.
        resamples: Number of draws; 0 for no intervals.
        seed: Seed of the draws: the same seed and number of reports give the same draws.
        undefined: Why a name has no value, for those that have none.

    Raises:
        ValueError: If there is no report, or the number of resamples is negative.

    >>> lengths = np.array([4.0, 6.0, 8.0, 10.0])
    >>> mean = bootstrap(lambda w: {"mean": w @ lengths / w.sum(axis=1)}, 4)["mean"]
    >>> mean.value, mean.low < 7.0 < mean.high
    (7.0, True)
    """
    if reports < 1:
        raise ValueError("there is no report to score")
    if resamples < 0:
        raise ValueError(f"resamples must be at least 0, got {resamples}")
    values = {name: float(array[0]) for name, array in statistic(np.ones((1, reports))).items()}
    chunks = [statistic(weights) for weights in draws(reports, resamples, seed)]
    scores: dict[str, Score] = {}
    for name, value in values.items():
        if np.isnan(value):
            reason = (undefined or {}).get(name, "not defined on these reports")
            scores[name] = Score(None, reason=reason)
        else:
            drawn = np.concatenate([chunk[name] for chunk in chunks]) if chunks else np.empty(0)
            scores[name] = Score(value, *interval(drawn))
    return scores


def draws(reports: int, resamples: int, seed: int) -> Iterator[Float[np.ndarray, "draws reports"]]:
    """Yield how often each draw counts each report, some rows at a time.

    >>> weights = next(draws(reports=5, resamples=3, seed=0))
    >>> weights.shape, weights.sum(axis=1)
    ((3, 5), array([5., 5., 5.]))
    """
    generator = np.random.default_rng(seed)
    rows = max(1, CELLS_AT_ONCE // reports)
    for start in range(0, resamples, rows):
        number = min(rows, resamples - start)
        drawn = generator.integers(0, reports, size=(number, reports))
        cells = drawn + reports * np.arange(number)[:, None]
        counts = np.bincount(cells.ravel(), minlength=number * reports)
        yield counts.reshape(number, reports).astype(np.float64)


def minimal_detectable_difference(
    std: float, seeds: int, *, power: float = 0.8, significance: float = 0.05
) -> float:
    """Return the smallest mean difference that a paired t-test over seeds would show.

    Exact for normal differences: solves for the noncentrality at which a two-sided test of
    `seeds` − 1 degrees of freedom rejects, on the right side, with probability `power`.

    Args:
        std: Standard deviation over seeds of the paired difference between two systems. Of
            unpaired systems with standard deviation s each, it is √2 s.
        seeds: Number of seeds, at least 2.
        power: Chance of showing a difference of that size, with its sign right.
        significance: Chance of showing one where there is none.

    Raises:
        ValueError: If an argument is out of its range.

    >>> round(minimal_detectable_difference(0.015, seeds=5), 4)
    0.0252
    """
    if not std >= 0 or seeds < 2:
        raise ValueError(f"needs std at least 0 and 2 seeds or more, got {std} and {seeds}")
    errors = detectable_errors(float(seeds - 1), power=power, significance=significance)
    return errors * std / float(np.sqrt(seeds))


def detectable_errors(freedom: float, *, power: float = 0.8, significance: float = 0.05) -> float:
    """Return how many standard errors away a difference must be to be shown by a two-sided t.

    Args:
        freedom: Degrees of freedom of the standard error, above 0.
        power: Chance of showing a difference of that size, with its sign right.
        significance: Chance of showing one where there is none.

    Raises:
        ValueError: If power and significance are out of their range.

    >>> round(detectable_errors(4.0), 2)
    3.76
    """
    from scipy import optimize, stats

    if not 0 < significance < power < 1:
        raise ValueError(
            f"needs 0 < significance < power < 1, got significance {significance}, power {power}"
        )
    critical = float(stats.t.isf(significance / 2, freedom))

    def missing_power(noncentrality: float) -> float:
        return float(stats.nct.sf(critical, freedom, noncentrality)) - power

    highest = 1.0
    while missing_power(highest) < 0:
        highest *= 2
    return float(optimize.brentq(missing_power, 0.0, highest))


def interval(drawn: Float[np.ndarray, " draws"]) -> tuple[float | None, float | None]:
    """Return the percentile interval of drawn values; none where no draw has a value."""
    defined = drawn[~np.isnan(drawn)]
    if not len(defined):
        return None, None
    low, high = np.quantile(defined, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
