"""Several trainings side by side, each a process of its own with one thread."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, final

import tomli_w

from gradtruce.training.config import RunConfig
from gradtruce.training.progress import Progress, read_progress

WatchCallback = Callable[[Mapping[str, Progress]], None]

PATIENCE: Final = 10.0
"""Seconds that a training has to end itself when it is asked to."""


@final
@dataclass(frozen=True)
class Job:
    """One training to run.

    Attributes:
        name: What messages call it.
        config: Its configuration.
        folder: Its run folder; a training that was stopped there goes on.

    >>> Job("linear", RunConfig(data={"path": "x"}), Path("runs/demo/linear")).name
    'linear'
    """

    name: str
    config: RunConfig
    folder: Path


def run_jobs(
    jobs: Sequence[Job],
    *,
    workers: int,
    watch: WatchCallback | None = None,
    poll: float = 0.5,
) -> dict[str, float]:
    """Train all jobs, at most `workers` at a time; return the seconds that each took, by name.

    Args:
        jobs: The trainings, started in this order.
        workers: Most processes at a time.
        watch: Told the progress of every job, by name, each time it is looked up.
        poll: Seconds between two looks.

    Raises:
        ChildProcessError: With the child's own message, if a training fails; the others are
            stopped.
    """
    waiting = list(jobs)
    running: dict[str, TrainingProcess] = {}
    seconds: dict[str, float] = {}
    try:
        while waiting or running:
            while waiting and len(running) < workers:
                job = waiting.pop(0)
                running[job.name] = TrainingProcess(job)
            time.sleep(poll)
            if watch is not None:
                watch({job.name: read_progress(job.folder) for job in jobs})
            done = [name for name, child in running.items() if child.is_done()]
            seconds |= {name: running.pop(name).seconds for name in done}
    finally:
        stop_all(list(running.values()))
    return seconds


@final
class TrainingProcess:
    """A training in a process of its own, which ends when this process does.

    Args:
        job: What is trained.
        held: Descriptors of locks that the process holds too.
    """

    def __init__(self, job: Job, *, held: Sequence[int] = ()) -> None:
        self.job = job
        self._start = time.perf_counter()
        table = job.config.model_dump(mode="json", exclude_none=True)
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 # closed with the child
        config = tempfile.TemporaryFile()  # noqa: SIM115 # closed below
        config.write(tomli_w.dumps(table).encode())
        config.seek(0)
        theirs, self._life = os.pipe()
        command = [sys.executable, "-m", "gradtruce.study.running.training_process"]
        self._process = subprocess.Popen(
            [*command, str(job.folder), str(theirs)],
            stdin=config,
            stdout=subprocess.DEVNULL,
            stderr=self._errors,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            pass_fds=(theirs, *held),
            start_new_session=True,  # ctrl-C reaches this process, which ends the child itself
        )
        os.close(theirs)
        config.close()

    def is_done(self) -> bool:
        """Return whether the training has ended well.

        Raises:
            ChildProcessError: If it has failed; its own words are then in `errors`.
        """
        status = self._process.poll()
        if status is None:
            return False
        self._close()
        if status == 0:
            return True
        lines = self.errors.strip().splitlines()
        reason = lines[-1] if lines else "it said nothing"
        raise ChildProcessError(
            f"training {self.job.name!r} ({self.job.folder}) ended {_how(status)}: {reason}"
        )

    @property
    def errors(self) -> str:
        """Return what the training wrote to its standard error."""
        return self._said.decode(errors="replace")

    @property
    def seconds(self) -> float:
        """Return how long ago the process was started."""
        return time.perf_counter() - self._start

    def ask_to_end(self) -> None:
        """Ask the process to end, if it still runs."""
        self._process.terminate()

    def end(self) -> None:
        """Wait until the process has ended, and kill it if it takes too long."""
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._close()

    def _close(self) -> None:
        if self._errors.closed:
            return
        self._errors.seek(0)
        self._said = self._errors.read()
        self._errors.close()
        os.close(self._life)


def stop_all(processes: Sequence[TrainingProcess]) -> None:
    """End trainings that still run, all at once."""
    for process in processes:
        process.ask_to_end()
    for process in processes:
        process.end()


def _how(status: int) -> str:
    if status >= 0:
        return f"with status {status}"
    names = {each.value: each.name for each in signal.Signals}
    return f"by signal {names.get(-status, -status)}"
