"""An error in one process ends all, and is told once."""

import re
import signal
from pathlib import Path

import pytest
import torch.distributed as dist

from gradtruce.training.joining import Place, joined
from gradtruce.training.share import Share
from tests.training.test_world import start_ranks

needs_gloo = pytest.mark.skipif(
    not dist.is_available() or not dist.is_gloo_available(), reason="torch has no gloo"
)


def ended(*arguments: str, seconds: float = 60) -> tuple[list[int], str]:
    """Return the exit statuses of two processes, and all that they wrote to standard error."""
    children = start_ranks(*arguments)
    try:
        told = [child.communicate(timeout=seconds)[1] for child in children]
    finally:
        for child in children:
            child.kill()
    return [child.returncode for child in children], "".join(told)


def ours(told: str) -> list[str]:
    return [line for line in told.splitlines() if re.match(r"\w+Error: |gradtruce: ", line)]


@needs_gloo
def test_the_process_that_failed_says_why_and_no_other() -> None:
    statuses, told = ended("-m", "tests.training.ranks.failing", "error")
    assert statuses == [2, 2]
    assert ours(told) == ["ValueError: there is no such file here"]


@needs_gloo
def test_an_error_in_all_processes_is_told_once() -> None:
    statuses, told = ended("-m", "tests.training.ranks.failing", "other facts")
    assert statuses == [2, 2]
    assert ours(told) == [
        "ValueError: the data set of process 1 differs from that of process 0; "
        "copy one to all machines"
    ]


@needs_gloo
def test_a_process_that_is_killed_is_missed() -> None:
    statuses, told = ended("-m", "tests.training.ranks.failing", "kill")
    assert statuses == [2, -signal.SIGKILL]
    (line,) = ours(told)
    assert line.startswith("ConnectionError: process 0 lost the others")


def test_several_processes_must_know_which_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.delenv("RANK", raising=False)
    refusal = "RANK is not set; start several processes by: torchrun"
    with pytest.raises(ValueError, match=refusal), joined():
        pass


def test_one_process_of_torchrun_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Place.read({"RANK": "0", "WORLD_SIZE": "1"}) is None
    monkeypatch.setenv("WORLD_SIZE", "1")
    with joined() as world:
        assert world.size == 1


def test_a_bucketed_order_depends_on_the_batches_of_all_processes() -> None:
    Share(2, 1, 4).require_to_follow(Share(1, 2, 4))
    with pytest.raises(ValueError, match="8 a step"):
        Share(2, 1, 4).require_to_follow(Share(1, 2, 4), is_bucketed=True)


def test_as_many_processes_must_go_on_as_before() -> None:
    with pytest.raises(ValueError, match=r"training\.accumulation=2 and training\.batch_size=4"):
        Share(1, 1, 8).require_to_follow(Share(1, 2, 4))


@needs_gloo
@pytest.mark.slow
def test_a_user_sees_one_line(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    train = ("-m", "gradtruce", "train", "--config", "demo", "--output", str(tmp_path / "there"))
    statuses, told = ended(*train, "--data", str(tmp_path), seconds=200)
    assert statuses == [2, 2]
    first, line = ours(told)
    assert first in ("gradtruce: process 0 of 2 failed", "gradtruce: process 1 of 2 failed")
    assert "exists; resume it" in line or "is no prepared data set" in line
    assert [each.name for each in tmp_path.iterdir()] == ["there"]
