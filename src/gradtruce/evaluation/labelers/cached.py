"""A labeler that remembers what it has read: references come back every epoch."""

from collections.abc import Sequence
from typing import final

import numpy as np
from jaxtyping import Float

from gradtruce.data.observations import OBSERVATIONS
from gradtruce.evaluation.labelers.base import Labeler, read_reports


@final
class CachedLabeler(Labeler):
    """Another labeler that reads each text once in its life; it keeps every text it has read.

    Args:
        labeler: Reads the texts that are new.

    >>> from gradtruce.evaluation.labelers.rules import RulesLabeler
    >>> labeler = CachedLabeler(RulesLabeler())
    >>> labeler.label(["no mass .", "clear lungs .", "no mass ."]).shape
    (3, 14)
    """

    def __init__(self, labeler: Labeler) -> None:
        self._labeler = labeler
        self._known: dict[str, Float[np.ndarray, " observations"]] = {}

    @property
    def identity(self) -> str:
        """Return the identity of the labeler that reads."""
        return self._labeler.identity

    def label(self, reports: Sequence[str]) -> Float[np.ndarray, "reports observations"]:
        """Return the states of each report, from memory where it has been read before."""
        new = [text for text in dict.fromkeys(reports) if text not in self._known]
        if new:
            self._known |= zip(new, read_reports(self._labeler, new), strict=True)
        rows = [self._known[report] for report in reports]
        return np.array(rows, dtype=np.float64).reshape(len(rows), len(OBSERVATIONS))
