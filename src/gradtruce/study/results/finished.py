"""What the finished runs of a study left: scores, reports, and the facts of their logs."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, final

from gradtruce.analysis.conflict import negative_share
from gradtruce.evaluation.metrics import Metrics
from gradtruce.evaluation.predictions import Prediction, read_predictions
from gradtruce.evaluation.significance import Score
from gradtruce.study.results.outline import Outline, PlannedPlace
from gradtruce.study.results.record import RunFacts
from gradtruce.training.runlog import read_log

METRICS: Final = "metrics.json"
"""Written last: a run that has it is finished."""


@final
@dataclass(frozen=True)
class FinishedRun:
    """One finished run.

    Attributes:
        place: Its cell, arm, seed and folder below that of the study.
        folder: Its run folder.
        scores: By flat name.
        protocols: How each group of scores was measured, field by field.
        facts: Of its training.
    """

    place: PlannedPlace
    folder: Path
    scores: Mapping[str, Score]
    protocols: Mapping[str, Mapping[str, object]]
    facts: RunFacts

    def predictions(self) -> list[Prediction]:
        """Return its test reports.

        Raises:
            FileNotFoundError: If the file is gone.
            ValueError: If it is no file of predictions.
        """
        return read_predictions(self.folder / "predictions.jsonl")


@final
@dataclass(frozen=True)
class StudyResults:
    """The finished runs of a study, and which are missing.

    Attributes:
        folder: Of the study.
        outline: What was planned.
        finished: In the plan's order.
        unfinished: Planned runs without metrics.json.
    """

    folder: Path
    outline: Outline
    finished: tuple[FinishedRun, ...] = ()
    unfinished: tuple[PlannedPlace, ...] = field(default=())

    def in_cell(self, cell: str) -> dict[tuple[str, int], FinishedRun]:
        """Return the finished runs of a cell by arm and seed."""
        return {
            (run.place.arm, run.place.seed): run for run in self.finished if run.place.cell == cell
        }

    def seeds_of(self, cell: str, arms: Sequence[str]) -> tuple[int, ...]:
        """Return the seeds that all of some arms have finished in a cell."""
        runs = self.in_cell(cell)
        return tuple(
            seed for seed in self.outline.seeds if all((arm, seed) in runs for arm in arms)
        )


def read_results(folder: Path, outline: Outline) -> StudyResults:
    """Return the finished runs of the study in a folder.

    Raises:
        ValueError: If the metrics or the log of a finished run can't be read.
    """
    finished, unfinished = [], []
    for place in outline.runs:
        if (folder / place.folder / METRICS).is_file():
            finished.append(read_run(folder / place.folder, place))
        else:
            unfinished.append(place)
    return StudyResults(folder, outline, tuple(finished), tuple(unfinished))


def read_run(folder: Path, place: PlannedPlace) -> FinishedRun:
    """Return what one finished run left.

    Args:
        folder: The run folder.
        place: What it is in the plan.

    Raises:
        FileNotFoundError: If it has no metrics.json or no log.
        ValueError: If one of them can't be read.
    """
    metrics = Metrics.read(folder / METRICS)
    protocols = {name: group.protocol.to_json() for name, group in metrics.groups.items()}
    return FinishedRun(place, folder, metrics.flat(), protocols, read_facts(folder / "log.jsonl"))


def read_facts(path: Path) -> RunFacts:
    """Return the facts of a run's log.

    Raises:
        FileNotFoundError: If there is no log.
        ValueError: If it is none.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no log {path}; a run folder has one")
    steps, nulls, best = [], [], None
    for line in read_log(path):
        if line["kind"] == "step":
            steps.append(line)
        elif line["kind"] == "null":
            nulls.append(line)
        elif line["kind"] == "validation" and line["best"]:
            best = line["step"]
    seconds = [line["seconds"] for line in steps if line.get("seconds") is not None]
    clipped = [line["clipped"] for line in steps if line.get("clipped") is not None]
    return RunFacts(
        steps=steps[-1]["step"] if steps else 0,
        seconds_per_step=statistics.median(seconds) if seconds else None,
        best_step=best,
        conflict_share=_negative(steps, "cosines"),
        cross_task_share=_negative(nulls, "cross_task"),
        cross_task_cosine=_mean(nulls, "cross_task"),
        within_task_share=_negative(nulls, "within_task"),
        auxiliary_weight=_auxiliary_weight(steps),
        clipped_share=sum(clipped) / len(clipped) if clipped else None,
    )


def _auxiliary_weight(steps: Sequence[Mapping[str, Any]]) -> float | None:
    """Return what the update takes of the other tasks for each part of the first, in the median.

    A step that takes nothing of the first, or goes against it, has no such ratio. Where more than
    one step in ten is such a step, the others do not stand for the run.
    """
    ratios, without = [], 0
    for line in steps:
        first, *others = (line.get("coefficients") or {"": None}).values()
        if first is None or not others or None in others:
            continue
        if first > 0:
            ratios.append(statistics.fmean(others) / first)
        else:
            without += 1
    is_rare = without <= len(ratios) / 9
    return statistics.median(ratios) if ratios and is_rare else None


def _negative(lines: Sequence[Mapping[str, Any]], name: str) -> float | None:
    """Return the share of negative cosines over all lines and pairs of tasks."""
    return negative_share(_cosines(lines, name))


def _mean(lines: Sequence[Mapping[str, Any]], name: str) -> float | None:
    """Return the mean cosine over all lines and pairs of tasks."""
    known = [value for value in _cosines(lines, name) if value is not None]
    return statistics.fmean(known) if known else None


def _cosines(lines: Sequence[Mapping[str, Any]], name: str) -> list[float | None]:
    return [value for line in lines for value in (line.get(name) or {}).values()]
