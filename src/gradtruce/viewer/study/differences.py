"""Differences to the reference arm: the forest plot, the verdicts, the grid of cells."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, final

from gradtruce.evaluation.significance import Score
from gradtruce.study.results.record import (
    CellRecord,
    ComparisonRecord,
    MetricRecord,
    Outcome,
    RunRecord,
    StudyRecord,
    VerdictRecord,
    gain_of,
)
from gradtruce.viewer.frame.forest import domain_around_zero
from gradtruce.viewer.study.folder import title_of

SIGNS: Final[dict[Outcome, str]] = {"better": "▲", "worse": "▼", "undecided": "○", "untested": "·"}
"""A sign beside the colour of each outcome, for who can't tell the colours apart."""


@final
@dataclass(frozen=True)
class DifferenceRow:
    """One arm − the reference in one cell.

    Attributes:
        label: Of the arm.
        comparison: Its numbers.
        points: The difference of each seed that both have.
    """

    label: str
    comparison: ComparisonRecord
    points: tuple[float, ...]

    @property
    def score(self) -> Score:
        """The difference with its interval."""
        return Score(self.comparison.difference, self.comparison.low, self.comparison.high)

    @property
    def ends(self) -> list[float]:
        """All values that its drawing has."""
        c = self.comparison
        reach = [] if c.detectable is None else [-c.detectable, c.detectable]
        known = [end for end in (c.difference, c.low, c.high) if end is not None]
        return [*known, *reach, *self.points]


@final
@dataclass(frozen=True)
class Forest:
    """All arms of one cell, the best first.

    Attributes:
        title: Method and data set.
        rows: One an arm but the reference.
        domain: Values at the left and right edge of the drawing.
        shown: Smallest and largest detectable difference; `None` where none is known.
    """

    title: str
    rows: tuple[DifferenceRow, ...]
    domain: tuple[float, float]
    shown: tuple[float, float] | None


@final
@dataclass(frozen=True)
class GridRow:
    """One arm in all cells; `None` where the cell has no such arm."""

    label: str
    cells: tuple[ComparisonRecord | None, ...]


def forests(record: StudyRecord) -> list[Forest]:
    """Return one forest a cell, of the headline metric, all to one scale."""
    labels = {arm.name: arm.label for arm in record.arms}
    rows = {
        cell.name: [
            DifferenceRow(labels[each.arm], each, _points(record, each))
            for each in record.comparisons
            if (each.cell, each.metric) == (cell.name, record.headline)
        ]
        for cell in record.cells
    }
    domain = domain_around_zero([end for each in rows.values() for row in each for end in row.ends])
    metric = headline_metric(record)
    return [_forest(cell, metric, rows[cell.name], domain) for cell in record.cells]


def _forest(
    cell: CellRecord,
    metric: MetricRecord,
    rows: Sequence[DifferenceRow],
    domain: tuple[float, float],
) -> Forest:
    known = [row for row in rows if row.comparison.difference is not None]
    unknown = [row for row in rows if row.comparison.difference is None]
    known.sort(key=lambda row: -gain_of(metric, row.comparison.difference))
    return Forest(
        title=title_of(cell),
        rows=(*known, *unknown),
        domain=domain,
        shown=_extent([row.comparison.detectable for row in rows]),
    )


def grid(record: StudyRecord) -> list[GridRow]:
    """Return the arms by cells, of the headline metric; nothing where there is one cell."""
    if len(record.cells) < 2:
        return []
    table = {
        (each.arm, each.cell): each for each in record.comparisons if each.metric == record.headline
    }
    return [
        GridRow(arm.label, tuple(table.get((arm.name, cell.name)) for cell in record.cells))
        for arm in record.arms
        if arm.name != record.reference
    ]


def headline_metric(record: StudyRecord) -> MetricRecord:
    """Return the metric that the verdict is about.

    Raises:
        ValueError: If the record does not list it.
    """
    for metric in record.metrics:
        if metric.name == record.headline:
            return metric
    raise ValueError(f"study.json lists no metric {record.headline!r}; make it again")


def verdict_rows(record: StudyRecord) -> list[tuple[str, VerdictRecord]]:
    """Return the verdicts on the headline metric with their arms' labels, best first."""
    labels = {arm.name: arm.label for arm in record.arms}
    found = [verdict for verdict in record.verdicts if verdict.metric == record.headline]
    metric = headline_metric(record)
    found.sort(key=lambda each: (each.losses - each.wins, -gain_of(metric, each.difference)))
    return [(labels[verdict.arm], verdict) for verdict in found]


def sentence(record: StudyRecord) -> str:
    """Return the outcome of the study in one sentence."""
    reference = next(arm.label for arm in record.arms if arm.name == record.reference)
    found = [each.outcome for each in record.comparisons if each.metric == record.headline]
    better, worse = found.count("better"), found.count("worse")
    tested = len(found) - found.count("untested")
    if not tested:
        return f"No arm could be compared with {reference} yet: there are too few finished seeds."
    nothing = tested - better - worse
    return (
        f"Of {tested} {'comparison' if tested == 1 else 'comparisons'} with {reference}, "
        f"{better} came out better and {worse} worse at 95 % after Holm's correction; "
        f"{nothing} {'is' if nothing == 1 else 'are'} undecided."
    )


def _points(record: StudyRecord, comparison: ComparisonRecord) -> tuple[float, ...]:
    ours = _by_seed(record.runs, comparison.cell, comparison.arm, comparison.metric)
    theirs = _by_seed(record.runs, comparison.cell, record.reference, comparison.metric)
    return tuple(ours[seed] - theirs[seed] for seed in sorted(ours) if seed in theirs)


def _by_seed(runs: Sequence[RunRecord], cell: str, arm: str, metric: str) -> dict[int, float]:
    found = {run.seed: run.scores.get(metric) for run in runs if (run.cell, run.arm) == (cell, arm)}
    return {seed: value for seed, value in found.items() if value is not None}


def _extent(values: Sequence[float | None]) -> tuple[float, float] | None:
    known = [value for value in values if value is not None]
    return (min(known), max(known)) if known else None
