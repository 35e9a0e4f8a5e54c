"""The interface of a family of scores: what one group of metrics.json is measured by."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from gradtruce.evaluation.predictions import Prediction
from gradtruce.evaluation.protocol import Protocol
from gradtruce.evaluation.significance import Statistic


@dataclass(frozen=True, eq=False)
class Plan:
    """How one family of scores is computed on given predictions, or why it can't be.

    Attributes:
        protocol: How it is measured.
        statistic: Its scores under any weighting of the reports; `None` where there is a reason.
        counts: Numbers that stand beside the scores, without intervals.
        undefined: Why some of its scores have no value, by key.
        reason: Why the whole family can't be computed.
        per_report: What is known of each report, JSON values by name, one a report.
    """

    protocol: Protocol
    statistic: Statistic | None = None
    counts: Mapping[str, int | float] = field(default_factory=dict)
    undefined: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""
    per_report: Mapping[str, Sequence[Any]] = field(default_factory=dict)


class Family(ABC):
    """Scores that are measured in one way.

    Attributes:
        name: Name of the group: the first part of its scores' flat names.
    """

    name: ClassVar[str]

    @abstractmethod
    def plan(self, predictions: Sequence[Prediction]) -> Plan:
        """Return how the scores of these predictions are computed; texts are read here, once.

        An id may come more than once: two systems on the same studies are planned together, where
        a test of their difference swaps their reports.

        Raises:
            ValueError: If the predictions can't be scored as they are.
        """
