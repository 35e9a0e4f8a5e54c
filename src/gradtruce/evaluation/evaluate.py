"""All scores of a set of predictions, and the comparison of two sets."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from gradtruce.evaluation.labelers.base import Labeler
from gradtruce.evaluation.metrics import Group, Metrics
from gradtruce.evaluation.plans import plan_groups
from gradtruce.evaluation.predictions import Prediction
from gradtruce.evaluation.significance import LEVEL, Score, bootstrap, difference


def evaluate(
    predictions: Sequence[Prediction], labeler: Labeler, *, resamples: int = 1000, seed: int = 0
) -> Metrics:
    """Return every score of the predictions, with protocol and intervals.

    Groups: `nlg` (texts), `clinical` (the generated text, read by the labeler, against the truth
    that comes with the predictions, or else against the reference text read by the same labeler),
    `clinical_text` (both texts read by the labeler), `labeler` (its reading of the reference
    against that truth), `classification` (findings head against labels). A group that can't be
    computed has no scores and says why.

    Args:
        predictions: At least one, each with a reference text.
        labeler: Reads the texts.
        resamples: Bootstrap draws behind the intervals; 0 for none.
        seed: Seed of the draws.

    Raises:
        ValueError: If there is no prediction, a reference is empty, an id comes twice, or labels
            or findings are given for some of the predictions only.
    """
    _check(predictions)
    reports = len(predictions)
    groups: dict[str, Group] = {}
    intervals = f"{LEVEL:.0%} percentile bootstrap over reports, {resamples} draws, seed {seed}"
    for name, plan in plan_groups(predictions, labeler).items():
        card = replace(plan.protocol, intervals=intervals) if resamples else plan.protocol
        if plan.statistic is None:
            groups[name] = Group(card, reason=plan.reason)
            continue
        scores = bootstrap(
            plan.statistic, reports, resamples=resamples, seed=seed, undefined=plan.undefined
        )
        counts = {key: Score(float(count)) for key, count in plan.counts.items()}
        groups[name] = Group(card, scores | counts)
    return Metrics(groups)


def headline_scores(predictions: Sequence[Prediction], labeler: Labeler) -> dict[str, float]:
    """Return every score that is defined by flat name, without intervals: fast, for validation.

    Raises:
        ValueError: As `evaluate` does.
    """
    scores = evaluate(predictions, labeler, resamples=0).flat()
    return {name: score.value for name, score in scores.items() if score.value is not None}


def paired_difference(
    first: Sequence[Prediction],
    second: Sequence[Prediction],
    labeler: Labeler,
    names: Iterable[str],
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Score]:
    """Return first − second for each flat name, with a paired bootstrap interval.

    Every draw counts the same studies for both systems, so what makes a study hard for both
    cancels. The interval is over test studies: one training seed each can't rank two methods.

    Args:
        first: Predictions of one system.
        second: Predictions of another on the same studies, in any order.
        labeler: Reads the texts of both.
        names: Flat names, such as "clinical.micro_13.f1".
        resamples: Number of draws.
        seed: Seed of the draws.

    Raises:
        ValueError: If the two differ in studies, reference texts or labels, or a name is unknown.
    """
    plans = plan_groups(first, labeler)
    others = plan_groups(_aligned(first, second), labeler)
    differences: dict[str, Score] = {}
    wanted = list(names)
    for group in dict.fromkeys(name.partition(".")[0] for name in wanted):
        if group not in plans:
            raise ValueError(f"no group of scores is called {group!r}; known: {', '.join(plans)}")
        one, other = plans[group], others[group]
        if one.statistic is None or other.statistic is None:
            absent = Score(None, reason=one.reason or other.reason)
            differences |= {name: absent for name in wanted if name.partition(".")[0] == group}
            continue
        scores = bootstrap(
            difference(one.statistic, other.statistic),
            len(first),
            resamples=resamples,
            seed=seed,
            undefined={**one.undefined, **other.undefined},
        )
        differences |= {f"{group}.{key}": score for key, score in scores.items()}
    unknown = [name for name in wanted if name not in differences]
    if unknown:
        raise ValueError(f"no score with an interval is called {unknown[0]!r}")
    return {name: differences[name] for name in wanted}


def _check(predictions: Sequence[Prediction]) -> None:
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


def _aligned(first: Sequence[Prediction], second: Sequence[Prediction]) -> list[Prediction]:
    """Return `second` in the order of `first`, after checking that both are of the same studies."""
    _check(first)
    _check(second)
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
