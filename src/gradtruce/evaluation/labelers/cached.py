"""A labeler that remembers what it has read: in a run, and over runs where it is given a file."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Final, final

import numpy as np
from jaxtyping import Float

from gradtruce.data.observations import OBSERVATIONS
from gradtruce.evaluation.labelers.base import Labeler, read_reports
from gradtruce.evaluation.labelers.label_store import LabelStore

_AT_ONCE: Final = 512
_log = logging.getLogger(__name__)


@final
class CachedLabeler(Labeler):
    """Another labeler that reads each text once in its life; it keeps every text it has read.

    With a file the labels outlive the run, and reading that was broken off goes on where it was.

    Args:
        labeler: Reads the texts that are new.
        path: A file, or the folder of one, in which labels are kept; see `LabelStore`.

    Raises:
        OSError: If the file can't be opened, read or written.
        ValueError: If the file is damaged, or no file of labels.

    >>> from gradtruce.evaluation.labelers.rules import RulesLabeler
    >>> labeler = CachedLabeler(RulesLabeler())
    >>> labeler.label(["no mass .", "clear lungs .", "no mass ."]).shape
    (3, 14)
    """

    def __init__(self, labeler: Labeler, path: Path | None = None) -> None:
        self._labeler = labeler
        self._known: dict[str, Float[np.ndarray, " observations"]] = {}
        self._store = LabelStore(path, labeler.identity) if path is not None else None

    @property
    def identity(self) -> str:
        """Return the identity of the labeler that reads."""
        return self._labeler.identity

    def label(self, reports: Sequence[str]) -> Float[np.ndarray, "reports observations"]:
        """Return the states of each report, from memory or file where it has been read before."""
        new = [text for text in dict.fromkeys(reports) if text not in self._known]
        if new and self._store is not None:
            self._known |= self._store.read(new)
            self._read_and_store([text for text in new if text not in self._known], self._store)
        elif new:
            self._known |= zip(new, read_reports(self._labeler, new), strict=True)
        rows = [self._known[report] for report in reports]
        return np.array(rows, dtype=np.float64).reshape(len(rows), len(OBSERVATIONS))

    def _read_and_store(self, new: Sequence[str], store: LabelStore) -> None:
        """Read new texts, some at a time, for a network reads thousands in an hour."""
        by_length = sorted(new, key=len)  # a network's batches are of like length
        for start in range(0, len(by_length), _AT_ONCE):
            chunk = by_length[start : start + _AT_ONCE]
            states = dict(zip(chunk, read_reports(self._labeler, chunk), strict=True))
            store.write(states)
            self._known |= states
            _log.info("%d of %d new reports are labelled", start + len(chunk), len(new))
