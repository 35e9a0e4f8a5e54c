"""The difference between two arms over seeds and studies: interval, tests, what it could show.

Seeds and test studies are crossed: every seed is tested on the same studies. A score's difference
then varies by the seed, by the study (one arm suits some studies better) and by both together. The
mean over S seeds has the variance

    σ²_seed / S  +  σ²_study / N  +  σ²_both / (S N),

of which the spread between seeds shows the first and the last term, and a bootstrap over studies
the last two. The test is a t on their sum. Where arms suit all studies alike it is the paired t
over seeds.
"""

from dataclasses import dataclass
from itertools import product
from typing import Final, final

import numpy as np
from jaxtyping import Float
from scipy import stats

from gradtruce.evaluation.significance import LEVEL, detectable_errors, interval

EXACT_SEEDS: Final = 12
"""Seeds up to which all sign flips are tried; above, as many are drawn as that number has."""

Observed = Float[np.ndarray, " seeds"]
Drawn = Float[np.ndarray, "seeds draws"]


@final
@dataclass(frozen=True)
class Effect:
    """The difference of one score between two arms.

    Attributes:
        difference: Mean over seeds.
        std: Standard deviation over seeds.
        low: Lower end of the interval by the two-level t; the same quantile as `p`.
        high: Upper end.
        p: Two-sided, by the two-level t.
        p_signs: Two-sided, by sign flips over seeds.
        bootstrap_low: Lower end of the percentile interval of the two-level bootstrap.
        bootstrap_high: Upper end.
        error: Standard error behind `low`, `high` and `p`.
        freedom: Degrees of freedom behind them (Satterthwaite 1946).
    """

    difference: float
    std: float
    low: float
    high: float
    p: float
    p_signs: float
    bootstrap_low: float | None
    bootstrap_high: float | None
    error: float
    freedom: float


def effect(
    observed: Observed,
    drawn: Float[np.ndarray, "other_seeds draws"],
    *,
    studies: int,
    seed: int = 0,
) -> Effect:
    """Return the difference between two arms with its interval and tests.

    Args:
        observed: Paired difference of each seed, on all studies.
        drawn: The same on bootstrap draws of the studies, one draw for all seeds and both arms.
        studies: Number of test studies.
        seed: Of the draws over seeds.

    Raises:
        ValueError: If there are fewer than two seeds, or a number is not finite.

    >>> draws = np.array([[0.03, 0.01], [0.05, 0.03], [0.04, 0.02]])
    >>> found = effect(np.array([0.02, 0.04, 0.03]), draws, studies=300)
    >>> round(found.difference, 3), round(found.std, 3)
    (0.03, 0.01)
    """
    _require(observed, drawn)
    error, freedom = standard_error(observed, drawn, studies=studies)
    difference = float(observed.mean())
    half = float(stats.t.isf((1 - LEVEL) / 2, freedom)) * error
    low, high = interval(two_level_draws(drawn, seed=seed))
    return Effect(
        difference=difference,
        std=float(observed.std(ddof=1)),
        low=difference - half,
        high=difference + half,
        p=_two_sided(difference, error, freedom),
        p_signs=sign_flip_p(observed),
        bootstrap_low=low,
        bootstrap_high=high,
        error=error,
        freedom=freedom,
    )


def standard_error(observed: Observed, drawn: Drawn, *, studies: int) -> tuple[float, float]:
    """Return the standard error of the mean over seeds and studies, and its degrees of freedom.

    With a² = variance over seeds / S, b² = variance over draws of the mean over seeds, and v² = the
    mean over seeds of the variance over draws: c² = (v² − b²) / (S − 1) estimates σ²_both / (S N),
    which a² and b² both contain; the sum a² + (b² − c²) counts it once. Of few seeds a² may by
    chance fall far below c², its least true value; the degrees of freedom then stay S − 1, or 3
    seeds would reject a true null 6 to 7 times in 100. A bootstrap over N studies has (N − 1) / N
    of the variance that it stands for.

    >>> error, freedom = standard_error(np.array([1.0, 2.0, 3.0]), np.ones((3, 4)), studies=50)
    >>> round(error**2, 4), freedom
    (0.3333, 2.0)
    """
    seeds, _ = drawn.shape
    others = max(studies - 1, 1)
    between = float(observed.var(ddof=1)) / seeds
    of_mean = float(drawn.mean(axis=0).var(ddof=1)) * studies / others
    of_each = float(drawn.var(axis=1, ddof=1).mean()) * studies / others
    both = max(0.0, of_each - of_mean) / (seeds - 1)
    shared = max(0.0, of_mean - both)
    variance = between + shared
    if variance == 0:
        return 0.0, float(seeds - 1)
    largest = max(between, both)
    freedom = variance**2 / (largest**2 / (seeds - 1) + shared**2 / others)
    return float(np.sqrt(variance)), max(freedom, float(seeds - 1))


def two_level_draws(drawn: Drawn, *, seed: int = 0) -> Float[np.ndarray, " draws"]:
    """Return the mean difference under draws of seeds and of studies (Owen 2007, pigeonhole).

    >>> two_level_draws(np.array([[1.0, 2.0], [1.0, 2.0]]))
    array([1., 2.])
    """
    seeds, draws = drawn.shape
    generator = np.random.default_rng([seed, 2])
    counts = generator.multinomial(seeds, np.full(seeds, 1 / seeds), size=draws)
    return np.asarray((counts.T * drawn).sum(axis=0) / seeds)


def sign_flip_p(observed: Observed) -> float:
    """Return the two-sided p of the mean under flips of the seeds' signs.

    >>> sign_flip_p(np.array([0.01, 0.02, 0.03, 0.04, 0.05]))
    0.0625
    """
    seeds = len(observed)
    if seeds <= EXACT_SEEDS:
        signs = np.array(list(product((1.0, -1.0), repeat=seeds)))
    else:
        generator = np.random.default_rng(0)
        signs = generator.choice((1.0, -1.0), size=(2**EXACT_SEEDS, seeds))
        signs[0] = 1.0  # what was seen is one of them
    sums = np.abs(signs @ observed)
    return float((sums >= sums[0] * (1 - 1e-12)).mean())


def detectable(error: float, freedom: float, comparisons: int = 1) -> float:
    """Return the smallest difference that the test shows with power .8.

    Args:
        error: Standard error behind the test.
        freedom: Its degrees of freedom.
        comparisons: Tested together; the level is 5 % over their number, Holm's first step.

    >>> round(detectable(0.0067, 4.0), 4), round(detectable(0.0067, 4.0, comparisons=6), 4)
    (0.0252, 0.0413)
    """
    return error * detectable_errors(freedom, significance=(1 - LEVEL) / comparisons)


def _two_sided(difference: float, error: float, freedom: float) -> float:
    if error == 0:
        return 1.0 if difference == 0 else 0.0
    return float(2 * stats.t.sf(abs(difference) / error, freedom))


def _require(observed: Observed, drawn: Float[np.ndarray, "other_seeds draws"]) -> None:
    if len(observed) < 2:
        raise ValueError(f"a test over seeds needs two or more, got {len(observed)}")
    if drawn.shape[0] != len(observed) or drawn.shape[1] < 2:
        raise ValueError(
            f"draws must be seeds × 2 draws or more, found {drawn.shape} for {len(observed)} seeds"
        )
    if not (np.isfinite(observed).all() and np.isfinite(drawn).all()):
        raise ValueError("differences must be finite; leave out draws in which a score has none")
