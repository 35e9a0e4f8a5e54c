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
    record = MetricRecord(name=name, column=column, label=label, group=group)
    return Measure(record, parts or (name,))


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
