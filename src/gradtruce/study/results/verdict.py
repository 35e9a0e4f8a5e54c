"""What a study says of each arm over all its cells: wins, mean difference, a line to quote."""

from collections.abc import Sequence

from gradtruce.evaluation.significance import LEVEL
from gradtruce.study.results.outline import Outline
from gradtruce.study.results.pooling import pool
from gradtruce.study.results.record import ComparisonRecord, FamilyRecord, VerdictRecord


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
    mean = pool(of_arm)
    low, high = (None, None) if mean is None else mean.interval()
    return VerdictRecord(
        metric=family.metric,
        arm=of_arm[0].arm,
        wins=outcomes.count("better"),
        losses=outcomes.count("worse"),
        ties=outcomes.count("undecided"),
        untested=outcomes.count("untested"),
        difference=None if mean is None else mean.difference,
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


def _unit(outline: Outline) -> str:
    methods = {cell.method for cell in outline.cells}
    data = {cell.data for cell in outline.cells}
    if len(data) == 1:
        return "methods"
    return "data sets" if len(methods) == 1 else "pairs of method and data set"
