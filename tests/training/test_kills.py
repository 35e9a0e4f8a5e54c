"""Runs whose process was killed at random moments end as if it never had been."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from gradtruce.training.config import RunConfig
from gradtruce.training.loop import train
from gradtruce.training.runlog import read_log
from tests.training.same_runs import differences
from tests.training.test_loop import Interrupt, interrupt_at

resource = pytest.importorskip("resource")  # of Unix
Config = Callable[..., RunConfig]


def killed(config: RunConfig, folder: Path, kills: int, *options: str) -> str:
    """Train undisturbed, and again with kills; return how many, and what differs."""
    table = config.model_dump(mode="json", exclude_none=True)
    command = [sys.executable, "-m", "tests.training.killed_runs", str(folder), str(kills), "7"]
    done = subprocess.run(
        [*command, *options], input=tomli_w.dumps(table).encode(), capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def test_three_kills(tiny_config: Config, tmp_path: Path) -> None:
    config = tiny_config({"name": "famo"}, steps=9, checkpoint_every=1, validation={"every": 4})
    first, *differing = killed(config, tmp_path, 3).splitlines()
    assert first.startswith("3 kills")
    assert not differing


KINDS: dict[str, dict[str, Any]] = {
    "gradnorm": {"balance": {"name": "gradnorm"}, "checkpoint_every": 2},
    "rlw": {
        "balance": {"name": "rlw"},
        "data": {"augmentation": "crop", "workers": 2},
        "batch_size": 2,
        "accumulation": 2,
        "checkpoint_every": 1,
    },
    "at_validations": {"balance": {"name": "came_grad"}, "validation": {"every": 2}},
}


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kind", KINDS)
def test_twenty_kills(tiny_config: Config, tmp_path: Path, kind: str) -> None:
    config = tiny_config(**{"steps": 24, "validation": {"every": 3}, **KINDS[kind]})
    first, *differing = killed(config, tmp_path, 20).splitlines()
    assert first.startswith("20 kills")
    assert not differing


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_twenty_kills_of_the_command_itself(tiny_config: Config, tmp_path: Path) -> None:
    config = tiny_config({"name": "gradnorm"}, steps=24, checkpoint_every=1)
    first, *differing = killed(config, tmp_path, 20, "own").splitlines()
    assert first.startswith("20 kills")
    assert not differing


@contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """Let the kernel refuse to write files beyond a size, as a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_run_stopped_by_a_full_disk_says_so_and_goes_on(
    tiny_config: Config, tmp_path: Path
) -> None:
    config = tiny_config()
    train(config, tmp_path / "whole")
    with pytest.raises(Interrupt):
        train(config, tmp_path / "stopped", progress=interrupt_at(3))
    weights = tmp_path / "stopped" / "checkpoints" / "last" / "model.safetensors"
    with (
        files_up_to(weights.stat().st_size // 2),
        pytest.raises(OSError, match=r"step-00000004 could not be written .* free some space"),
    ):
        train(config, tmp_path / "stopped", resume=True)
    notes = list(read_log(tmp_path / "stopped" / "log.jsonl", "note"))
    assert "could not be written" in notes[-1]["text"]
    with (
        files_up_to((tmp_path / "stopped" / "log.jsonl").stat().st_size + 10),
        pytest.raises(OSError, match=r"could not be written .* free some space"),
    ):
        train(config, tmp_path / "stopped", resume=True)
    train(config, tmp_path / "stopped", resume=True)
    assert differences(tmp_path / "whole", tmp_path / "stopped") == []
