"""The numbers of a study's record by cell, arm and metric, and what every table has in common."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import final

from gradtruce.study.results.power import power_notes
from gradtruce.study.results.record import (
    ArmRecord,
    ArmScore,
    CellRecord,
    ComparisonRecord,
    MetricRecord,
    RankRecord,
    RunRecord,
    StudyRecord,
)
from gradtruce.study.tables.model import Entry, RowGroup, TableRow


@final
@dataclass(frozen=True)
class Lookup:
    """A study's record, with its numbers by cell, arm and metric."""

    study: StudyRecord

    def score(self, cell: str, arm: str, metric: str) -> ArmScore | None:
        """Return mean and standard deviation."""
        return next(
            (
                each
                for each in self.study.scores
                if (each.cell, each.arm, each.metric) == (cell, arm, metric)
            ),
            None,
        )

    def comparison(self, cell: str, arm: str, metric: str) -> ComparisonRecord | None:
        """Return the arm against the reference; `None` for the reference itself."""
        return next(
            (
                each
                for each in self.study.comparisons
                if (each.cell, each.arm, each.metric) == (cell, arm, metric)
            ),
            None,
        )

    def rank(self, arm: str, metric: str) -> RankRecord | None:
        """Return the average rank."""
        return next(
            (each for each in self.study.ranks if (each.arm, each.metric) == (arm, metric)), None
        )

    def metrics(self, group: str) -> list[MetricRecord]:
        """Return the metrics of a group of tables."""
        return [metric for metric in self.study.metrics if metric.group == group]

    def headline(self) -> MetricRecord:
        """Return the metric that the verdict is about."""
        return next(each for each in self.study.metrics if each.name == self.study.headline)

    def label(self, arm: str) -> str:
        """Return what an arm is called."""
        return next(each.label for each in self.study.arms if each.name == arm)

    def arms(self, cell: str) -> list[ArmRecord]:
        """Return the arms planned in a cell."""
        planned = {run.arm for run in self.study.runs if run.cell == cell}
        return [arm for arm in self.study.arms if arm.name in planned]

    def runs(self, cell: str, arm: str) -> list[RunRecord]:
        """Return the planned runs of an arm in a cell."""
        return [run for run in self.study.runs if (run.cell, run.arm) == (cell, arm)]


def heading(cell: CellRecord) -> str:
    """Return what a cell is called above its rows."""
    return f"{cell.method_label}, {cell.data_label}"


def groups_of(
    look: Lookup, row: Callable[[CellRecord, ArmRecord], TableRow | None]
) -> tuple[RowGroup, ...]:
    """Return a group a cell, with the rows of its arms that have one."""
    found = []
    for cell in look.study.cells:
        rows = [row(cell, arm) for arm in look.arms(cell.name)]
        kept = tuple(each for each in rows if each is not None)
        if kept:
            found.append(RowGroup(heading(cell), kept))
    return tuple(found)


def notes(look: Lookup, metrics: Sequence[MetricRecord], *more: str) -> tuple[str, ...]:
    """Return the lines below a table: its own, what it could have detected, its protocol."""
    found = power_notes(look.study, metrics)
    return (*_unfinished(look.study), *more, *found, *_protocol_lines(look.study))


def _unfinished(study: StudyRecord) -> tuple[str, ...]:
    """Return that a study is not finished; nothing where it is."""
    done = sum(run.is_finished for run in study.runs)
    if done == len(study.runs):
        return ()
    return (f"Unfinished: {done} of {len(study.runs)} planned runs.",)


def _protocol_lines(study: StudyRecord) -> list[str]:
    """Return the lines of all cells; one that all cells share comes once, without their names."""
    with_lines = [protocol for protocol in study.protocols if protocol.lines]
    headings = {cell.name: heading(cell) for cell in study.cells}
    found: dict[str, list[str]] = {}
    for protocol in with_lines:
        for line in protocol.lines:
            found.setdefault(line, []).append(headings[protocol.cell])
    return [
        line if len(cells) == len(with_lines) else f"{'; '.join(cells)}: {line}"
        for line, cells in found.items()
    ]


def seeds_entry(look: Lookup, cell: CellRecord, arm: ArmRecord) -> Entry:
    """Return how many seeds of an arm are finished, marked where some are not."""
    runs = look.runs(cell.name, arm.name)
    finished = sum(run.is_finished for run in runs)
    text = f"{finished}" if finished == len(runs) else f"{finished} of {len(runs)}, unfinished"
    return Entry(text=text)


def mean_entry(score: ArmScore | None) -> Entry:
    """Return a mean with its standard deviation over seeds."""
    return Entry() if score is None else Entry(score.mean, spread=score.std)
