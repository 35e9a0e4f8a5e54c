"""The table of findings of one study: the truth, what each run says, and where it sees them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, final

from gradtruce.data.observations import FINDINGS, POSITIVE, UNCERTAIN
from gradtruce.data.study import View
from gradtruce.evaluation.predictions import Prediction
from gradtruce.viewer.report.agreement import States, Verdict, compare
from gradtruce.viewer.report.films import heat_uris
from gradtruce.viewer.report.sentence_attention import Look

LIKELY: Final = 0.5
"""Probability from which a finding is shown although nobody states it, and from which its place
is."""


@final
@dataclass(frozen=True)
class FindingCell:
    """One finding in one run.

    Attributes:
        verdict: What the report says of it, against the truth.
        probability: Of the head.
        heats: Where the head sees a likely finding: a heat map a view, as data URI.
    """

    verdict: Verdict | None
    probability: float | None
    heats: tuple[str, ...] = ()


@final
@dataclass(frozen=True)
class FindingRow:
    """One finding: the truth, and each run."""

    observation: str
    truth: int | None
    cells: tuple[FindingCell, ...]
    is_relevant: bool


def finding_rows(
    truth: States,
    readings: Sequence[States],
    predictions: Sequence[Prediction],
    seen: Sequence[Mapping[str, Look]],
    views: Sequence[View],
) -> tuple[FindingRow, ...]:
    """Return a row for each of the 14 observations.

    Args:
        truth: State of the observations that are known.
        readings: What the report of each run says.
        predictions: Of each run.
        seen: Where the head of each run sees each finding; nothing where it has none.
        views: What the runs were shown.

    >>> report = Prediction("a", "", "", findings={"Edema": 0.7})
    >>> rows = finding_rows({"Edema": 1}, [{}], [report], [{}], ())
    >>> [(row.observation, row.cells[0].probability) for row in rows if row.is_relevant]
    [('Edema', 0.7)]
    """
    rows = []
    for name in FINDINGS:
        cells = tuple(
            _cell(name, compare(reading.get(name), truth.get(name)), prediction, places, views)
            for reading, prediction, places in zip(readings, predictions, seen, strict=True)
        )
        is_relevant = truth.get(name) in (POSITIVE, UNCERTAIN) or any(
            cell.verdict or (cell.probability or 0.0) >= LIKELY for cell in cells
        )
        rows.append(FindingRow(name, truth.get(name), cells, is_relevant))
    return tuple(rows)


def _cell(
    name: str,
    verdict: Verdict | None,
    prediction: Prediction,
    places: Mapping[str, Look],
    views: Sequence[View],
) -> FindingCell:
    probability = (prediction.findings or {}).get(name)
    is_likely = probability is not None and probability >= LIKELY
    heats = heat_uris(places[name], views) if is_likely and name in places else ()
    return FindingCell(verdict, probability, heats)
