"""The training of a trial, watched through its log as it goes."""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

from gradtruce.study.running.processes import Job, TrainingProcess, stop_all
from gradtruce.training.runlog import read_log


@final
@dataclass(frozen=True)
class Validated:
    """One validation of a trial.

    Attributes:
        step: Optimizer steps taken.
        scores: Validation scores by flat name; `None` where one could not be computed.
        is_best: Whether the run takes this checkpoint for the best so far.
        is_last: Whether the training is over with it.
    """

    step: int
    scores: Mapping[str, float | None]
    is_best: bool
    is_last: bool = False


TrialTraining = Callable[[Job, Sequence[int]], Generator[Validated | None, None, None]]
"""Trains a job, which holds the locks of some descriptors, and yields its validations; `None` where
nothing is new. To close it is to stop the training; it must not block."""


def watch_training(job: Job, held: Sequence[int]) -> Generator[Validated | None, None, None]:
    """Train in a process of its own; yield every validation once it is in the log.

    A run folder that is there goes on from its checkpoint, and its validations come again.

    Args:
        job: The training.
        held: Descriptors of locks that the process holds too.

    Raises:
        ChildProcessError: If the training fails; a note of the error has all that it said.
    """
    process, seen = TrainingProcess(job, held=held), 0
    try:
        while True:
            is_done = process.is_done()
            lines = read_validations(job.folder)[seen:]
            seen += len(lines)
            yield from lines
            if is_done:
                return
            yield None
    except ChildProcessError as error:
        error.add_note(process.errors)
        raise
    finally:
        stop_all([process])


def read_validations(folder: Path) -> list[Validated]:
    """Return the validations in the log of a run folder; none where there is no log yet.

    >>> read_validations(Path("no-such-run"))
    []
    """
    path, found, total = folder / "log.jsonl", [], None
    for line in read_log(path) if path.is_file() else ():
        if line["kind"] == "step":
            total = line["total_steps"]
        elif line["kind"] == "validation":
            is_last = line["step"] == total
            found.append(Validated(line["step"], line["scores"], line["best"], is_last))
    return found
