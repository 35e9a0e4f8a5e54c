"""Several trainings side by side, each a process of its own with one thread."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, final

import tomli_w

from gradtruce.training.config import RunConfig
from gradtruce.training.progress import Progress, read_progress

WatchCallback = Callable[[Mapping[str, Progress]], None]


@final
@dataclass(frozen=True)
class Job:
    """One training to run.

    Attributes:
        name: What messages call it.
        config: Its configuration.
        folder: Its run folder, which must not exist.

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
    running: dict[str, _Child] = {}
    seconds: dict[str, float] = {}
    try:
        while waiting or running:
            while waiting and len(running) < workers:
                job = waiting.pop(0)
                running[job.name] = _Child(job)
            time.sleep(poll)
            if watch is not None:
                watch({job.name: read_progress(job.folder) for job in jobs})
            done = [name for name, child in running.items() if child.is_done()]
            seconds |= {name: running.pop(name).seconds for name in done}
    finally:
        for child in running.values():
            child.stop()
    return seconds


@final
class _Child:
    """A training in a process of its own."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._start = time.perf_counter()
        table = job.config.model_dump(mode="json", exclude_none=True)
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 # closed with the child
        config = tempfile.TemporaryFile()  # noqa: SIM115 # closed below
        config.write(tomli_w.dumps(table).encode())
        config.seek(0)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "gradtruce.training", str(job.folder)],
            stdin=config,
            stdout=subprocess.DEVNULL,
            stderr=self._errors,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        config.close()

    def is_done(self) -> bool:
        """Return whether the training has ended well.

        Raises:
            ChildProcessError: If it has failed.
        """
        status = self._process.poll()
        if status is None:
            return False
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        self._errors.close()
        if status == 0:
            return True
        reason = lines[-1] if lines else "it said nothing"
        raise ChildProcessError(
            f"training {self._job.name!r} ({self._job.folder}) ended with status {status}: {reason}"
        )

    @property
    def seconds(self) -> float:
        """Return how long ago the process was started."""
        return time.perf_counter() - self._start

    def stop(self) -> None:
        """End the process, if it still runs."""
        self._process.terminate()
        self._process.wait()
        self._errors.close()
