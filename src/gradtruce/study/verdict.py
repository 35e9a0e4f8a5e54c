"""What a study says of each arm over all its cells: wins, mean difference, a line to quote."""

from collections.abc import Sequence

import numpy as np
from scipy import stats

from gradtruce.evaluation.significance import LEVEL
from gradtruce.study.outline import Outline
from gradtruce.study.record import ComparisonRecord, FamilyRecord, VerdictRecord


def verdicts(
    outline: Outline, comparisons: Sequence[ComparisonRecord], families: Sequence[FamilyRecord]
) -> tuple[VerdictRecord, ...]:
    """Return the verdict on every arm but the reference, in every metric.

    Args:
        outline: The plan.
        comparisons: All of them.
        families: One a metric.
    """
    found = []
    for family in families:
        for arm in outline.arms:
            of_arm = [
                each
                for each in comparisons
                if each.metric == family.metric and each.arm == arm.name
            ]
            if of_arm:
                found.append(_verdict(outline, of_arm, family))
    return tuple(found)


def _verdict(
    outline: Outline, of_arm: Sequence[ComparisonRecord], family: FamilyRecord
) -> VerdictRecord:
    outcomes = [each.outcome for each in of_arm]
    difference, low, high = pooled(of_arm)
    return VerdictRecord(
        metric=family.metric,
        arm=of_arm[0].arm,
        wins=outcomes.count("better"),
        losses=outcomes.count("worse"),
        ties=outcomes.count("undecided"),
        untested=outcomes.count("untested"),
        difference=difference,
        low=low,
        high=high,
        line=verdict_line(outcomes, unit=_unit(outline), comparisons=family.size),
    )


def verdict_line(outcomes: Sequence[str], *, unit: str = "methods", comparisons: int) -> str:
    """Return the verdict in words.

    Args:
        outcomes: Of one arm, one a cell.
        unit: What a cell is called, in the plural.
        comparisons: Size of the family of the correction.

    >>> verdict_line(["better"] * 5 + ["undecided"], comparisons=6)
    'better on 5 of 6 methods, worse on none, at 95 % (Holm over 6 comparisons)'
    >>> verdict_line(["undecided"], comparisons=29)
    'no difference shown, at 95 % (Holm over 29 comparisons)'
    """
    tested = [outcome for outcome in outcomes if outcome != "untested"]
    if not tested:
        return "not tested: needs two seeds or more finished in both arms"
    level = f"at {LEVEL * 100:.0f} % (Holm over {comparisons} comparison{'s' * (comparisons > 1)})"
    if len(outcomes) == 1:
        words = {"better": "better", "worse": "worse", "undecided": "no difference shown"}
        return f"{words[outcomes[0]]}, {level}"
    wins, losses = tested.count("better"), tested.count("worse")
    missing = len(outcomes) - len(tested)
    more = f"; {missing} more not tested" if missing else ""
    return (
        f"better on {wins or 'none'} of {len(tested)} {unit}, worse on {losses or 'none'},"
        f" {level}{more}"
    )


def pooled(
    of_arm: Sequence[ComparisonRecord],
) -> tuple[float | None, float | None, float | None]:
    """Return the mean difference over the tested cells with its 95 % interval.

    The cells are taken as given: the interval says nothing of other methods or data sets. It treats
    them as independent, which cells on one data set are but for their shared test studies.
    """
    tested = [
        (each.difference, each.error, each.freedom)
        for each in of_arm
        if each.difference is not None and each.error is not None and each.freedom is not None
    ]
    if not tested:
        return None, None, None
    differences, errors, freedoms = (np.array(column) for column in zip(*tested, strict=True))
    mean = float(differences.mean())
    variances = errors**2 / len(tested) ** 2
    total = float(variances.sum())
    if total == 0:
        return mean, mean, mean
    freedom = total**2 / float((variances**2 / freedoms).sum())
    half = float(stats.t.isf((1 - LEVEL) / 2, freedom)) * float(np.sqrt(total))
    return mean, mean - half, mean + half


def _unit(outline: Outline) -> str:
    methods = {cell.method for cell in outline.cells}
    data = {cell.data for cell in outline.cells}
    if len(data) == 1:
        return "methods"
    return "data sets" if len(methods) == 1 else "pairs of method and data set"
