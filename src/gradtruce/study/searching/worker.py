"""A worker of a search: asks for trials, trains each in a process, stops the hopeless, tells."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, final

from gradtruce.locks import Lock
from gradtruce.naming import suggestion
from gradtruce.study.running.processes import Job
from gradtruce.study.searching.plan import SearchPlan
from gradtruce.study.searching.pruning import is_hopeless
from gradtruce.study.searching.trial import Trial, Values
from gradtruce.study.searching.trial_training import TrialTraining, Validated, watch_training
from gradtruce.study.searching.trials import Trials

WatchCallback = Callable[[Sequence[Trial]], None]

LOOK: Final = 5.0
"""Seconds between two looks at what the other workers do."""


@final
class SearchWorker:
    """Takes trials until there are as many as the plan says and no other worker has one.

    A trial that fails is reported and the rest go on. A worker that is killed leaves trials that
    the others take, as the worker of a study does. Only validation scores are read: that a run
    writes test scores at its end is nothing to the search.

    Args:
        plan: What is searched.
        folder: Of the search, absolute; trials are run folders in its `trials`.
        trials: Shared with the other workers.
        train: Trains a trial; given otherwise in tests.
        count: Trainings at a time.
        watch: Told all trials whenever it looks.
        report: Told of each trial that fails here.
        poll: Seconds between two looks at the trainings.
    """

    def __init__(
        self,
        plan: SearchPlan,
        folder: Path,
        trials: Trials,
        *,
        train: TrialTraining = watch_training,
        count: int = 1,
        watch: WatchCallback | None = None,
        report: Callable[[Trial, str], None] | None = None,
        poll: float = 0.5,
    ) -> None:
        if count < 1:
            raise ValueError(f"workers must be at least 1, got {count}")
        self._plan, self._folder, self._trials, self._train = plan, folder, trials, train
        self._count, self._watch, self._report, self._poll = count, watch, report, poll
        self._running: list[_Running] = []
        self._looked, self._beaten = float("-inf"), float("-inf")

    def work(self) -> list[Trial]:
        """Search until nothing is left to do; return all trials.

        Raises:
            ValueError: If validation has no such score as is searched for.
            KeyboardInterrupt: If it is interrupted; its trials then wait for the next worker.
        """
        try:
            while True:
                is_changed = self._advance()
                self._beat()
                is_due = is_changed or time.monotonic() - self._looked >= LOOK
                if is_due and not self._fill() and not self._running:
                    trials = self._trials.all()
                    if not any(trial.outcome == "running" for trial in trials):
                        return trials
                time.sleep(self._poll)
        finally:
            self._stop()

    def _fill(self) -> bool:
        """Ask for as many trials as may run; return whether there was one."""
        self._looked = time.monotonic()
        before = len(self._running)
        while len(self._running) < self._count:
            asked = self._trials.ask()
            if asked is None:
                break
            self._begin(*asked)
        if self._watch is not None:
            self._watch(self._trials.all())
        return len(self._running) > before

    def _begin(self, trial: Trial, lock: Lock) -> None:
        try:
            run = self._plan.trial(trial.settings, self._folder)
        except ValueError as error:
            self._fail(trial, str(error), "")
            lock.release()
            return
        job = Job(trial.name, run.config, trial_folder(self._folder, trial.name))
        self._running.append(_Running(trial, lock, job, self._train, self._plan.search.objectives))

    def _advance(self) -> bool:
        """Take note of what the trainings have done; return whether one of them is over."""
        over = [each for each in self._running if self._is_over(each)]
        for each in over:
            self._running.remove(each)
            each.release()
        return bool(over)

    def _is_over(self, each: "_Running") -> bool:
        try:
            validated = each.look()
        except StopIteration:
            if each.best_step is None:
                self._fail(each.trial, "it ended without a validation", "")
            else:
                self._trials.finish(each.trial, each.curve, each.best_step)
            return True
        except ChildProcessError as error:
            self._fail(each.trial, str(error), "\n".join(getattr(error, "__notes__", [])))
            return True
        if validated is None or validated.is_last or each.best_step is None:
            return False
        point = self._plan.oriented(each.curve[validated.step])
        rule = self._plan.search.pruning
        if not is_hopeless(point, validated.step, self._trials.curves(), rule):
            return False
        self._trials.stop(each.trial, each.curve, each.best_step)
        return True

    def _fail(self, trial: Trial, reason: str, said: str) -> None:
        path = self._folder / "logs" / f"{trial.name}.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{reason}\n\n{said}", encoding="utf-8")
        self._trials.fail(trial, reason)
        if self._report is not None:
            self._report(trial, reason)

    def _beat(self) -> None:
        now = time.monotonic()
        if self._running and now - self._beaten >= self._trials.beat_seconds:
            self._trials.beat(each.trial.id for each in self._running)
            self._beaten = now

    def _stop(self) -> None:
        """End what still runs, and give it back."""
        for each in self._running:
            each.release()
        self._trials.give_back([each.trial for each in self._running])
        self._running.clear()


def trial_folder(folder: Path, name: str) -> Path:
    """Return the run folder of a trial.

    >>> trial_folder(Path("runs/search"), "trial-0003").as_posix()
    'runs/search/trials/trial-0003'
    """
    return folder / "trials" / name


@final
class _Running:
    """A trial that this worker trains."""

    def __init__(
        self,
        trial: Trial,
        lock: Lock,
        job: Job,
        train: TrialTraining,
        objectives: Sequence[str],
    ) -> None:
        self.trial, self._lock, self._objectives = trial, lock, objectives
        job.folder.parent.mkdir(parents=True, exist_ok=True)
        self._lines = train(job, [lock.descriptor])
        self.curve: dict[int, Values] = {}
        self.best_step: int | None = None

    def look(self) -> Validated | None:
        """Return the next validation, and keep its scores; `None` where nothing is new.

        Raises:
            StopIteration: If the training has ended.
            ChildProcessError: If it has failed.
            ValueError: If validation has no such score as is searched for.
        """
        validated = next(self._lines)
        if validated is None:
            return None
        for name in self._objectives:
            if name not in validated.scores:
                raise ValueError(
                    f"search.objectives: validation has no score {name!r}"
                    f"{suggestion(name, list(validated.scores))}"
                )
        if validated.is_best or self.best_step is None:
            values = tuple(validated.scores[name] for name in self._objectives)
            self.best_step = validated.step
        else:
            values = self.curve[max(self.curve)]
        self.curve[validated.step] = values
        return validated

    def release(self) -> None:
        """Stop the training if it still runs, and let others have the trial."""
        self._lines.close()
        self._lock.release()
