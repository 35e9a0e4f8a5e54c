"""Which checkpoint is the best: one validation score by its flat name."""

from collections.abc import Mapping
from typing import Final, final

LOSSES: Final = "loss."
"""Scores whose flat name begins so are better when lower; all others when higher."""


@final
class Selection:
    """Keeps the best value of one score.

    A score that could not be computed (`None`) is never better than one that could.

    Args:
        name: Flat name of the score, such as "clinical.micro_13.uncertain_negative.f1".
        best: The best value so far, where a run goes on.

    >>> selection = Selection("nlg.bleu_4")
    >>> [selection.improves({"nlg.bleu_4": value}) for value in (0.2, 0.1, 0.3)]
    [True, False, True]
    """

    def __init__(self, name: str, best: float | None = None) -> None:
        self.name = name
        self.best = best
        self._seen = best is not None

    def improves(self, scores: Mapping[str, float | None]) -> bool:
        """Return whether this validation is the best so far, and keep it if so."""
        value = scores[self.name]
        first, self._seen = not self._seen, True
        if value is None:
            return first
        if self.best is not None and not self._is_better(value, self.best):
            return False
        self.best = value
        return True

    def _is_better(self, value: float, best: float) -> bool:
        return value < best if self.name.startswith(LOSSES) else value > best
