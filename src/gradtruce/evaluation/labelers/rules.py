"""A rule-based labeler: mentions, negation and doubt by phrase lists, with nothing to download."""

import logging
from collections.abc import Sequence
from typing import Final, final

import numpy as np
from jaxtyping import Float

from gradtruce.data.observations import (
    FINDINGS,
    MISSING,
    NEGATIVE,
    OBSERVATIONS,
    POSITIVE,
    UNCERTAIN,
)
from gradtruce.evaluation.labelers.base import Labeler
from gradtruce.evaluation.labelers.rules_phrases import load_phrases
from gradtruce.evaluation.labelers.rules_sentence import (
    OTHER,
    SentenceReader,
    Statement,
    sentences,
)

EMPTY_POLICIES: Final = ("blank", "normal")
"""What an empty report may be taken to say."""

_CACHED: Final = 200_000
_SUPPORT_DEVICES: Final = "Support Devices"
_log = logging.getLogger(__name__)


@final
class RulesLabeler(Labeler):
    """Reads reports as the CheXpert labeler does (Irvin et al. 2019), with phrase lists of our own.

    A mention is negated or doubted by the words of its clause, in the order early doubt ("cannot
    exclude"), negation, late doubt, positive. Over a report, positive goes before uncertain before
    negative. No Finding is positive where nothing but support devices is positive or uncertain,
    and is never negative or uncertain.

    Where we differ from the original: words that only look like a mention are passed over
    (plate-like, end plates, tuberculosis, supportive, Kerley and pleural lines, vertebral collapse,
    pulmonary fibrosis, aortic contour); heart and mediastinum count only where something is said
    of them; an empty report is blank.

    Args:
        empty_policy: What an empty report says: "blank", nothing is known of any observation, or
            "normal", No Finding, as in the original, which makes an empty text score as a normal.
        compat: Whether to take those words for mentions, as the original does, and a mediastinum
            that is only called unchanged for uncertain. For comparison with labels made by it.

    Raises:
        ValueError: If the policy is neither of the two.

    >>> states = RulesLabeler().label(["The heart is enlarged. No effusion. Possible edema."])[0]
    >>> row = dict(zip(OBSERVATIONS, states, strict=True))
    >>> float(row["Cardiomegaly"]), float(row["Pleural Effusion"]), float(row["Edema"])
    (1.0, 0.0, -1.0)
    """

    def __init__(self, *, empty_policy: str = "blank", compat: bool = False) -> None:
        if empty_policy not in EMPTY_POLICIES:
            raise ValueError(f"empty_policy must be 'blank' or 'normal', got {empty_policy!r}")
        self.empty_policy = empty_policy
        self.compat = compat
        self._phrases = load_phrases(compat)
        self._reader = SentenceReader(self._phrases)
        self._sentences: dict[str, tuple[Statement, ...]] = {}

    @property
    def identity(self) -> str:
        """Return name, version, hash of the phrase file, the policy for empty reports, compat."""
        phrases, compat = self._phrases, ", compat" if self.compat else ""
        policy = f"empty {self.empty_policy}{compat}"
        return f"rules {phrases.version} (sha256 {phrases.sha256}, {policy})"

    def label(self, reports: Sequence[str]) -> Float[np.ndarray, "reports observations"]:
        """Return the state of each observation; sentences read before are looked up."""
        rows = [self._row(report) for report in reports]
        blank = sum(not report.strip(" .") for report in reports)
        if blank:
            _log.info(
                "%d of %d reports are empty: labelled %s", blank, len(rows), self.empty_policy
            )
        return np.array(rows, dtype=np.float64).reshape(len(rows), len(OBSERVATIONS))

    def _row(self, report: str) -> tuple[float, ...]:
        parts = sentences(report)
        statements = [one for part in parts for one in self._read(part)]
        return self._aggregate(statements, is_empty=not parts)

    def _read(self, sentence: str) -> tuple[Statement, ...]:
        statements = self._sentences.get(sentence)
        if statements is None:
            statements = tuple(self._reader.read(sentence))
            if len(self._sentences) >= _CACHED:
                self._sentences.clear()
            self._sentences[sentence] = statements
        return statements

    def _aggregate(self, statements: Sequence[Statement], *, is_empty: bool) -> tuple[float, ...]:
        if is_empty:
            normal = float(POSITIVE) if self.empty_policy == "normal" else MISSING
            return (*[MISSING] * len(FINDINGS), normal)
        said: dict[str, set[int]] = {}
        for statement in statements:
            said.setdefault(statement.observation, set()).add(statement.state)
        row = [_strongest(said.get(name, set())) for name in FINDINGS]
        barring = (name for name in (*FINDINGS, OTHER) if name != _SUPPORT_DEVICES)
        is_normal = all(said.get(name, set()) <= {NEGATIVE} for name in barring)
        return (*row, float(POSITIVE) if is_normal else MISSING)


def _strongest(states: set[int]) -> float:
    for state in (POSITIVE, UNCERTAIN, NEGATIVE):
        if state in states:
            return float(state)
    return MISSING
