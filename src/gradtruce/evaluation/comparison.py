"""Two systems on the same studies: differences of their scores, with intervals and tests.

Both systems are planned together, one after the other: weights of 1 on the first half are the first
system, on the second half the second. A bootstrap draw counts the same studies in both; an
approximate randomisation (Noreen 1989) swaps the two systems' reports of half of the studies.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, final

import numpy as np
from jaxtyping import Float

from gradtruce.evaluation.evaluate import check
from gradtruce.evaluation.family import Family, Plan
from gradtruce.evaluation.predictions import Prediction
from gradtruce.evaluation.significance import CELLS_AT_ONCE, LEVEL, Score, draws, interval

FEWEST: Final = 20
"""Studies from which on a bootstrap gives a p."""

Values = Float[np.ndarray, " draws"]


@final
@dataclass(frozen=True)
class Difference:
    """The difference of one score between two systems.

    Attributes:
        score: First − second with its paired bootstrap interval, or why there is none.
        p_bootstrap: Two-sided p by the share of draws on the other side of 0; none of fewer than
            `FEWEST` studies, whose draws say too little of others.
        p_randomisation: Two-sided p by approximate randomisation.
    """

    score: Score
    p_bootstrap: float | None = None
    p_randomisation: float | None = None


def compare(
    first: Sequence[Prediction],
    second: Sequence[Prediction],
    families: Sequence[Family],
    names: Iterable[str] | None = None,
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Difference]:
    """Return first − second for each score, with a paired bootstrap interval and two tests.

    Both are over test studies: one training seed each can't rank two methods.

    Args:
        first: Predictions of one system.
        second: Predictions of another on the same studies, in any order.
        families: What is scored.
        names: Flat names, such as "clinical.micro_13.uncertain_negative.f1"; all by default.
        resamples: Number of bootstrap draws, and of randomisations.
        seed: Seed of both.

    Raises:
        ValueError: If the two differ in studies, reference texts or labels, or a name is unknown.
    """
    both = [*first, *_aligned(first, second)]
    wanted = None if names is None else list(names)
    asked = {name.partition(".")[0] for name in wanted or ()}
    found: dict[str, Difference] = {}
    reasons: dict[str, str] = {}
    for family in families:
        if wanted is not None and family.name not in asked:
            continue
        plan = family.plan(both)
        if plan.statistic is None:
            reasons[family.name] = plan.reason
            continue
        tested = _test(plan, len(first), resamples=resamples, seed=seed)
        found |= {f"{family.name}.{key}": difference for key, difference in tested.items()}
    if wanted is None:
        return found
    return {name: _named(name, found, reasons) for name in wanted}


@final
@dataclass(frozen=True)
class Comparison:
    """One system against another.

    Attributes:
        against: Name of the other system.
        differences: By flat name of the score.
        corrected: p of the randomisation, corrected for all tests made together (Holm 1979).
    """

    against: str
    differences: Mapping[str, Difference]
    corrected: Mapping[str, float]


def compare_all(
    first: Sequence[Prediction],
    others: Mapping[str, Sequence[Prediction]],
    families: Sequence[Family],
    names: Iterable[str],
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> list[Comparison]:
    """Return one system against each other one, corrected over all systems and scores.

    Args:
        first: Predictions of the system that is compared.
        others: Predictions of the others, by name.
        families: What is scored.
        names: Flat names of the scores.
        resamples: Number of bootstrap draws, and of randomisations.
        seed: Seed of both.

    Raises:
        ValueError: As `compare` does; the message names the other system.
    """
    wanted = list(names)
    found: dict[str, dict[str, Difference]] = {}
    for other, predictions in others.items():
        try:
            found[other] = compare(
                first, predictions, families, wanted, resamples=resamples, seed=seed
            )
        except ValueError as error:
            raise ValueError(f"against {other}: {error}") from error
    p_values = {
        f"{other} {name}": difference.p_randomisation
        for other, differences in found.items()
        for name, difference in differences.items()
        if difference.p_randomisation is not None
    }
    corrected = holm(p_values)
    return [
        Comparison(
            other,
            differences,
            {
                name: corrected[f"{other} {name}"]
                for name in differences
                if f"{other} {name}" in corrected
            },
        )
        for other, differences in found.items()
    ]


def require_same_studies(
    first: Sequence[Prediction], others: Mapping[str, Sequence[Prediction]]
) -> None:
    """Refuse systems that can't be compared, before anything is scored.

    Raises:
        ValueError: If one differs from the first in studies, references or labels.

    >>> one = [Prediction("s1", "clear .", "")]
    >>> require_same_studies(one, {"other.csv": [Prediction("s2", "clear .", "")]})
    Traceback (most recent call last):
    ValueError: against other.csv: the two systems differ in 2 studies, 's1' for one; ...
    """
    for other, predictions in others.items():
        try:
            _aligned(first, predictions)
        except ValueError as error:
            raise ValueError(f"against {other}: {error}") from error


def comparison_json(comparisons: Sequence[Comparison], *, resamples: int, seed: int) -> str:
    """Return the text of comparison.json: first − other, by system and flat name."""
    tests = {
        each.against: {
            name: {
                "value": difference.score.value,
                "low": difference.score.low,
                "high": difference.score.high,
                "p_bootstrap": difference.p_bootstrap,
                "p_randomisation": difference.p_randomisation,
                "p_holm": each.corrected.get(name),
            }
            | ({"reason": difference.score.reason} if difference.score.reason else {})
            for name, difference in each.differences.items()
        }
        for each in comparisons
    }
    number = sum(len(each.corrected) for each in comparisons)
    content = {
        "schema": 1,
        "differences": "the evaluated system − the other",
        "intervals": f"{LEVEL:.0%} paired bootstrap over reports, {resamples} draws, seed {seed}",
        "p_randomisation": f"two-sided, {resamples} random swaps of reports, seed {seed}",
        "p_holm": f"p_randomisation corrected for the {number} tests of this file",
        "against": tests,
    }
    return json.dumps(content, ensure_ascii=False, allow_nan=False, indent=1) + "\n"


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Return p-values corrected for their number (Holm 1979), by name.

    >>> holm({"a": 0.01, "b": 0.04, "c": 0.03})
    {'a': 0.03, 'b': 0.06, 'c': 0.06}
    """
    corrected: dict[str, float] = {}
    largest = 0.0
    for place, name in enumerate(sorted(p_values, key=lambda name: p_values[name])):
        largest = max(largest, min(1.0, (len(p_values) - place) * p_values[name]))
        corrected[name] = largest
    return {name: corrected[name] for name in p_values}


def _named(name: str, found: Mapping[str, Difference], reasons: Mapping[str, str]) -> Difference:
    group = name.partition(".")[0]
    if name in found:
        return found[name]
    if group in reasons:
        return Difference(Score(None, reason=reasons[group]))
    raise ValueError(f"no score with an interval is called {name!r}")


def _test(plan: Plan, studies: int, *, resamples: int, seed: int) -> dict[str, Difference]:
    none = np.zeros((1, studies))
    observed = _differences(plan, np.ones((1, studies)), none)
    drawn = _gathered(
        _differences(plan, counts, np.zeros_like(counts))
        for counts in draws(studies, resamples, seed)
    )
    swapped = _gathered(
        _differences(plan, 1.0 - swap, swap) for swap in _swaps(studies, resamples, seed)
    )
    differences: dict[str, Difference] = {}
    for key, values in observed.items():
        value = float(values[0])
        if np.isnan(value):
            reason = plan.undefined.get(key, "not defined on these reports")
            differences[key] = Difference(Score(None, reason=reason))
        elif not resamples:
            differences[key] = Difference(Score(value))
        else:
            differences[key] = Difference(
                Score(value, *interval(drawn[key])),
                _two_sided(drawn[key]) if studies >= FEWEST else None,
                _at_least(np.abs(swapped[key]), abs(value)),
            )
    return differences


def _differences(
    plan: Plan,
    first: Float[np.ndarray, "draws studies"],
    second: Float[np.ndarray, "draws studies"],
) -> dict[str, Values]:
    """Return the score of a mixture of both systems, less that of the opposite mixture."""
    if plan.statistic is None:
        raise ValueError(plan.reason)
    ahead = plan.statistic(np.concatenate([first, second], axis=1))
    behind = plan.statistic(np.concatenate([second, first], axis=1))
    return {name: ahead[name] - behind[name] for name in ahead}


def _gathered(chunks: Iterable[Mapping[str, Values]]) -> dict[str, Values]:
    parts = list(chunks)
    return (
        {name: np.concatenate([part[name] for part in parts]) for name in parts[0]} if parts else {}
    )


def _swaps(studies: int, resamples: int, seed: int) -> Iterator[Float[np.ndarray, "draws studies"]]:
    """Yield which studies are swapped, 1 or 0, some draws at a time."""
    generator = np.random.default_rng([seed, 1])
    rows = max(1, CELLS_AT_ONCE // studies)
    for start in range(0, resamples, rows):
        number = min(rows, resamples - start)
        yield generator.integers(0, 2, size=(number, studies)).astype(np.float64)


def _two_sided(drawn: Values) -> float | None:
    defined = drawn[~np.isnan(drawn)]
    if not len(defined):
        return None
    tail = int(min(np.count_nonzero(defined <= 0), np.count_nonzero(defined >= 0)))
    return min(1.0, 2 * (tail + 1) / (len(defined) + 1))


def _at_least(swapped: Values, observed: float) -> float | None:
    defined = swapped[~np.isnan(swapped)]
    if not len(defined):
        return None
    reached = np.count_nonzero(defined >= observed - 1e-12)  # rounding is no difference
    return (int(reached) + 1) / (len(defined) + 1)


def _aligned(first: Sequence[Prediction], second: Sequence[Prediction]) -> list[Prediction]:
    """Return `second` in the order of `first`, after checking that both are of the same studies."""
    check(first)
    check(second)
    others = {prediction.id: prediction for prediction in second}
    odd = {prediction.id for prediction in first} ^ set(others)
    if odd:
        raise ValueError(
            f"the two systems differ in {len(odd)} studies, {min(odd)!r} for one; compare them on"
            " the same studies"
        )
    for prediction in first:
        other = others[prediction.id]
        if (prediction.reference, prediction.labels) != (other.reference, other.labels):
            raise ValueError(f"study {prediction.id!r} has another reference or other labels")
    return [others[prediction.id] for prediction in first]
