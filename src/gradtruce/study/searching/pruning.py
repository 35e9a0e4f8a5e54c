"""When a trial of a search is stopped early.

Optuna's pruners compare one value, and refuse a search for several. The rule here: at a validation
step, a trial is stopped if in *every* score it is below a quantile of the trials that are over and
came to that step, once there are enough of those. A trial that is good in one score goes on. Values
are those of the best checkpoint so far, which is what the trial would count with if it ended there.
Trials that were stopped count among those that are over: if only survivors did, the bar would rise
by itself.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, final

from pydantic import Field

from gradtruce.study.plans.entries import TableOfPlan
from gradtruce.study.searching.pareto import Point

Curve = Mapping[int, Point]
"""Scores of a trial by validation step, higher is better."""


@final
class PruningConfig(TableOfPlan):
    """When a trial is stopped early.

    Attributes:
        enabled: Whether any is.
        quantile: Of the scores of the trials that are over; 0.5 is the median.
        warm_up: How many trials must have come to a step before one is stopped there.
        from_step: Validations before this optimizer step stop nothing.

    >>> PruningConfig().quantile
    0.5
    """

    enabled: bool = True
    quantile: Annotated[float, Field(gt=0, lt=1)] = 0.5
    warm_up: Annotated[int, Field(ge=2)] = 6
    from_step: Annotated[int, Field(ge=0)] = 0


def is_hopeless(point: Point, step: int, over: Sequence[Curve], config: PruningConfig) -> bool:
    """Return whether a trial is stopped at a validation step.

    Args:
        point: Its scores there, higher is better.
        step: Optimizer steps taken.
        over: Scores of the trials that are over.
        config: The rule.

    >>> over = [{100: (0.1, 0.3)}, {100: (0.2, 0.2)}, {100: (0.3, 0.1)}]
    >>> rule = PruningConfig(warm_up=3)
    >>> is_hopeless((0.15, 0.15), 100, over, rule), is_hopeless((0.15, 0.25), 100, over, rule)
    (True, False)
    """
    peers = [curve[step] for curve in over if step in curve]
    if not config.enabled or step < config.from_step or len(peers) < config.warm_up:
        return False
    return all(
        value < quantile(scores, config.quantile)
        for value, scores in zip(point, zip(*peers, strict=True), strict=True)
    )


def quantile(values: Sequence[float], share: float) -> float:
    """Return the value below which a share of the values lies, between two of them by a line.

    Infinite values, of scores that could not be computed, stay what they are.

    >>> quantile([4.0, 1.0, 2.0, 3.0], 0.5)
    2.5
    """
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    below, above = ordered[math.floor(place)], ordered[math.ceil(place)]
    if below == above or math.isinf(below):
        return below
    return below + (place - math.floor(place)) * (above - below)
