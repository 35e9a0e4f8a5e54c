"""A worker of a study: takes runs from the queue, trains each in a process, and goes on."""

import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import Final, final

from gradtruce.evaluation.headline import SELECTION
from gradtruce.evaluation.metrics import Metrics
from gradtruce.locks import Lock, locked
from gradtruce.study.plans.plan import PlannedRun
from gradtruce.study.running.entry import Entry
from gradtruce.study.running.folder import StudyFolder
from gradtruce.study.running.processes import Job, TrainingProcess, stop_all
from gradtruce.study.running.queue import Queue
from gradtruce.study.running.status import StudyStatus, study_status, waiting_runs
from gradtruce.study.running.storage import StorageInternalError

WatchCallback = Callable[[StudyStatus], None]

LOOK: Final = 5.0
"""Seconds between two looks at what the other workers do."""


@final
@dataclass(frozen=True)
class Failure:
    """A run that has failed.

    Attributes:
        run: The run.
        reason: In one line.
    """

    run: PlannedRun
    reason: str


@final
class _Running:
    """A run that this worker trains."""

    def __init__(self, study: StudyFolder, run: PlannedRun, trial: int, lock: Lock) -> None:
        self.run, self.trial, self._lock = run, trial, lock
        job = Job(run.name, run.config, study.run_folder(run))
        self.process = TrainingProcess(job, held=[lock.descriptor])

    def release(self) -> None:
        """Let others have the run."""
        self._lock.release()


@final
class Worker:
    """Trains the runs of a study until none waits and no other worker has one.

    A run that fails is reported and the rest go on. A worker that is killed leaves runs that the
    others take: at once on its own machine, where its locks are free, and when its heartbeat has
    been missing for a minute on others.

    Args:
        study: On disk.
        queue: Shared with the other workers.
        count: Trainings at a time.
        only: Pattern of the names of runs that are trained here, such as "r2gen/*"; all where not
            given.
        watch: Told where the study is.
        report: Told of each run that fails here.
        poll: Seconds between two looks at the trainings.

    Raises:
        ValueError: If the count is below 1, no run is called like `only`, or a folder holds a
            finished run of another configuration.
    """

    def __init__(
        self,
        study: StudyFolder,
        queue: Queue,
        *,
        count: int = 1,
        only: str = "*",
        watch: WatchCallback | None = None,
        report: Callable[[Failure], None] | None = None,
        poll: float = 0.5,
    ) -> None:
        if count < 1:
            raise ValueError(f"workers must be at least 1, got {count}")
        if not any(fnmatch(run.name, only) for run in study.runs):
            raise ValueError(
                f"no run of the study is called like {only!r}; the first is {study.runs[0].name!r}"
            )
        study.require_planned()
        self._study, self._queue, self._count, self._poll = study, queue, count, poll
        self._watch, self._report, self._only = watch, report, only
        self._running: list[_Running] = []
        self._looked, self._beaten = 0.0, 0.0
        self._entries: dict[str, Entry] = {}

    def work(self, *, retry: bool = False) -> StudyStatus:
        """Train until nothing is left to do; return where the study is then.

        Args:
            retry: Whether runs that failed before are tried again.

        Raises:
            KeyboardInterrupt: If it is interrupted; its runs then wait for the next worker.
            ConnectionError: If the database of the queue is gone.
        """
        try:
            try:
                return self._work(retry=retry)
            finally:
                self._stop()
        except StorageInternalError as error:
            reason = " ".join(str(error.__cause__ or error).split())
            raise ConnectionError(
                f"the queue of the study can't be used ({reason}); its runs are stopped and go on "
                f"with: gradtruce study run --output {self._study.path}"
            ) from error

    def _work(self, *, retry: bool) -> StudyStatus:
        status = self._look(retry=retry)
        while True:
            is_changed = self._reap()
            self._beat()
            if is_changed or time.monotonic() - self._looked >= LOOK:
                status = self._look()
            if self._start(status):
                status = self._look()
            elif not self._running and not self._is_awaited(status):
                return status
            self._tell()
            time.sleep(self._poll)

    def _look(self, *, retry: bool = False) -> StudyStatus:
        """Look at files and queue, and let every run wait that should."""
        with locked(self._study.lock("queue")):
            self._entries = self._queue.entries()
            dead = [entry.trial for name, entry in self._entries.items() if self._is_dead(name)]
            self._queue.drop_dead(dead)
            self._entries = self._queue.entries()
            added = [run.name for run in self._study.runs if self._is_missing(run, retry=retry)]
            if added:
                self._queue.add(added)
                self._entries = self._queue.entries()
        self._looked = time.monotonic()
        return study_status(self._study, self._entries)

    def _is_dead(self, name: str) -> bool:
        """Return whether a run's worker was on this machine and holds no lock any more."""
        entry = self._entries[name]
        if entry.state != "running" or entry.host != socket.gethostname():
            return False
        lock = Lock.take(self._study.lock(name))
        if lock is not None:
            lock.release()
        return lock is not None

    def _is_missing(self, run: PlannedRun, *, retry: bool) -> bool:
        if self._study.is_finished(run):
            return False
        entry = self._entries.get(run.name)
        if entry is None or entry.state in ("lost", "finished"):
            return True
        return retry and entry.state == "failed"

    def _start(self, status: StudyStatus) -> bool:
        """Start as many runs as may be; return whether one was started."""
        before = len(self._running)
        for run in waiting_runs(status):
            if not fnmatch(run.name, self._only):
                continue
            if len(self._running) >= self._count:
                break
            self._claim(run)
        return len(self._running) > before

    def _is_awaited(self, status: StudyStatus) -> bool:
        """Return whether another worker has a run that this one would take over.

        One that waits, and was not to be had, is in other hands since the last look.
        """
        return any(
            each.state in ("running", "waiting") and fnmatch(each.run.name, self._only)
            for each in status.runs
        )

    def _claim(self, run: PlannedRun) -> None:
        """Start a run if it is free: its lock is taken first, so that who has one lives."""
        lock = Lock.take(self._study.lock(run.name))
        if lock is None:
            return
        trial = None
        try:
            if not self._study.is_finished(run):
                trial = self._queue.claim(run.name)
            if trial is not None:
                self._running.append(_Running(self._study, run, trial, lock))
        finally:
            if trial is None or not self._running or self._running[-1].trial != trial:
                lock.release()

    def _reap(self) -> bool:
        """Take note of trainings that have ended; return whether there were any."""
        ended = []
        for each in self._running:
            try:
                if not each.process.is_done():
                    continue
                self._finish(each)
            except ChildProcessError as error:
                self._fail(each, str(error))
            ended.append(each)
        for each in ended:
            self._running.remove(each)
            each.release()
        return bool(ended)

    def _finish(self, each: _Running) -> None:
        self._study.log(each.run).unlink(missing_ok=True)
        metrics = Metrics.read(self._study.run_folder(each.run) / "metrics.json").flat()
        score = metrics.get(SELECTION)
        self._queue.finish(each.trial, None if score is None else score.value)

    def _fail(self, each: _Running, reason: str) -> None:
        path = self._study.log(each.run)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{reason}\n\n{each.process.errors}", encoding="utf-8")
        self._queue.fail(each.trial, reason)
        if self._report is not None:
            self._report(Failure(each.run, reason))

    def _beat(self) -> None:
        now = time.monotonic()
        if self._running and now - self._beaten >= self._queue.beat_seconds:
            self._queue.beat(each.trial for each in self._running)
            self._beaten = now

    def _tell(self) -> None:
        if self._watch is not None:
            self._watch(study_status(self._study, self._entries))

    def _stop(self) -> None:
        """End what still runs, and give it back."""
        stopped = list(self._running)
        self._running.clear()
        stop_all([each.process for each in stopped])
        for each in stopped:
            each.release()
        for each in stopped:
            self._queue.give_back(each.trial)
