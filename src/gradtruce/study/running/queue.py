"""The queue of a study: which runs wait, run, or have failed, shared by all its workers.

It lives in a storage of Optuna: SQLite in the study's folder, or a database server by URL. A run is
a trial; its state is the trial's. Two things Optuna leaves open are closed here. On SQLite it looks
at a trial and then claims it in two steps, so that several workers may claim one trial: see
`storage`. And a trial whose worker died before its first heartbeat would
run for ever: here the heartbeat comes before the claim.
"""

import socket
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, final

from gradtruce.study.running.entry import Entry, State
from gradtruce.study.running.folder import StudyFolder
from gradtruce.study.running.storage import TrialState, open_storage, optuna, quiet, sqlite_url

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

BEAT: Final = 10
"""Seconds between two heartbeats of a run."""
GRACE: Final = 60
"""Seconds without a heartbeat after which a run's worker is taken for dead."""

_RUN, _HOST, _REASON = "run", "host", "reason"
_FURTHER: Final[Mapping[str, int]] = {"WAITING": 1, "RUNNING": 2}


@final
class Queue:
    """Runs that wait, run, have failed or are finished.

    Args:
        url: Of the storage, as SQLAlchemy has it; a SQLite file is made where absent.
        name: Of the study in the storage.
        beat: Seconds between two heartbeats.
        grace: Seconds without one after which a run is given back.

    Raises:
        ImportError: If Optuna or the database's driver is not installed.
        ConnectionError: If the database can't be reached.
    """

    def __init__(self, url: str, name: str, *, beat: int = BEAT, grace: int = GRACE) -> None:
        with quiet():
            self._storage = open_storage(url, beat=beat, grace=grace)
            self._study = optuna.create_study(
                storage=self._storage, study_name=name, load_if_exists=True, direction="maximize"
            )
        self._id = self._storage.get_study_id_from_name(name)
        self.beat_seconds = beat

    def entries(self) -> dict[str, Entry]:
        """Return what is known of every run that was ever added, by its name."""
        newest: dict[str, FrozenTrial] = {}
        for trial in self._trials():
            name = trial.user_attrs[_RUN]
            if trial.state.name == "PRUNED":  # another worker was first
                continue
            if name not in newest or _rank(trial) >= _rank(newest[name]):
                newest[name] = trial
        return {name: _entry(trial) for name, trial in newest.items()}

    def add(self, names: Iterable[str]) -> None:
        """Let runs wait; one worker at a time may call this."""
        with quiet():
            for name in names:
                self._study.enqueue_trial({}, user_attrs={_RUN: name})

    def claim(self, name: str) -> int | None:
        """Return the trial of a waiting run, which is ours from now on; `None` if it is not."""
        for trial in self._trials(TrialState.WAITING):
            if trial.user_attrs[_RUN] != name:
                continue
            self._storage.record_heartbeat(trial._trial_id)
            if not self._move(trial._trial_id, TrialState.RUNNING):
                continue
            self._storage.set_trial_user_attr(trial._trial_id, _HOST, socket.gethostname())
            if not self._is_doubled(name, trial._trial_id):
                return trial._trial_id
            self._move(trial._trial_id, TrialState.PRUNED)
        return None

    def beat(self, trials: Iterable[int]) -> None:
        """Tell the others that runs are alive."""
        for trial in trials:
            self._storage.record_heartbeat(trial)

    def finish(self, trial: int, score: float | None = None) -> None:
        """Say that a run is finished, with its score where it has one."""
        self._move(trial, TrialState.COMPLETE, None if score is None else [score])

    def fail(self, trial: int, reason: str) -> None:
        """Say that a run has failed, and why; it does not wait again by itself."""
        try:
            self._storage.set_trial_user_attr(trial, _REASON, reason)
        except optuna.exceptions.UpdateFinishedTrialError:  # taken for dead meanwhile
            return
        self._move(trial, TrialState.FAIL)

    def give_back(self, trial: int) -> None:
        """Let a run that is ours wait for another worker."""
        self._move(trial, TrialState.WAITING)

    def drop_dead(self, dead: Collection[int] = ()) -> None:
        """End the trials of workers that are gone, so that their runs can be added again.

        Args:
            dead: Trials known to have no worker; others are taken for dead by their heartbeat.
        """
        for trial in dead:
            self._move(trial, TrialState.FAIL)
        with quiet():
            optuna.storages.fail_stale_trials(self._study)

    def _trials(self, *states: Any) -> "list[FrozenTrial]":
        return self._storage.get_all_trials(self._id, deepcopy=False, states=states or None)

    def _move(self, trial: int, state: Any, values: list[float] | None = None) -> bool:
        """Change the state of a trial; `False` if another worker was first."""
        try:
            return self._storage.set_trial_state_values(trial, state, values)
        except optuna.exceptions.UpdateFinishedTrialError:
            return False

    def _is_doubled(self, name: str, trial: int) -> bool:
        """Return whether an earlier trial of the run is running; the earliest goes on."""
        return any(
            other.user_attrs[_RUN] == name and other._trial_id < trial
            for other in self._trials(TrialState.RUNNING)
        )


def study_queue(study: StudyFolder, storage: str | None = None) -> Queue:
    """Open the queue of a study.

    Args:
        study: On disk.
        storage: Database that the workers share, by URL; SQLite in the folder where not given.

    Raises:
        ImportError: If Optuna or the database's driver is not installed.
        ConnectionError: If the database can't be reached.
    """
    return Queue(storage or sqlite_url(study.path / "study.db"), study.identity)


def _rank(trial: "FrozenTrial") -> tuple[int, int]:
    """Order the trials of a run: those that have ended, those that wait or run; newest last."""
    return (_FURTHER.get(trial.state.name, 0), trial.number)


def _entry(trial: "FrozenTrial") -> Entry:
    reason = trial.user_attrs.get(_REASON)
    states: Mapping[str, State] = {
        "WAITING": "waiting",
        "RUNNING": "running",
        "COMPLETE": "finished",
        "FAIL": "lost" if reason is None else "failed",
    }
    return Entry(
        states[trial.state.name],
        trial._trial_id,
        trial.user_attrs.get(_HOST),
        reason,
        trial.duration.total_seconds() if trial.duration is not None else None,
    )
