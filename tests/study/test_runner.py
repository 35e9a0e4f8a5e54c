import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO

import pytest

from gradtruce.cli.app import run as command
from gradtruce.locks import Lock
from gradtruce.study.plans.plan import load_plan
from gradtruce.study.running.data_sets import make_data
from gradtruce.study.running.folder import open_study
from gradtruce.study.running.queue import Queue
from gradtruce.study.running.storage import sqlite_url
from gradtruce.study.running.training_process import has_checkpoint
from gradtruce.study.running.worker import Worker
from gradtruce.training.loop import train
from gradtruce.training.runlog import read_log

METHOD = {
    "backbone_widths": [4, 8],
    "backbone_depths": [1, 1],
    "width": 8,
    "heads": 2,
    "layers": 1,
    "hidden": 16,
}
OPTIONS = ", ".join(f"{name} = {value}" for name, value in METHOD.items())


def settings(phantom, steps=4):
    return [
        f"data.phantom.run.data.path={str(phantom)!r}",
        "run.data.image_size=32",
        "run.data.max_tokens=16",
        f"run.method.options={{ {OPTIONS} }}",
        f"run.training.steps={steps}",
        "run.training.batch_size=4",
        "run.training.null_every=2",
        "run.training.validation={ every = 2, studies = 3, beams = 1 }",
        "run.training.decoding={ beams = 1 }",
    ]


def work(study, *, retry=False, count=2, failures=None):
    queue = Queue(sqlite_url(study.path / "study.db"), study.identity)
    report = None if failures is None else failures.append
    worker = Worker(study, queue, count=count, report=report, poll=0.05)
    return worker.work(retry=retry)


@pytest.fixture(scope="module")
def studied(phantom, tmp_path_factory):
    """Return a study of two arms, one of which can't be built, and what its command printed."""
    folder = tmp_path_factory.mktemp("studied")
    given = [*settings(phantom), "arms.came_grad.balance.options={ radios = 1 }"]
    words = ["study", "run", "demo", "--output", str(folder), "--workers", "2"]
    printed, told = StringIO(), StringIO()
    with redirect_stdout(printed), redirect_stderr(told):
        code = command([*words, *(part for one in given for part in ("--set", one))])
    assert code == 1, told.getvalue()
    return open_study(folder), printed.getvalue(), told.getvalue()


def test_a_failing_run_is_told_with_its_log_and_the_rest_go_on(studied):
    study, printed, told = studied
    finished, failed = study.runs
    assert "1 finished, 1 failed" in printed
    assert "gradtruce study run --output" in printed
    assert f"failed: {failed.name}" in told
    assert "has no option 'radios'; did you mean 'radius'" in told
    assert str(study.log(failed)) in told
    assert "did you mean 'radius'" in study.log(failed).read_text(encoding="utf-8")
    assert not study.log(finished).exists()
    assert (study.run_folder(finished) / "metrics.json").is_file()


def test_the_command_tells_where_a_study_is(studied, capsys):
    study, _, _ = studied
    assert command(["study", "status", str(study.path)]) == 0
    assert f"{study.plan.title}: 1 finished, 1 failed" in capsys.readouterr().out
    assert command(["study", "status", str(study.path), "--json"]) == 0
    now = json.loads(capsys.readouterr().out)
    assert now["counts"] == {"finished": 1, "running": 0, "failed": 1, "waiting": 0}
    assert [each["state"] for each in now["runs"]] == ["finished", "failed"]
    assert "radios" in now["runs"][1]["reason"]


def test_what_is_finished_or_failed_is_not_trained_again(studied):
    study, _, _ = studied
    metrics = study.run_folder(study.runs[0]) / "metrics.json"
    written = metrics.stat().st_mtime_ns
    failures = []
    assert work(study, failures=failures).counts["failed"] == 1
    assert failures == []
    assert metrics.stat().st_mtime_ns == written


@pytest.mark.slow
def test_a_failed_run_is_tried_again_where_asked(studied):
    failures = []
    assert work(studied[0], retry=True, failures=failures).counts["failed"] == 1
    assert len(failures) == 1


@pytest.mark.slow
def test_finished_runs_are_known_without_the_database(studied, tmp_path):
    study, _, _ = studied
    copy = tmp_path / "copy"
    shutil.copytree(study.path, copy)
    for path in copy.glob("study.db*"):
        path.unlink()
    metrics = copy / study.runs[0].folder / "metrics.json"
    written = metrics.stat().st_mtime_ns
    status = work(open_study(copy))
    assert status.counts == {"finished": 1, "running": 0, "failed": 1, "waiting": 0}
    assert metrics.stat().st_mtime_ns == written


def test_a_run_that_another_process_holds_is_left_alone(phantom, tmp_path):
    study = open_study(tmp_path, load_plan("demo", settings(phantom)))
    queue = Queue(sqlite_url(tmp_path / "study.db"), study.identity)
    names = [run.name for run in study.runs]
    queue.add(names)
    locks = [Lock.take(study.lock(name)) for name in names]
    worker = Worker(study, queue, poll=0.05)
    status = worker._look()
    assert not worker._start(status)
    assert worker._is_awaited(status)
    for lock in locks:
        lock.release()
    assert {entry.state for entry in queue.entries().values()} == {"waiting"}


def test_no_workers_are_refused(studied):
    study, _, _ = studied
    with pytest.raises(ValueError, match="workers must be at least 1, got 0"):
        work(study, count=0)


def test_a_database_that_is_gone_ends_the_worker_with_a_word(studied, tmp_path):
    study, _, _ = studied
    queue = Queue(sqlite_url(tmp_path / "study.db"), study.identity)
    with sqlite3.connect(tmp_path / "study.db") as database:
        database.execute("DROP TABLE trials")
    with pytest.raises(ConnectionError, match=r"no such table.*gradtruce study run --output"):
        Worker(study, queue).work()


def test_a_pattern_that_fits_no_run_is_an_error(studied):
    study, _, _ = studied
    queue = Queue(sqlite_url(study.path / "study.db"), study.identity)
    with pytest.raises(ValueError, match="no run of the study is called like 'r3gen"):
        Worker(study, queue, only="r3gen/*")


def test_only_a_folder_with_a_checkpoint_can_go_on(tmp_path):
    kept = tmp_path / "checkpoints"
    kept.mkdir()
    (tmp_path / "config.toml").touch()
    assert not has_checkpoint(tmp_path)
    (kept / ".last.partial").mkdir()
    (kept / "best").mkdir()
    assert not has_checkpoint(tmp_path)
    (kept / ".last.former").mkdir()
    assert has_checkpoint(tmp_path)
    (tmp_path / "config.toml").unlink()
    assert not has_checkpoint(tmp_path)


def start(study):
    """Start a worker as a user does, in a process of its own."""
    code = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from gradtruce.cli.app import run; sys.exit(run(sys.argv[1:]))"
    )  # a shell without a terminal starts processes that ignore SIGINT
    command = [sys.executable, "-c", code, "study", "run", "--output", str(study.path)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def wait_until(is_true, seconds=240.0):
    end = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < end, "it takes too long"
        time.sleep(0.02)


def is_free(study, run):
    lock = Lock.take(study.lock(run.name))
    if lock is not None:
        lock.release()
    return lock is not None


@pytest.fixture(scope="module")
def undisturbed(phantom, tmp_path_factory):
    """Return a plan of one run, and the folder of a training by it that nothing stopped."""
    short = ["arms.came_grad.methods=['r2gen']", "arms.linear.methods=[]"]
    plan = load_plan("demo", [*settings(phantom, steps=40), *short])
    (run,) = plan.runs()
    return plan, train(run.config, tmp_path_factory.mktemp("undisturbed") / "run").folder


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_run_of_a_killed_worker_goes_on_to_the_same_bits(undisturbed, tmp_path, blow):
    plan, expected = undisturbed
    study = open_study(tmp_path / "study", plan)
    make_data(study)
    (run,) = study.runs
    folder = study.run_folder(run)
    worker = start(study)
    wait_until(lambda: has_checkpoint(folder))
    worker.send_signal(blow)
    assert worker.wait(60) == (-signal.SIGKILL if blow == signal.SIGKILL else 130)
    wait_until(lambda: is_free(study, run), 30)  # the training has ended with its worker
    assert not (folder / "metrics.json").exists()
    steps = len(list(read_log(folder / "log.jsonl", "step")))
    assert 0 < steps < 40
    assert work(study).counts["finished"] == 1
    assert len(list(read_log(folder / "log.jsonl", "step"))) == 40
    for name in ("predictions.jsonl", "metrics.json", "checkpoints/last/model.safetensors"):
        assert (folder / name).read_bytes() == (expected / name).read_bytes(), name


@pytest.mark.slow
def test_a_training_killed_before_its_first_checkpoint_begins_again(undisturbed, tmp_path):
    plan, expected = undisturbed
    study = open_study(tmp_path / "study", plan)
    (run,) = study.runs
    folder = study.run_folder(run)
    (folder / "checkpoints" / ".last.partial").mkdir(parents=True)
    (folder / "log.jsonl").write_text("", encoding="utf-8")
    assert work(study).counts["finished"] == 1
    assert (folder / "metrics.json").read_bytes() == (expected / "metrics.json").read_bytes()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_two_workers_share_a_study_and_train_no_run_twice(phantom, tmp_path):
    study = open_study(tmp_path / "study", load_plan("demo", [*settings(phantom), "seeds=[0, 1]"]))
    workers = [start(study) for _ in range(2)]
    assert [worker.wait(400) for worker in workers] == [0, 0]
    for run in study.runs:
        steps = [line["step"] for line in read_log(study.run_folder(run) / "log.jsonl", "step")]
        assert steps == [1, 2, 3, 4]


@pytest.mark.slow
def test_a_training_killed_by_the_system_is_a_failed_run_that_can_go_on(undisturbed, tmp_path):
    plan, expected = undisturbed
    study = open_study(tmp_path / "study", plan)
    (run,) = study.runs
    folder = study.run_folder(run)

    def kill(_):
        if has_checkpoint(folder) and not failures:
            os.kill(worker._running[0].process._process.pid, signal.SIGKILL)

    failures = []
    queue = Queue(sqlite_url(study.path / "study.db"), study.identity)
    worker = Worker(study, queue, watch=kill, report=failures.append, poll=0.05)
    assert worker.work().counts["failed"] == 1
    assert "by signal SIGKILL" in failures[0].reason
    assert work(study, retry=True).counts["finished"] == 1
    assert (folder / "metrics.json").read_bytes() == (expected / "metrics.json").read_bytes()
