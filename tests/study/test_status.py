import json

import pytest

from gradtruce.study.plans.plan import load_plan
from gradtruce.study.running.entry import Entry
from gradtruce.study.running.folder import open_study
from gradtruce.study.running.status import study_status, waiting_runs


@pytest.fixture
def study(tmp_path):
    return open_study(tmp_path, load_plan("demo", ["seeds=[0, 1]"]))


def finish(study, run):
    folder = study.run_folder(run)
    folder.mkdir(parents=True)
    (folder / "metrics.json").write_text("{}", encoding="utf-8")


def begin(study, run, step, total, kind="step"):
    folder = study.run_folder(run)
    folder.mkdir(parents=True)
    counts = {"step": step, "total_steps": total} if kind == "step" else {}
    line = {"kind": kind, "seconds_left": 1.0, "done": step, "total": total, **counts}
    (folder / "log.jsonl").write_text(json.dumps(line) + "\n", encoding="utf-8")


def test_a_new_study_waits(study):
    now = study_status(study, {})
    assert now.counts == {"finished": 0, "running": 0, "failed": 0, "waiting": 4}
    assert (now.share, now.seconds_left) == (0.0, None)
    assert waiting_runs(now) == list(study.runs)


def test_what_has_metrics_is_finished_whatever_the_queue_says(study):
    first, second, *_ = study.runs
    finish(study, first)
    now = study_status(study, {second.name: Entry("finished", 0), first.name: Entry("lost", 1)})
    assert [each.state for each in now.runs] == ["finished", "waiting", "waiting", "waiting"]
    assert now.share == 0.25


def test_the_time_left_follows_from_what_an_arms_finished_runs_took(study):
    linear, came, *_ = study.runs
    finish(study, linear)
    finish(study, came)
    begin(study, study.runs[2], 50, 100)
    entries = {
        linear.name: Entry("finished", 0, seconds=100.0),
        came.name: Entry("finished", 1, seconds=200.0),
        study.runs[2].name: Entry("running", 2),
    }
    now = study_status(study, entries)
    share = now.runs[2].share
    assert share == pytest.approx(0.45)
    assert now.seconds_left == pytest.approx((1 - share) * 100 + 200)
    entries[study.runs[3].name] = Entry("running", 3)
    assert study_status(study, entries).seconds_left == pytest.approx(((1 - share) * 100 + 200) / 2)


def test_a_failed_run_tells_why_and_does_not_wait(study):
    now = study_status(study, {study.runs[0].name: Entry("failed", 0, reason="no space")})
    assert (now.runs[0].state, now.runs[0].reason) == ("failed", "no space")
    assert waiting_runs(now) == list(study.runs[1:])


def test_writing_the_test_reports_is_the_last_part_of_a_run(study):
    begin(study, study.runs[0], 1, 2, kind="generation")
    now = study_status(study, {study.runs[0].name: Entry("running", 0)})
    assert now.runs[0].share == pytest.approx(0.95)
