import time

import pytest

from gradtruce.study.running.processes import Job, run_jobs
from gradtruce.training.config import RunConfig


def job(tmp_path, name):
    config = RunConfig(data={"path": str(tmp_path / "none")})
    return Job(name, config, tmp_path / name)


@pytest.mark.slow
def test_a_failing_training_is_reported_in_its_own_words_and_progress_is_told(tmp_path):
    seen = []
    jobs = [job(tmp_path, name) for name in ("one", "two")]
    with pytest.raises(ChildProcessError, match=r"training 'one' .* gradtruce prepare"):
        run_jobs(jobs, workers=1, watch=seen.append, poll=0.05)
    phases = {name: progress.phase for name, progress in seen[0].items()}
    assert phases == {"one": "preparing", "two": "preparing"}
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_one_failure_stops_the_others(tmp_path):
    start = time.perf_counter()
    with pytest.raises(ChildProcessError, match=r"'(one|two)'"):
        run_jobs([job(tmp_path, name) for name in ("one", "two")], workers=2)
    assert time.perf_counter() - start < 120
