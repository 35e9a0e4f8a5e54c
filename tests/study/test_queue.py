import multiprocessing
import time
from collections import Counter

import pytest

from gradtruce.study.running.queue import Queue
from gradtruce.study.running.storage import sqlite_url

NAMES = [f"r2gen/phantom/linear/seed-{seed}" for seed in range(25)]


def queue(tmp_path, **kwargs):
    return Queue(sqlite_url(tmp_path / "study.db"), "test", **kwargs)


def claim_all(url, together, results):
    mine = Queue(url, "test")
    claimed = []
    for name in NAMES:
        together.wait()
        if mine.claim(name) is not None:
            claimed.append(name)
    results.put(claimed)


def claim_and_die(url, results):
    results.put(Queue(url, "test").claim(NAMES[0]))


def test_every_run_is_claimed_by_exactly_one_of_several_processes(tmp_path):
    queue(tmp_path).add(NAMES)
    spawn = multiprocessing.get_context("spawn")
    together, results = spawn.Barrier(3), spawn.Queue()
    url = sqlite_url(tmp_path / "study.db")
    workers = [spawn.Process(target=claim_all, args=(url, together, results)) for _ in range(3)]
    for worker in workers:
        worker.start()
    claimed = [name for _ in workers for name in results.get(timeout=120)]
    for worker in workers:
        worker.join()
    assert Counter(claimed) == Counter(NAMES)


def test_a_run_goes_from_waiting_to_running_to_finished(tmp_path):
    shared = queue(tmp_path)
    shared.add(NAMES[:1])
    assert shared.entries()[NAMES[0]].state == "waiting"
    trial = shared.claim(NAMES[0])
    assert trial is not None
    running = queue(tmp_path).entries()[NAMES[0]]
    assert (running.state, running.seconds) == ("running", None)
    assert running.host
    assert shared.claim(NAMES[0]) is None
    shared.finish(trial, 0.5)
    finished = shared.entries()[NAMES[0]]
    assert finished.state == "finished"
    assert finished.seconds is not None


def test_a_run_without_a_score_is_finished_too(tmp_path):
    shared = queue(tmp_path)
    shared.add(NAMES[:1])
    shared.finish(shared.claim(NAMES[0]))
    assert shared.entries()[NAMES[0]].state == "finished"


def test_a_failed_run_keeps_its_reason_and_can_be_added_again(tmp_path):
    shared = queue(tmp_path)
    shared.add(NAMES[:1])
    shared.fail(shared.claim(NAMES[0]), "no space")
    entry = shared.entries()[NAMES[0]]
    assert (entry.state, entry.reason) == ("failed", "no space")
    assert shared.claim(NAMES[0]) is None
    shared.add(NAMES[:1])
    assert shared.entries()[NAMES[0]].state == "waiting"
    assert shared.claim(NAMES[0]) is not None


def test_a_run_that_is_given_back_can_be_claimed(tmp_path):
    shared = queue(tmp_path)
    shared.add(NAMES[:1])
    trial = shared.claim(NAMES[0])
    shared.give_back(trial)
    assert shared.claim(NAMES[0]) == trial


def test_a_run_whose_heart_has_stopped_is_lost_and_one_that_beats_is_not(tmp_path):
    shared = queue(tmp_path, beat=1, grace=2)
    shared.add(NAMES[:2])
    dead, alive = shared.claim(NAMES[0]), shared.claim(NAMES[1])
    for _ in range(4):
        time.sleep(1)
        shared.beat([alive])
    shared.drop_dead()
    states = {name: entry.state for name, entry in shared.entries().items()}
    assert states == {NAMES[0]: "lost", NAMES[1]: "running"}
    shared.finish(dead)  # it lived after all: too late
    shared.fail(dead, "too late")
    assert shared.entries()[NAMES[0]].state == "lost"


def test_a_worker_that_died_right_after_its_claim_is_found_out(tmp_path):
    queue(tmp_path).add(NAMES[:1])
    spawn = multiprocessing.get_context("spawn")
    results = spawn.Queue()
    url = sqlite_url(tmp_path / "study.db")
    worker = spawn.Process(target=claim_and_die, args=(url, results))
    worker.start()
    assert results.get(timeout=60) is not None
    worker.join()
    time.sleep(2)
    other = queue(tmp_path, beat=1, grace=1)
    other.drop_dead()
    assert other.entries()[NAMES[0]].state == "lost"


def test_of_two_trials_of_one_run_the_earlier_goes_on(tmp_path):
    shared = queue(tmp_path)
    shared.add([NAMES[0], NAMES[0]])
    assert shared.claim(NAMES[0]) is not None
    assert shared.claim(NAMES[0]) is None
    assert shared.entries()[NAMES[0]].state == "running"


def test_two_studies_share_a_database(tmp_path):
    url = sqlite_url(tmp_path / "study.db")
    one, two = Queue(url, "one"), Queue(url, "two")
    one.add(NAMES[:1])
    assert two.entries() == {}


def test_a_database_that_is_not_there_is_named_without_its_password():
    pytest.importorskip("psycopg2")
    with pytest.raises(ConnectionError, match=r"postgresql://me:\*\*\*@localhost:1/none"):
        Queue("postgresql://me:secret@localhost:1/none", "test")


def test_a_missing_driver_is_named():
    with pytest.raises(ImportError, match=r"oracle\+oracledb://me:\*\*\*@nowhere/x"):
        Queue("oracle+oracledb://me:secret@nowhere/x", "test")


def test_no_database_is_an_error_for_people():
    with pytest.raises(ValueError, match="no URL of a database"):
        Queue("study.db", "test")
