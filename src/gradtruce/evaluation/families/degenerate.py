"""Signs that a system writes no reports of its own: the same text for all, copies, no text at all.

Scores of such output can look fair where most studies are normal. So the family stands beside them,
each share with the same share of the references, and raises an alarm in plain words.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Final, final

import numpy as np
from jaxtyping import Float

from gradtruce.evaluation.baselines import most_frequent
from gradtruce.evaluation.family import Family, Plan
from gradtruce.evaluation.nlg.text import squeeze
from gradtruce.evaluation.predictions import Prediction
from gradtruce.evaluation.protocol import Protocol
from gradtruce.evaluation.training_texts import TrainingTexts, wording

LOWEST_UNIQUE: Final = 0.1
"""Share of unique texts below which all reports are much the same …"""

UNIQUE_RATIO: Final = 3.0
"""… where the references' own share is this many times as high."""

LENGTH_RATIOS: Final = (0.5, 1.5)
"""Mean length over the references', outside of which reports are cut off or run on."""

HIGHEST_FREQUENT: Final = 0.5
"""Share of the most frequent training report above which a system says little else."""

HIGHEST_EMPTY: Final = 0.01
"""Share of empty reports above which something went wrong in generating."""

HIGHEST_COPIED: Final = 0.9
"""Share of training reports, word for word, above which a system retrieves."""

MARGIN: Final = 0.1
"""By how much a share must exceed the references' own for an alarm."""

FEWEST_REPORTS: Final = 20
"""Reports below which shares say nothing: no alarm is raised."""

_NEEDS_TRAINING: Final = ("most_frequent_training_share", "copied_share")


@final
class DegenerateOutput(Family):
    """Shares of same, copied and empty reports, and the length ratio.

    With intervals: `length_ratio` (tokens generated over tokens of the references, summed over the
    reports), `empty_share`, `most_frequent_training_share`, `copied_share` (word for word a
    training report, by `training_texts.wording`). Without: `unique_share`, the number of different
    texts over the number of reports. A bootstrap draws some reports twice and so has fewer
    different texts, about 63 % where all differ: its interval would not hold the value itself.
    Beside each share, `reference_…` is that of the references.

    Args:
        training: Training reports; without them two of the shares have no value.

    >>> empty = [Prediction("s1", "a mass .", ""), Prediction("s2", "clear .", "")]
    >>> plan = DegenerateOutput().plan(empty)
    >>> plan.counts["unique_share"], plan.statistic(np.ones((1, 2)))["empty_share"]
    (0.5, array([1.]))
    """

    name: ClassVar[str] = "degenerate"

    def __init__(self, training: TrainingTexts | None = None) -> None:
        self._source = training.source if training else ""
        self._known = frozenset(map(wording, training.reports)) if training else None
        self._frequent = most_frequent(training.reports) if training else ""

    def plan(self, predictions: Sequence[Prediction]) -> Plan:
        """Return how the shares are computed on these predictions."""
        generated = [prediction.generated for prediction in predictions]
        references = [prediction.reference for prediction in predictions]
        scored, right = self._marks(generated), self._marks(references)
        counts = {"unique_share": _unique(generated), "reference_unique_share": _unique(references)}
        for key in ("empty_share", *_NEEDS_TRAINING):
            if key in right:
                counts[f"reference_{key}"] = float(right[key].mean()) if predictions else 0.0
        return Plan(
            protocol=self._protocol(predictions),
            statistic=_Shares(scored, right["tokens"]).scores,
            counts=counts,
            undefined=self._undefined(float(right["tokens"].sum())),
            per_report={
                key: values.astype(int if key == "tokens" else bool).tolist()
                for key, values in scored.items()
            },
        )

    def _marks(self, texts: Sequence[str]) -> dict[str, Float[np.ndarray, " reports"]]:
        """Return number of tokens of each text, and 1 where a share counts it."""
        marks = {
            "tokens": [len(text.split()) for text in texts],
            "empty_share": [not text.strip() for text in texts],
        }
        if self._known is not None:
            words = [wording(text) for text in texts]
            frequent = wording(self._frequent)
            marks["most_frequent_training_share"] = [text == frequent for text in words]
            marks["copied_share"] = [bool(text) and text in self._known for text in words]
        return {key: np.array(values, dtype=np.float64) for key, values in marks.items()}

    def _protocol(self, predictions: Sequence[Prediction]) -> Protocol:
        return Protocol(
            compares="generated texts with each other, their references and the training reports",
            reports=len(predictions),
            empty_generated=sum(not prediction.generated.strip() for prediction in predictions),
            tokens="whitespace",
            settings={
                "training_reports": self._source or "not given",
                "copied": "the same letters and digits in the same order, after cleaning",
                "unique": "texts that differ in more than whitespace",
            },
        )

    def _undefined(self, reference_tokens: float) -> dict[str, str]:
        undefined = {}
        if self._known is None:
            undefined = dict.fromkeys(_NEEDS_TRAINING, "no training reports were given")
        if not reference_tokens:
            undefined["length_ratio"] = "the references have no token"
        return undefined


@final
class _Shares:
    """The statistic: weighted shares and the ratio of summed lengths."""

    def __init__(
        self,
        scored: Mapping[str, Float[np.ndarray, " reports"]],
        reference_tokens: Float[np.ndarray, " reports"],
    ) -> None:
        self._scored = scored
        self._reference_tokens = reference_tokens

    def scores(
        self, weights: Float[np.ndarray, "draws reports"]
    ) -> dict[str, Float[np.ndarray, " draws"]]:
        """Return one value a row of weights; NaN where it is not defined."""
        lengths = weights @ self._reference_tokens
        written = weights @ self._scored["tokens"]
        missing = np.full(len(weights), np.nan)
        ratio = np.divide(written, lengths, out=missing.copy(), where=lengths > 0)
        shares = {
            key: weights @ self._scored[key] / weights.sum(axis=1)
            if key in self._scored
            else missing
            for key in ("empty_share", *_NEEDS_TRAINING)
        }
        return {"length_ratio": ratio} | shares


def alarms(plan: Plan) -> list[str]:
    """Return what is suspicious in the output that a plan of `DegenerateOutput` was made on.

    The thresholds are the constants of this module; each is held against the references' own value,
    for a data set may itself repeat. No alarm says that a system is bad: it says that its scores
    need a look at its texts.

    >>> same = [Prediction(f"s{i}", f"report {i} .", "clear .") for i in range(20)]
    >>> alarms(DegenerateOutput().plan(same))[0]
    'only 5.0 % of the generated reports differ from each other (references: 100.0 %)'
    """
    reports = plan.protocol.reports
    if plan.statistic is None or reports < FEWEST_REPORTS:
        return []
    scores = plan.statistic(np.ones((1, reports)))
    values = {key: float(array[0]) for key, array in scores.items()} | dict(plan.counts)
    unique, own = values["unique_share"], values["reference_unique_share"]
    found = []
    if unique < LOWEST_UNIQUE and own >= UNIQUE_RATIO * unique:
        found.append(
            f"only {unique:.1%} of the generated reports differ from each other (references:"
            f" {own:.1%})".replace("%", " %")
        )
    low, high = LENGTH_RATIOS
    if values["length_ratio"] < low or values["length_ratio"] > high:
        found.append(
            f"the generated reports have {values['length_ratio']:.2f} times the tokens of the"
            f" references (expected: {low} to {high})"
        )
    return found + _high_shares(values)


def _high_shares(values: Mapping[str, float]) -> list[str]:
    found = []
    for key, highest, what in (
        ("most_frequent_training_share", HIGHEST_FREQUENT, "are the most frequent training report"),
        ("empty_share", HIGHEST_EMPTY, "are empty"),
        ("copied_share", HIGHEST_COPIED, "stand word for word among the training reports"),
    ):
        value, own = values[key], values.get(f"reference_{key}", 0.0)
        margin = min(MARGIN, highest)
        if value > highest and value - own > margin - 1e-9:
            found.append(
                f"{value:.1%} of the generated reports {what} (references: {own:.1%})".replace(
                    "%", " %"
                )
            )
    return found


def _unique(texts: Sequence[str]) -> float:
    return len({squeeze(text) for text in texts}) / max(1, len(texts))
