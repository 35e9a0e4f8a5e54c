"""What a study's folder holds: its numbers, its plan, its runs; checked to belong together."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

from gradtruce.data.prepared import PreparedDataset
from gradtruce.evaluation.metrics import Metrics
from gradtruce.study.plans.plan import PLAN, StudyPlan, load_plan
from gradtruce.study.results.record import RECORD, CellRecord, StudyRecord
from gradtruce.study.results.record import RunRecord as PlannedRecord
from gradtruce.viewer.report.records import RunRecord, read_run

SEARCH: Final = "search.toml"
_METRICS: Final = "metrics.json"


@final
@dataclass(frozen=True, eq=False)
class StudyFolder:
    """A study as it lies on the disk.

    Attributes:
        folder: Where it is.
        record: All numbers of its tables.
        plan: What was planned, with all settings.
        plan_text: The same as it stands in the file.
    """

    folder: Path
    record: StudyRecord
    plan: StudyPlan
    plan_text: str

    def runs_of(self, cell: str, arm: str) -> list[PlannedRecord]:
        """Return the finished runs of an arm in a cell, by seed."""
        found = [run for run in self.record.runs if (run.cell, run.arm) == (cell, arm)]
        return sorted((run for run in found if run.is_finished), key=lambda run: run.seed)

    def runs_of_cell(self, cell: str) -> list[PlannedRecord]:
        """Return the finished runs of a cell."""
        return [run for run in self.record.runs if run.cell == cell and run.is_finished]

    @property
    def newer(self) -> int:
        """How many runs have finished since the numbers were computed."""
        return sum(
            not run.is_finished and (self.folder / run.folder / _METRICS).is_file()
            for run in self.record.runs
        )

    @property
    def selection(self) -> str:
        """The score that runs chose their checkpoint by."""
        return self.plan.runs(self.folder)[0].config.training.select

    def read(self, run: PlannedRecord, label: str) -> RunRecord:
        """Return all that a run left.

        Raises:
            FileNotFoundError: If a file of it is missing.
            ValueError: If one can't be read.
        """
        return read_run(self.folder / run.folder, label=label)

    def dataset(self, data: str) -> PreparedDataset:
        """Return a data set of the plan: beside the study, which may have been moved, or its path.

        Raises:
            FileNotFoundError: If it is at neither place.
        """
        beside = self.folder / "data" / data
        return PreparedDataset.open(
            beside if beside.is_dir() else self.plan.data_path(data, self.folder)
        )

    def is_drawn(self, data: str) -> bool:
        """Return whether the images of a data set are synthetic; no where the set is gone."""
        if self.plan.data[data].phantom is not None:
            return True
        try:
            return self.dataset(data).manifest.is_synthetic
        except FileNotFoundError:
            return False


def is_study(folder: Path) -> bool:
    """Return whether a folder is that of a study, finished or not.

    >>> is_study(Path("runs/nowhere"))
    False
    """
    is_comparison = (
        folder / "summary.json"
    ).is_file()  # of the demonstration, which has a plan too
    return not is_comparison and any((folder / name).is_file() for name in (RECORD, PLAN))


def title_of(cell: CellRecord) -> str:
    """Return what headings call a method on a data set."""
    return f"{cell.method_label} · {cell.data_label}"


def read_study(folder: Path) -> StudyFolder:
    """Return the study in a folder.

    Raises:
        FileNotFoundError: If study.json or plan.toml is missing; the message names the command.
        ValueError: If no run is finished, or study.json has other scores than the runs.

    >>> read_study(Path("runs/nowhere"))
    Traceback (most recent call last):
    FileNotFoundError: no runs/nowhere/study.json; `gradtruce study tables runs/nowhere` writes it
    """
    if (folder / SEARCH).is_file():
        raise ValueError(f"{folder} is a search: see {folder / 'search.md'} and its figures")
    record = StudyRecord.read(folder / RECORD)
    path = folder / PLAN
    if not path.is_file():
        raise FileNotFoundError(f"no {path}; `gradtruce study run` writes it, with the runs")
    if not any(run.is_finished for run in record.runs):
        raise ValueError(
            f"{folder}: no run of this study is finished, so there is nothing to show; "
            f"`gradtruce study run` goes on with it, `gradtruce study status {folder}` says how far"
        )
    _check_age(folder, record)
    return StudyFolder(folder, record, load_plan(path), path.read_text(encoding="utf-8"))


def _check_age(folder: Path, record: StudyRecord) -> None:
    """Refuse numbers of runs that are not as they were; others may have finished since."""
    changed = [run.folder for run in record.runs if not _agrees(folder, run, record.headline)]
    if changed:
        raise ValueError(
            f"{folder / RECORD} is not of these runs: "
            f"{_some(changed)} differ from what it says; "
            f"run `gradtruce study tables {folder}`"
        )


def _agrees(folder: Path, run: PlannedRecord, headline: str) -> bool:
    if not run.is_finished:
        return True
    path = folder / run.folder / _METRICS
    if not path.is_file():
        return False
    if headline not in run.scores:
        return True
    found = Metrics.read(path).flat().get(headline)
    return found is None or found.value == run.scores[headline]


def _some(folders: Sequence[str]) -> str:
    shown = ", ".join(folders[:3])
    return shown if len(folders) <= 3 else f"{shown} and {len(folders) - 3} more"
