"""What a study cost, and what of it was not run."""

from dataclasses import dataclass
from typing import final

import numpy as np

from gradtruce.study.results.record import StudyRecord
from gradtruce.viewer.report.facts import duration
from gradtruce.viewer.study.folder import title_of


@final
@dataclass(frozen=True)
class MissingRow:
    """Planned runs of one arm in one cell that are not finished."""

    arm: str
    cell: str
    seeds: tuple[int, ...]


@final
@dataclass(frozen=True)
class ComputeRow:
    """What the runs of one arm took: training alone, summed over its finished runs."""

    label: str
    runs: int
    seconds_per_step: float | None
    against_reference: float | None
    total: str


def missing_rows(record: StudyRecord) -> list[MissingRow]:
    """Return what was planned and not run, in the plan's order."""
    arms = {arm.name: arm.label for arm in record.arms}
    cells = {cell.name: title_of(cell) for cell in record.cells}
    missing: dict[tuple[str, str], list[int]] = {}
    for run in record.runs:
        if not run.is_finished:
            missing.setdefault((run.arm, run.cell), []).append(run.seed)
    return [
        MissingRow(arms[arm], cells[cell], tuple(sorted(seeds)))
        for (arm, cell), seeds in missing.items()
    ]


def compute_rows(record: StudyRecord) -> list[ComputeRow]:
    """Return what each arm took, of those that have a finished run."""
    rows = []
    for arm in record.arms:
        runs = [run for run in record.runs if run.arm == arm.name and run.is_finished]
        if runs:
            speed, ratio = _seconds_per_step(record, arm.name), _against_reference(record, arm.name)
            total = duration(_seconds(record, arm.name))
            rows.append(ComputeRow(arm.label, len(runs), speed, ratio, total))
    return rows


def total_time(record: StudyRecord) -> str:
    """Return the training time of all finished runs, as a person says it."""
    return duration(sum(_seconds(record, arm.name) for arm in record.arms))


def _seconds(record: StudyRecord, arm: str) -> float:
    return sum(
        run.steps * run.seconds_per_step
        for run in record.runs
        if run.arm == arm and run.steps is not None and run.seconds_per_step is not None
    )


def _against_reference(record: StudyRecord, arm: str) -> float | None:
    """Return the mean time of a step over that of the reference, of runs of one cell and seed."""
    times = {
        (run.arm, run.cell, run.seed): run.seconds_per_step
        for run in record.runs
        if run.seconds_per_step
    }
    ratios = [
        seconds / base
        for (name, cell, seed), seconds in times.items()
        if name == arm and (base := times.get((record.reference, cell, seed)))
    ]
    return float(np.mean(ratios)) if ratios else None


def _seconds_per_step(record: StudyRecord, arm: str) -> float | None:
    found = [run.seconds_per_step for run in record.runs if run.arm == arm]
    known = [value for value in found if value is not None]
    return float(np.mean(known)) if known else None
