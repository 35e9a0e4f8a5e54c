"""The trials of a search in a storage that all its workers share: asked for, told, given back.

What Optuna's `ask` leaves open is closed here: who asks holds a lock until the trial has a
heartbeat and the name of its machine, so no trial of a killed worker runs for ever, and there are
exactly as many trials as the plan says.
"""

import socket
import warnings
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, final

from optuna.study import StudyDirection
from optuna.trial import FrozenTrial

from gradtruce.locks import Lock, locked
from gradtruce.study.running.queue import BEAT, GRACE
from gradtruce.study.running.storage import TrialState, open_storage, optuna, quiet
from gradtruce.study.searching.plan import SearchPlan
from gradtruce.study.searching.samplers import build_sampler
from gradtruce.study.searching.space import Settings
from gradtruce.study.searching.trial import (
    BEST,
    CURVE,
    HOST,
    ORIGIN,
    PUBLISHED,
    REASON,
    REPLACES,
    Trial,
    Values,
    lost_numbers,
    origin,
    read_trial,
    replaced_numbers,
    settings_of,
)
from gradtruce.training.select import LOSSES


@final
class Trials:
    """The trials of one search.

    Args:
        plan: What is searched.
        url: Of the storage.
        name: Of the search in the storage.
        locks: Folder of the locks, which all workers see.
        beat: Seconds between two heartbeats.
        grace: Seconds without one after which a trial is given back.

    Raises:
        ImportError: If the driver of the database is not installed.
        ConnectionError: If the database can't be reached.
    """

    def __init__(
        self,
        plan: SearchPlan,
        *,
        url: str,
        name: str,
        locks: Path,
        beat: int = BEAT,
        grace: int = GRACE,
    ) -> None:
        self._plan, self._locks, self.beat_seconds = plan, locks, beat
        directions = [
            StudyDirection.MINIMIZE if objective.startswith(LOSSES) else StudyDirection.MAXIMIZE
            for objective in plan.search.objectives
        ]
        self._space = {key: entry.distribution() for key, entry in plan.space.items()}
        with self._alone():
            self._storage = open_storage(url, beat=beat, grace=grace)
            self._study = optuna.create_study(
                storage=self._storage, study_name=name, load_if_exists=True, directions=directions
            )

    def propose(self, points: Mapping[str, Settings]) -> None:
        """Let points of the space be tried before others, each once.

        Args:
            points: Settings by what they are called, such as "Table D.1, WCL".
        """
        with self._alone():
            known = {trial.user_attrs.get(PUBLISHED) for trial in self._frozen()}
            for label, settings in points.items():
                if label not in known:
                    self._study.enqueue_trial(dict(settings), user_attrs={PUBLISHED: label})

    def retry(self) -> None:
        """Let the trials that have failed wait again, to go on in their folders."""
        with self._alone():
            frozen = self._frozen()
            gone = lost_numbers(frozen)
            self._replace(
                [each for each in frozen if each.state.name == "FAIL" and each.number not in gone]
            )

    def ask(self) -> tuple[Trial, Lock] | None:
        """Return a trial that is ours from now on, with its lock.

        Returns:
            `None` once there are enough, or while a trial that was given back is still held.
        """
        with self._alone():
            self._drop_dead()
            frozen = self._frozen()
            gone = lost_numbers(frozen)
            lasting = [each for each in frozen if each.number not in gone]
            begun = [each for each in lasting if each.state.name != "WAITING"]
            if len(begun) >= self._plan.search.trials:
                return None
            search = self._plan.search
            self._study.sampler = build_sampler(search.sampler, search.seed, len(lasting))
            asked = self._study.ask(self._space)
            self._storage.record_heartbeat(asked._trial_id)
            asked.set_user_attr(HOST, socket.gethostname())
            trial = read_trial(self._storage.get_trial(asked._trial_id))
            lock = Lock.take(self._locks / trial.name)
            if lock is None:  # its worker slept on another machine and was taken for dead
                self._replace([self._storage.get_trial(trial.id)])
                return None
            return trial, lock

    def beat(self, trials: Iterable[int]) -> None:
        """Tell the others that trials are alive."""
        for trial in trials:
            self._storage.record_heartbeat(trial)

    def finish(self, trial: Trial, curve: Mapping[int, Values], best_step: int) -> None:
        """Say what a trial came to: the last values of its curve.

        One with a score that could not be computed has failed.
        """
        self._keep(trial, curve, best_step)
        values = curve[max(curve)]
        unknown = [
            name
            for name, value in zip(self._plan.search.objectives, values, strict=True)
            if value is None
        ]
        if unknown:
            self.fail(trial, f"{', '.join(unknown)} could not be computed")
        else:
            self._move(trial.id, TrialState.COMPLETE, [value or 0.0 for value in values])

    def stop(self, trial: Trial, curve: Mapping[int, Values], best_step: int) -> None:
        """Say that the pruning rule has stopped a trial."""
        self._keep(trial, curve, best_step)
        self._move(trial.id, TrialState.PRUNED)

    def fail(self, trial: Trial, reason: str) -> None:
        """Say that a trial has failed, and why; it is not tried again by itself."""
        self._note(trial, {REASON: reason})
        self._move(trial.id, TrialState.FAIL)

    def give_back(self, trials: Collection[Trial]) -> None:
        """Let trials that are ours be taken by another worker, who goes on in their folders."""
        if trials:
            with self._alone():
                self._replace([self._storage.get_trial(trial.id) for trial in trials])

    def all(self) -> list[Trial]:
        """Return all trials, oldest first; of one that was given back, only what it is now."""
        frozen = self._frozen()
        gone = lost_numbers(frozen)
        return [read_trial(each) for each in frozen if each.number not in gone]

    def curves(self) -> list[dict[int, tuple[float, ...]]]:
        """Return the curves of the trials that are over, higher is better."""
        return [
            {step: self._plan.oriented(values) for step, values in trial.curve.items()}
            for trial in self.all()
            if trial.outcome in ("finished", "stopped")
        ]

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the lock of those who ask, and keep Optuna's notes to itself."""
        with locked(self._locks / "ask"), quiet(), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Heartbeat of storage", UserWarning)
            yield

    def _frozen(self) -> list[FrozenTrial]:
        return self._study.get_trials(deepcopy=False)

    def _keep(self, trial: Trial, curve: Mapping[int, Values], best_step: int) -> None:
        table = {str(step): list(values) for step, values in curve.items()}
        self._note(trial, {CURVE: table, BEST: best_step})

    def _note(self, trial: Trial, facts: Mapping[str, Any]) -> None:
        """Keep facts of a trial, unless it was taken for dead meanwhile and is over."""
        with suppress(optuna.exceptions.UpdateFinishedTrialError):
            for name, value in facts.items():
                self._storage.set_trial_user_attr(trial.id, name, value)

    def _drop_dead(self) -> None:
        """Let the trials of workers that are gone wait again; the caller holds the lock."""
        running = [each for each in self._frozen() if each.state.name == "RUNNING"]
        here = [each for each in running if self._was_here(each)]
        held = [each for each in here if self._is_held(each)]
        self.beat(each._trial_id for each in held)  # who sleeps with the lock in hand is not dead
        optuna.storages.fail_stale_trials(self._study)
        frozen = self._frozen()
        dead = lost_numbers(frozen) - replaced_numbers(frozen)
        dead |= {each.number for each in here} - {each.number for each in held}
        self._replace([each for each in frozen if each.number in dead])

    def _was_here(self, trial: FrozenTrial) -> bool:
        """Return whether a trial runs, or ran, on this machine.

        One without a machine was left between being asked for and being marked, which happens
        under the lock that we hold now.
        """
        return trial.user_attrs.get(HOST) in (None, socket.gethostname())

    def _is_held(self, trial: FrozenTrial) -> bool:
        lock = Lock.take(self._locks / read_trial(trial).name)
        if lock is not None:
            lock.release()
        return lock is None

    def _replace(self, trials: Collection[FrozenTrial]) -> None:
        """Let new trials wait with settings and names of those that run or failed.

        What is over otherwise, or has been replaced already, is left alone.
        """
        replaced = replaced_numbers(self._frozen())
        for trial in trials:
            if trial.number in replaced:
                continue
            is_ended = self._move(trial._trial_id, TrialState.FAIL)
            if not is_ended and trial.state.name != "FAIL":
                continue
            kept = {ORIGIN: origin(trial), REPLACES: trial.number}
            if PUBLISHED in trial.user_attrs:
                kept[PUBLISHED] = trial.user_attrs[PUBLISHED]
            self._study.enqueue_trial(dict(settings_of(trial)), user_attrs=kept)

    def _move(self, trial: int, state: TrialState, values: Sequence[float] | None = None) -> bool:
        """Change the state of a trial; `False` if another worker was first."""
        try:
            return self._storage.set_trial_state_values(trial, state, values)
        except optuna.exceptions.UpdateFinishedTrialError:
            return False
