"""How far a run is, told to whoever watches it."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, final

from transformers.utils import logging as transformers_logging

from gradtruce.training.runlog import last_line

Phase = Literal["preparing", "retrieving", "training", "generating", "done"]


@final
@dataclass(frozen=True)
class Progress:
    """How far a run is.

    Attributes:
        phase: "preparing", "retrieving" (reports for every study), "training", "generating" (test
            reports), or "done".
        done: Optimizer steps, or studies while retrieving and generating.
        total: Of these, how many there will be; 0 where not yet known.
        seconds_left: Until the end of this phase; `None` where not yet known.
        note: What to tell whoever watches, such as the step that a run was resumed from; "" mostly.

    >>> Progress("training", done=25, total=100).share
    0.25
    """

    phase: Phase
    done: int = 0
    total: int = 0
    seconds_left: float | None = None
    note: str = ""

    @property
    def share(self) -> float:
        """Return the share of the phase that is done, from 0 to 1."""
        return self.done / self.total if self.total else 0.0


ProgressCallback = Callable[[Progress], None]


@final
class Stopwatch:
    """Estimates how long the rest takes if it goes on as fast as so far.

    Args:
        done: What is done already when the watch starts.
        total: How much there is in all.

    >>> Stopwatch(done=0, total=10).seconds_left(0) is None
    True
    """

    def __init__(self, done: int, total: int) -> None:
        self._start, self._done, self._total = time.perf_counter(), done, total

    def seconds_left(self, done: int) -> float | None:
        """Return the seconds left, `None` before anything was done."""
        since = done - self._done
        if since < 1:
            return None
        return (time.perf_counter() - self._start) / since * (self._total - done)


def counter(phase: Phase, tell: ProgressCallback) -> Callable[[int, int], None]:
    """Return what tells how many of how many are done in a phase.

    Its first call, or one that tells of no more than the last, begins a count, whose time runs on
    its own.

    >>> count = counter("retrieving", lambda now: print(now.phase, now.share))
    >>> count(256, 1024)
    retrieving 0.25
    """
    watch, last = Stopwatch(0, 0), 0

    def count(done: int, total: int) -> None:
        nonlocal watch, last
        if done <= last or not last:
            watch = Stopwatch(done, total)
        last = done
        tell(Progress(phase, done, total, watch.seconds_left(done)))

    return count


def read_progress(folder: Path) -> Progress:
    """Return how far the run in a folder is, from the last line of its log.

    >>> read_progress(Path("no-such-run")).phase
    'preparing'
    """
    if (folder / "metrics.json").is_file():
        return Progress("done", 1, 1, 0.0)
    entry = last_line(folder / "log.jsonl", ("step", "generation"))
    if entry is None:
        return Progress("preparing")
    if entry["kind"] == "generation":
        return Progress("generating", entry["done"], entry["total"], entry["seconds_left"])
    return Progress("training", entry["step"], entry["total_steps"], entry["seconds_left"])


@contextmanager
def without_transformers_bars() -> Iterator[None]:
    """Silence the bars that transformers draws for every checkpoint; ours are drawn elsewhere.

    >>> with without_transformers_bars():
    ...     transformers_logging.is_progress_bar_enabled()
    False
    """
    were_shown = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call] # no stub
    try:
        yield
    finally:
        if were_shown:
            transformers_logging.enable_progress_bar()  # type: ignore[no-untyped-call] # no stub
