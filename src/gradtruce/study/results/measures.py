"""The scores that a study tabulates, in the paper's columns and order."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, final

from gradtruce.evaluation.headline import PAPER, SELECTION
from gradtruce.study.results.record import MetricRecord

_STEM: Final = PAPER.rpartition(".")[0]

CE_AVERAGE: Final = f"{_STEM}.average"
"""CE Avg. of the paper: the mean of precision, recall and F1 (its tables' numbers say so)."""


@final
@dataclass(frozen=True)
class Measure:
    """One column: a score, or the mean of several.

    Attributes:
        record: Its name, labels and place.
        parts: Flat names of what it is the mean of.

    >>> MEASURES[0].record.column, len(MEASURES[-1].parts)
    ('Pooled F1', 1)
    """

    record: MetricRecord
    parts: tuple[str, ...]


def _measure(name: str, column: str, label: str, group: str, *parts: str) -> Measure:
    is_better = higher_is_better(name)
    record = MetricRecord(
        name=name, column=column, label=label, group=group, higher_is_better=is_better
    )
    return Measure(record, parts or (name,))


_RISING: Final = ("clinical.", "clinical_text.", "classification.", "nlg.")
_RISING_ALONE: Final = ("errors.accurate", "degenerate.unique_share")
_FALLING: Final = (
    *("errors.minor", "errors.major_hallucination", "errors.critical_omission"),
    *("errors.major_and_critical", "errors.certainty_difference_per_report"),
    *(f"errors.{kind}_per_report" for kind in ("false", "missing", "wrong_side")),
    *(f"errors.{kind}_per_report" for kind in ("wrong_location", "wrong_severity")),
    *(f"errors.{kind}_comparison_per_report" for kind in ("unfounded", "omitted")),
    *(f"degenerate.{kind}_share" for kind in ("empty", "copied", "most_frequent_training")),
)


def higher_is_better(name: str) -> bool:
    """Return which way a score is good.

    Raises:
        ValueError: If it is good neither way, such as a number of reports, or unknown.

    >>> higher_is_better("nlg.cider"), higher_is_better("errors.critical_omission")
    (True, False)
    """
    if name in _FALLING:
        return False
    if name.startswith(_RISING) or name in _RISING_ALONE:
        return True
    raise ValueError(
        f"{name!r} is no score that arms can be judged by: it is unknown, or more of it is neither "
        "better nor worse; take one of clinical, nlg or classification, or a kind of error"
    )


_EXAMPLE: Final = "mean over reports, 14 observations"

MEASURES: Final[tuple[Measure, ...]] = (
    _measure(
        SELECTION, "Pooled F1", "clinical F1, counts pooled over 13 findings", "report", SELECTION
    ),
    _measure(f"{_STEM}.precision", "Prec.", f"clinical precision, {_EXAMPLE}", "report"),
    _measure(f"{_STEM}.recall", "Rec.", f"clinical recall, {_EXAMPLE}", "report"),
    _measure(PAPER, "F1", f"clinical F1, {_EXAMPLE}", "report"),
    *(_measure(f"nlg.bleu_{n}", f"B-{n}", f"BLEU-{n}", "report") for n in (1, 2, 3, 4)),
    _measure("nlg.meteor", "MTR", "METEOR", "report"),
    _measure("nlg.rouge_l", "R-L", "ROUGE-L", "report"),
    _measure(
        CE_AVERAGE,
        "CE Avg.",
        f"mean of clinical precision, recall and F1, {_EXAMPLE}",
        "report",
        *(f"{_STEM}.{part}" for part in ("precision", "recall", "f1")),
    ),
    *(
        _measure(
            f"classification.{pool}_{score}",
            f"{pool.capitalize()} {column}",
            f"{label} of the findings head, {pool}-averaged",
            "auxiliary",
        )
        for pool in ("macro", "micro")
        for score, column, label in (
            ("auc", "AUC", "AUC"),
            ("precision", "Prec.", "precision"),
            ("recall", "Rec.", "recall"),
            ("f1", "F1", "F1"),
        )
    ),
)
"""The paper's columns (Tables 1 to 4: "report"; Table F.1: "auxiliary"), and our headline."""


def measures(wanted: Sequence[str] = ()) -> tuple[Measure, ...]:
    """Return the measures of the tables, with others that are wanted before them.

    Args:
        wanted: Flat names; the first becomes the headline.

    >>> measures(["nlg.cider"])[0].record.column
    'nlg.cider'
    """
    known = {measure.record.name: measure for measure in MEASURES}
    first = [known.get(name) or _measure(name, name, name, "report") for name in wanted]
    names = {measure.record.name for measure in first}
    return (*first, *(each for each in MEASURES if each.record.name not in names))


def families_of(every: Iterable[Measure]) -> tuple[str, ...]:
    """Return the groups of metrics.json that the measures come from, each once.

    >>> families_of(MEASURES)
    ('clinical', 'nlg', 'classification')
    """
    names = (part for measure in every for part in measure.parts)
    return tuple(dict.fromkeys(name.partition(".")[0] for name in names))
