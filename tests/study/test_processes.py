import time

import pytest

from gradtruce.study.processes import Job, run_jobs
from gradtruce.training.config import RunConfig


def job(tmp_path, name, path):
    return Job(name, RunConfig(data={"path": str(path)}), tmp_path / name)


def test_a_failing_training_is_reported_in_its_own_words(tmp_path):
    with pytest.raises(ChildProcessError, match=r"training 'linear' .* gradtruce prepare"):
        run_jobs([job(tmp_path, "linear", tmp_path / "none")], workers=1)


def test_progress_of_all_jobs_is_told(tmp_path):
    seen = []
    jobs = [job(tmp_path, name, tmp_path / "none") for name in ("one", "two")]
    with pytest.raises(ChildProcessError):
        run_jobs(jobs, workers=1, watch=seen.append, poll=0.05)
    assert {name: progress.phase for name, progress in seen[0].items()} == {
        "one": "preparing",
        "two": "preparing",
    }


def test_one_failure_stops_the_others(tmp_path):
    start = time.perf_counter()
    jobs = [job(tmp_path, name, tmp_path / "none") for name in ("one", "two")]
    with pytest.raises(ChildProcessError, match=r"'(one|two)'"):
        run_jobs(jobs, workers=2)
    assert time.perf_counter() - start < 60
