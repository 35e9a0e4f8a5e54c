"""Which checkpoint is the best: one validation score by its flat name, or a sum of some."""

import math
import re
from collections.abc import Mapping
from typing import Any, Final, final

LOSSES: Final = "loss."
"""Scores whose flat name begins so are better when lower; all others when higher."""

_TERM: Final = re.compile(r"(?:(\d+(?:\.\d+)?)\s*\*\s*)?([A-Za-z_][\w. ]*)")


def selected_terms(select: str) -> dict[str, float]:
    """Return the scores that are summed, by flat name, with their factors.

    Raises:
        ValueError: If that is neither a score nor a sum of scores, or it sums a loss.

    >>> selected_terms("nlg.bleu_4 + 0.5 * nlg.bleu_1")
    {'nlg.bleu_4': 1.0, 'nlg.bleu_1': 0.5}
    """
    found = [_TERM.fullmatch(part.strip()) for part in select.split("+")]
    terms = {term[2]: float(term[1] or 1.0) for term in found if term}
    if len(terms) < len(found) or not all(terms.values()):
        raise ValueError(
            "training.select must be the name of a score, or a sum of different ones such as "
            f"'nlg.bleu_4 + 0.5 * nlg.bleu_1', got {select!r}"
        )
    losses = [name for name in terms if name.startswith(LOSSES)]
    if losses and select.strip() != losses[0]:
        raise ValueError(
            f"training.select: {losses[0]!r} is a loss, better when lower, and stands by itself; "
            f"got {select!r}"
        )
    return terms


def selected_value(select: str, scores: Mapping[str, float | None]) -> float | None:
    """Return the value of a score or sum; `None` where one of its scores has none.

    >>> selected_value("a + 0.5 * b", {"a": 1.0, "b": 4.0})
    3.0
    """
    total = 0.0
    for name, factor in selected_terms(select).items():
        value = scores[name]
        if value is None:
            return None
        total += factor * value
    return total


@final
class Selection:
    """Keeps the best value of one score or sum of scores.

    A score that could not be computed (`None` or NaN) is never better than one that could.

    Args:
        name: Flat name of the score, such as "clinical.micro_13.uncertain_negative.f1", or a sum,
            as `selected_terms` reads it.

    >>> selection = Selection("nlg.bleu_4")
    >>> [selection.improves({"nlg.bleu_4": value}) for value in (0.2, 0.1, 0.3)]
    [True, False, True]
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.best: float | None = None
        self._seen = False

    def improves(self, scores: Mapping[str, float | None]) -> bool:
        """Return whether this validation is the best so far, and keep it if so."""
        value = selected_value(self.name, scores)
        first, self._seen = not self._seen, True
        if value is None or math.isnan(value):
            return first
        if self.best is not None and not self._is_better(value, self.best):
            return False
        self.best = value
        return True

    def state_dict(self) -> dict[str, Any]:
        """Return the best value so far, and whether there was a validation at all."""
        return {"best": self.best, "seen": self._seen}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` returned."""
        self.best, self._seen = state["best"], state["seen"]

    def _is_better(self, value: float, best: float) -> bool:
        return value < best if self.name.startswith(LOSSES) else value > best
