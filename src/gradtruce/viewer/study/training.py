"""How the arms of a study trained: learning curves, and conflict beside its null."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, final

import numpy as np

from gradtruce.study.results.record import RunRecord as PlannedRecord
from gradtruce.study.results.record import StudyRecord
from gradtruce.training.runlog import read_log
from gradtruce.viewer.frame.chart import Panel, Series
from gradtruce.viewer.study.folder import StudyFolder

Curve = tuple[list[float], list[float]]
"""Steps and validation scores of one run."""

_LOG: Final = "log.jsonl"


@final
@dataclass(frozen=True)
class ConflictRow:
    """What the gradients of one arm did, mean over its finished seeds.

    Attributes:
        label: Of the arm.
        seeds: Number of runs.
        whole: Share of negative cosines between two tasks, whole batch.
        cross: The same on disjoint halves of a batch.
        null: Of one task on disjoint halves.
        cosines: Mean cosine between two tasks on disjoint halves, of each run.
        weight: Coefficient of an auxiliary task in the update over that of the first.
        clipped: Share of steps whose gradient was clipped.
    """

    label: str
    seeds: int
    whole: float | None
    cross: float | None
    null: float | None
    cosines: tuple[float, ...]
    weight: float | None
    clipped: float | None

    @property
    def mean_cosine(self) -> float:
        """Mean over runs; below 0 the tasks oppose each other."""
        return float(np.mean(self.cosines))


def conflict_rows(record: StudyRecord, cell: str) -> list[ConflictRow]:
    """Return a row an arm of a cell, of those whose runs measured the null."""
    rows = []
    for arm in record.arms:
        runs = [
            run
            for run in record.runs
            if (run.cell, run.arm) == (cell, arm.name) and run.is_finished
        ]
        cosines = tuple(run.cross_task_cosine for run in runs if run.cross_task_cosine is not None)
        if cosines:
            rows.append(
                ConflictRow(
                    label=arm.label,
                    seeds=len(runs),
                    whole=_mean([run.conflict_share for run in runs]),
                    cross=_mean([run.cross_task_share for run in runs]),
                    null=_mean([run.within_task_share for run in runs]),
                    cosines=cosines,
                    weight=_mean([run.auxiliary_weight for run in runs]),
                    clipped=_mean([run.clipped_share for run in runs]),
                )
            )
    return rows


def learning_curves(study: StudyFolder, cell: str) -> list[Panel]:
    """Return one panel an arm: validation scores of every seed, over the reference's.

    Raises:
        ValueError: If a log can't be read.
    """
    record, name = study.record, study.selection
    curves = {
        arm.name: [_curve(study, run, name) for run in study.runs_of(cell, arm.name)]
        for arm in record.arms
    }
    shown = [y for each in curves.values() for _, scores in each for y in scores]
    if not shown:
        return []
    reference = [
        Series("reference", 0, np.array(x), np.array(y), style="faint")
        for x, y in curves[record.reference]
    ]
    panels = []
    for arm in record.arms:
        own = [
            Series(f"seed {run.seed}", 0, np.array(x), np.array(y), style="thin")
            for run, (x, y) in zip(study.runs_of(cell, arm.name), curves[arm.name], strict=True)
            if x
        ]
        behind = [] if arm.name == record.reference else reference
        if own:
            panels.append(Panel(arm.label, "", (*behind, *own), extent=(min(shown), max(shown))))
    return panels


def _curve(study: StudyFolder, run: PlannedRecord, name: str) -> Curve:
    path = study.folder / run.folder / _LOG
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing; the run that it belongs to is finished")
    steps, scores = [], []
    for line in read_log(path, "validation"):
        value = line["scores"].get(name)
        if value is not None:
            steps.append(float(line["step"]))
            scores.append(float(value))
    return steps, scores


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
