import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gradtruce.study.running.storage import sqlite_url
from gradtruce.study.searching.pareto import front
from gradtruce.study.searching.plan import load_search
from gradtruce.study.searching.trial_training import Validated, read_validations
from gradtruce.study.searching.trials import Trials
from gradtruce.study.searching.worker import SearchWorker, trial_folder
from gradtruce.training.runlog import RunLog

F1, BLEU = "clinical.micro_13.uncertain_negative.f1", "nlg.bleu_4"
STEPS = (100, 200, 300, 400)
STALE = 4.0
"""Seconds after which a grace of 2 is over; SQLite counts whole ones."""


def scores(config, step):
    """Two scores that are best at radius 0.2 and 0.7, both at fusion 0.5; gain does nothing."""
    options = config.balance.options
    away = (options["fusion"] - 0.5) ** 2
    return {
        F1: (1 - (options["radius"] - 0.2) ** 2 - away) * step / STEPS[-1],
        BLEU: (1 - (options["radius"] - 0.7) ** 2 - away) * step / STEPS[-1],
    }


def pretend(job, _held):
    """Train without training."""
    for step in STEPS:
        yield None
        yield Validated(step, scores(job.config, step), is_best=True, is_last=step == STEPS[-1])


def plan(*settings, trials=30):
    return load_search("came_grad", [f"search.trials={trials}", *settings])


def open_trials(plan, folder, **options):
    url = sqlite_url(folder / "study.db")
    return Trials(plan, url=url, name="search", locks=folder / ".locks", **options)


def search(plan, folder, *, train=pretend, count=1):
    worker = SearchWorker(
        plan, folder, open_trials(plan, folder), train=train, count=count, poll=0.0
    )
    return worker.work()


def test_a_search_finds_the_front_of_a_known_problem(tmp_path):
    trials = search(plan(trials=60), tmp_path)
    assert len(trials) == 60
    finished = [trial for trial in trials if trial.outcome == "finished"]
    best = [finished[place] for place in front([trial.values for trial in finished])]
    assert len(best) >= 5
    for trial in best:
        assert 0.1 < trial.settings["balance.options.radius"] < 0.8
        assert abs(trial.settings["balance.options.fusion"] - 0.5) < 0.25
    assert max(trial.values[0] for trial in best) > 0.98
    assert max(trial.values[1] for trial in best) > 0.98


def test_hopeless_trials_are_stopped_and_recorded_as_such(tmp_path):
    trials = search(plan(trials=16), tmp_path)
    stopped = [trial for trial in trials if trial.outcome == "stopped"]
    assert stopped
    for trial in stopped:
        assert set(trial.curve) < set(STEPS)
        assert trial.values is not None
    assert all(trial.outcome == "finished" for trial in trials[:6])  # the warm-up


def test_no_trial_is_stopped_when_pruning_is_off(tmp_path):
    trials = search(plan("search.pruning.enabled=false", trials=16), tmp_path)
    assert {trial.outcome for trial in trials} == {"finished"}


def test_the_same_seed_draws_the_same_trials_whether_or_not_the_search_was_interrupted(tmp_path):
    for name in ("whole", "halves"):
        (tmp_path / name).mkdir()
    whole = search(plan(trials=16), tmp_path / "whole")
    search(plan(trials=7), tmp_path / "halves")
    halves = search(plan(trials=16), tmp_path / "halves")
    assert [trial.settings for trial in halves] == [trial.settings for trial in whole]
    (tmp_path / "other").mkdir()
    other = search(plan("search.seed=1", trials=2), tmp_path / "other")
    assert other[0].settings != whole[0].settings


def test_published_points_are_tried_first_and_once(tmp_path):
    chosen = plan(trials=4)
    point = {"balance.options.radius": 0.5, "balance.options.gain": 1.5}
    for _ in range(2):
        open_trials(chosen, tmp_path).propose({"Table D.1, DCL": point})
    trials = search(chosen, tmp_path)
    assert [trial.published for trial in trials] == ["Table D.1, DCL", None, None, None]
    assert trials[0].settings["balance.options.radius"] == 0.5
    assert 0 <= trials[0].settings["balance.options.fusion"] <= 1  # drawn, not given


def test_a_trial_that_fails_is_logged_and_the_rest_go_on(tmp_path):
    def train(job, held):
        if job.name == "trial-0001":
            error = ChildProcessError("training ended with status 2: no memory")
            error.add_note("a long story\nno memory")
            raise error
        yield from pretend(job, held)

    told = []
    chosen = plan(trials=4)
    worker = SearchWorker(
        chosen,
        tmp_path,
        open_trials(chosen, tmp_path),
        train=train,
        poll=0.0,
        report=lambda trial, reason: told.append((trial.name, reason)),
    )
    outcomes = [trial.outcome for trial in worker.work()]
    assert outcomes == ["finished", "failed", "finished", "finished"]
    assert told == [("trial-0001", "training ended with status 2: no memory")]
    assert "a long story" in (tmp_path / "logs" / "trial-0001.log").read_text(encoding="utf-8")


def test_a_score_that_could_not_be_computed_fails_the_trial(tmp_path):
    def train(_job, _held):
        yield Validated(100, {F1: None, BLEU: 0.2}, is_best=True, is_last=True)

    (trial,) = search(plan(trials=1), tmp_path, train=train)
    assert (trial.outcome, trial.reason) == ("failed", f"{F1} could not be computed")


def test_an_unknown_score_ends_the_search_with_the_nearest_known_one(tmp_path):
    chosen = plan('search.objectives=["nlg.bleu4", "nlg.bleu_4"]', trials=2)
    with pytest.raises(ValueError, match=r"no score 'nlg\.bleu4'; did you mean 'nlg\.bleu_4'"):
        search(chosen, tmp_path)
    assert [trial.outcome for trial in open_trials(chosen, tmp_path).all()] == ["waiting"]


def test_the_values_are_those_of_the_best_checkpoint_not_of_the_last(tmp_path):
    def train(_job, _held):
        yield Validated(100, {F1: 0.5, BLEU: 0.1}, is_best=True)
        yield Validated(200, {F1: 0.4, BLEU: 0.9}, is_best=False, is_last=True)

    (trial,) = search(plan(trials=1), tmp_path, train=train)
    assert (trial.values, trial.best_step) == ((0.5, 0.1), 100)


def test_an_interrupted_worker_gives_its_trial_back(tmp_path):
    def train(_job, _held):
        yield from ()
        raise KeyboardInterrupt

    chosen = plan(trials=2)
    with pytest.raises(KeyboardInterrupt):
        search(chosen, tmp_path, train=train)
    (given_back,) = open_trials(chosen, tmp_path).all()
    assert (given_back.name, given_back.outcome) == ("trial-0000", "waiting")
    trials = search(chosen, tmp_path)
    assert [trial.name for trial in trials] == ["trial-0000", "trial-0002"]
    assert trials[0].settings == given_back.settings


def test_a_search_interrupted_inside_a_trial_draws_the_same_trials(tmp_path):
    def interrupted(job, held):
        if job.name == "trial-0002":
            raise KeyboardInterrupt
        yield from pretend(job, held)

    for name in ("whole", "halves"):
        (tmp_path / name).mkdir()
    whole = search(plan(trials=6), tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        search(plan(trials=6), tmp_path / "halves", train=interrupted)
    halves = search(plan(trials=6), tmp_path / "halves")
    assert {str(each.settings) for each in halves} == {str(each.settings) for each in whole}


def test_what_is_over_is_not_given_back(tmp_path):
    trials = open_trials(plan(trials=3), tmp_path)
    (done, lock), (open_still, other) = trials.ask(), trials.ask()
    trials.finish(done, {100: (0.5, 0.1)}, 100)
    for each in (lock, other):
        each.release()
    for _ in range(2):
        trials.give_back([done, open_still])
    assert [(each.name, each.outcome) for each in trials.all()] == [
        ("trial-0000", "finished"),
        ("trial-0001", "waiting"),
    ]


def test_a_worker_that_slept_keeps_its_trial(tmp_path):
    asleep = open_trials(plan(trials=2), tmp_path, beat=1, grace=2)
    trial, lock = asleep.ask()
    time.sleep(STALE)  # without a heartbeat, its lock in hand
    awake = open_trials(plan(trials=2), tmp_path, beat=1, grace=2)
    other, _ = awake.ask()
    assert other.name != trial.name
    asleep.finish(trial, {100: (0.5, 0.1)}, 100)
    lock.release()
    assert [each.outcome for each in awake.all()] == ["finished", "running"]


def test_a_trial_taken_for_dead_on_another_machine_ends_without_an_error(tmp_path, monkeypatch):
    asleep = open_trials(plan(trials=2), tmp_path, beat=1, grace=2)
    trial, lock = asleep.ask()
    time.sleep(STALE)
    monkeypatch.setattr("socket.gethostname", lambda: "elsewhere")
    awake = open_trials(plan(trials=2), tmp_path, beat=1, grace=2)
    assert awake.ask() is None  # the lock is still held: it waits, nobody trains it twice
    asleep.finish(trial, {100: (0.5, 0.1)}, 100)
    asleep.fail(trial, "late")
    lock.release()
    again, _ = awake.ask()
    assert (again.name, again.settings) == (trial.name, trial.settings)


def test_settings_proposed_outlive_a_worker_killed_while_it_draws(tmp_path):
    chosen = plan(trials=1)
    point = {"balance.options.radius": 0.5, "balance.options.gain": 1.5}
    trials = open_trials(chosen, tmp_path)
    trials.propose({"Table D.1, DCL": point})
    with trials._alone():
        trials._study.ask()  # and killed before a parameter is drawn
    trial, _ = trials.ask()
    assert trial.published == "Table D.1, DCL"
    assert {key: trial.settings[key] for key in point} == point


def test_a_failed_trial_is_tried_again_where_asked(tmp_path):
    def fail(_job, _held):
        yield from ()
        raise ChildProcessError("training ended with status 2: no space")

    chosen = plan(trials=2)
    before = search(chosen, tmp_path, train=fail)
    assert [each.outcome for each in before] == ["failed", "failed"]
    assert [each.outcome for each in search(chosen, tmp_path)] == ["failed", "failed"]
    for _ in range(2):
        open_trials(chosen, tmp_path).retry()
    after = search(chosen, tmp_path)
    assert [(each.name, each.outcome) for each in after] == [
        ("trial-0000", "finished"),
        ("trial-0001", "finished"),
    ]
    assert [each.settings for each in after] == [each.settings for each in before]


def test_validations_are_found_however_long_the_generation_was(tmp_path):
    with RunLog(tmp_path / "log.jsonl") as log:
        log.write("step", step=400, total_steps=400)
        log.write("validation", step=400, scores={F1: 0.5}, best=True)
        for done in range(1500):
            log.write("generation", step=400, done=done, total=1500, seconds_left=1.5)
    (found,) = read_validations(tmp_path)
    assert (found.step, found.is_last) == (400, True)


WORKER = """
import sys, time
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_search import open_trials, plan, pretend
from gradtruce.study.searching.worker import SearchWorker

def slow(job, held):
    (job.folder.parent / f"{{job.name}}.begun").touch()
    for validated in pretend(job, held):
        time.sleep({pause})
        yield validated

folder, chosen = Path(sys.argv[1]), plan(trials={trials})
worker = SearchWorker(chosen, folder, open_trials(chosen, folder), train=slow, poll=0.01)
worker.work()
"""


def start(folder, *, pause, trials):
    text = WORKER.format(tests=str(Path(__file__).parent), pause=pause, trials=trials)
    return subprocess.Popen([sys.executable, "-c", text, str(folder)], env=os.environ.copy())


@pytest.mark.slow
def test_the_trial_of_a_killed_worker_is_taken_by_another(tmp_path):
    process = start(tmp_path, pause=60, trials=3)
    mark = trial_folder(tmp_path, "trial-0000.begun")
    while not mark.exists():
        assert process.poll() is None
        time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    process.wait()
    chosen = plan(trials=3)
    (before,) = open_trials(chosen, tmp_path).all()
    assert before.outcome == "running"
    trials = search(chosen, tmp_path)
    assert [trial.outcome for trial in trials] == ["finished"] * 3
    assert (trials[0].name, trials[0].settings) == ("trial-0000", before.settings)


@pytest.mark.slow
def test_two_workers_share_one_search(tmp_path):
    workers = [start(tmp_path, pause=0.02, trials=24) for _ in range(2)]
    assert [worker.wait(timeout=200) for worker in workers] == [0, 0]
    trials = open_trials(plan(trials=24), tmp_path).all()
    assert len(trials) == 24
    assert {trial.outcome for trial in trials} <= {"finished", "stopped"}
    assert len({tuple(trial.settings.items()) for trial in trials}) == 24
