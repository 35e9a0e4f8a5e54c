"""The interface of a labeler."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float


class Labeler(ABC):
    """Reads reports, returns the state of each of the 14 observations."""

    @property
    @abstractmethod
    def identity(self) -> str:
        """Return name, version and hash, as kept with every score: "rules 1 (sha256 …)"."""

    @abstractmethod
    def label(self, reports: Sequence[str]) -> Float[np.ndarray, "reports observations"]:
        """Return 1 positive, 0 negative, -1 uncertain, NaN not mentioned, for each observation."""
