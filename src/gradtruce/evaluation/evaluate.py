"""All scores of a set of predictions, by the families that are asked for."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from gradtruce.evaluation.family import Family, Plan
from gradtruce.evaluation.metrics import Group, Metrics
from gradtruce.evaluation.predictions import Prediction
from gradtruce.evaluation.significance import LEVEL, Score, bootstrap


def evaluate(
    predictions: Sequence[Prediction],
    families: Sequence[Family],
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> Metrics:
    """Return every score of the predictions, with protocol and intervals.

    A family that can't be computed has no scores and says why.

    Args:
        predictions: At least one, each with a reference text.
        families: What is scored, such as `standard_families(labeler)`.
        resamples: Bootstrap draws behind the intervals; 0 for none.
        seed: Seed of the draws.

    Raises:
        ValueError: If there is no prediction, a reference is empty, an id comes twice, or labels
            are given for some of the predictions only.
    """
    return score(plan(predictions, families), len(predictions), resamples=resamples, seed=seed)


def plan(predictions: Sequence[Prediction], families: Sequence[Family]) -> dict[str, Plan]:
    """Return how each family is computed, by its name; texts are read here, once.

    Raises:
        ValueError: As `evaluate` does.
    """
    check(predictions)
    return {family.name: family.plan(predictions) for family in families}


def score(
    plans: Mapping[str, Plan], reports: int, *, resamples: int = 1000, seed: int = 0
) -> Metrics:
    """Return the scores of what has been planned on so many reports."""
    groups: dict[str, Group] = {}
    intervals = f"{LEVEL:.0%} percentile bootstrap over reports, {resamples} draws, seed {seed}"
    for name, each in plans.items():
        card = replace(each.protocol, intervals=intervals) if resamples else each.protocol
        if each.statistic is None:
            groups[name] = Group(card, reason=each.reason)
            continue
        scores = bootstrap(
            each.statistic, reports, resamples=resamples, seed=seed, undefined=each.undefined
        )
        counts = {key: Score(float(count)) for key, count in each.counts.items()}
        groups[name] = Group(card, scores | counts)
    return Metrics(groups)


def check(predictions: Sequence[Prediction]) -> None:
    """Refuse predictions that can't be evaluated.

    Raises:
        ValueError: If there is none, an id comes twice, or a reference is empty.
    """
    if not predictions:
        raise ValueError("there is no prediction to evaluate")
    seen: set[str] = set()
    for prediction in predictions:
        if prediction.id in seen:
            raise ValueError(f"study {prediction.id!r} is predicted twice; each may come once")
        seen.add(prediction.id)
        if not prediction.reference.strip():
            raise ValueError(
                f"study {prediction.id!r} has no reference text to evaluate against; leave it out"
            )
