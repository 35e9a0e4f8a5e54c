"""How far a study is: every run's state, and the time that the rest will take."""

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, final

from gradtruce.study.plans.plan import PlannedRun
from gradtruce.study.running.entry import Entry
from gradtruce.study.running.folder import StudyFolder
from gradtruce.training.progress import Progress, read_progress

RunState = Literal["finished", "running", "failed", "waiting"]

GENERATING = 0.9
"""Share of a run that its training counts for; the rest is the test reports."""


@final
@dataclass(frozen=True)
class RunStatus:
    """Where one run is.

    Attributes:
        run: The run.
        state: "finished", "running", "failed" or "waiting".
        progress: How far it is; a run that waits may have been begun.
        reason: Why it failed.
        seconds: How long it took, where known.
    """

    run: PlannedRun
    state: RunState
    progress: Progress
    reason: str | None = None
    seconds: float | None = None

    @property
    def share(self) -> float:
        """Return the share of the run that is done, from 0 to 1."""
        if self.state == "finished":
            return 1.0
        if self.progress.phase == "generating":
            return GENERATING + (1 - GENERATING) * self.progress.share
        return GENERATING * self.progress.share


@final
@dataclass(frozen=True)
class StudyStatus:
    """Where all runs of a study are.

    Attributes:
        runs: In the order of the plan.
    """

    runs: tuple[RunStatus, ...]

    @property
    def counts(self) -> dict[str, int]:
        """Return how many runs are finished, running, failed and waiting."""
        found = Counter(each.state for each in self.runs)
        return {state: found[state] for state in ("finished", "running", "failed", "waiting")}

    @property
    def share(self) -> float:
        """Return the share of the study that is done, from 0 to 1."""
        return sum(each.share for each in self.runs) / len(self.runs)

    @property
    def seconds_left(self) -> float | None:
        """Return the seconds that the rest takes with as many trainings at a time as now.

        A run takes what the finished ones of its method and arm took in the mean, or else those of
        its method, or all. `None` before one is finished, and while none is running.
        """
        running = self.counts["running"]
        if not running:
            return None
        left = 0.0
        for each in self.runs:
            if each.state in ("running", "waiting"):
                typical = self._typical(each.run)
                if typical is None:
                    return None
                left += (1 - each.share) * typical
        return left / running

    def _typical(self, run: PlannedRun) -> float | None:
        taken = [each for each in self.runs if each.state == "finished" and each.seconds]
        like = [each for each in taken if each.run.method == run.method]
        same = [each for each in like if each.run.arm == run.arm]
        seconds = [each.seconds for each in same or like or taken if each.seconds]
        return statistics.fmean(seconds) if seconds else None


def study_status(study: StudyFolder, entries: Mapping[str, Entry]) -> StudyStatus:
    """Return where the runs of a study are.

    Args:
        study: On disk; a run is finished where its metrics lie.
        entries: What the queue knows, by the names of runs.
    """
    return StudyStatus(tuple(_status(study, run, entries.get(run.name)) for run in study.runs))


def waiting_runs(status: StudyStatus) -> Sequence[PlannedRun]:
    """Return the runs that nobody trains and that have not failed, in the order of the plan."""
    return [each.run for each in status.runs if each.state == "waiting"]


def _status(study: StudyFolder, run: PlannedRun, entry: Entry | None) -> RunStatus:
    if study.is_finished(run):
        seconds = entry.seconds if entry is not None and entry.state == "finished" else None
        return RunStatus(run, "finished", Progress("done", 1, 1, 0.0), seconds=seconds)
    state: RunState = "waiting"
    if entry is not None and entry.state in ("running", "failed"):
        state = "running" if entry.state == "running" else "failed"
    reason = entry.reason if entry is not None and state == "failed" else None
    return RunStatus(run, state, read_progress(study.run_folder(run)), reason)
