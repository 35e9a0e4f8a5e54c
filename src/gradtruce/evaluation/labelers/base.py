"""The interface of a labeler."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from gradtruce.data.observations import NEGATIVE, OBSERVATIONS, POSITIVE, UNCERTAIN


class Labeler(ABC):
    """Reads reports, returns the state of each of the 14 observations."""

    @property
    @abstractmethod
    def identity(self) -> str:
        """Return name, version and hash, as kept with every score: "rules 1 (sha256 …)"."""

    @abstractmethod
    def label(self, reports: Sequence[str]) -> Float[np.ndarray, "reports observations"]:
        """Return 1 positive, 0 negative, -1 uncertain, NaN not mentioned, for each observation."""


def read_reports(
    labeler: Labeler, reports: Sequence[str]
) -> Float[np.ndarray, "reports observations"]:
    """Return what the labeler reads in each report; a text that comes often is read once.

    Raises:
        ValueError: If the labeler returns another shape or other states than it should.
    """
    texts = list(dict.fromkeys(reports))
    states = labeler.label(texts)
    if states.shape != (len(texts), len(OBSERVATIONS)):
        raise ValueError(
            f"labeler {labeler.identity} must return {len(texts)} × {len(OBSERVATIONS)} states,"
            f" returned {states.shape}"
        )
    if not (np.isnan(states) | np.isin(states, (POSITIVE, NEGATIVE, UNCERTAIN))).all():
        raise ValueError(f"labeler {labeler.identity} must return 1, 0, -1 or NaN only")
    rows = {text: row for row, text in enumerate(texts)}
    return states[[rows[report] for report in reports]]
