"""Two processes never train in one run folder."""

import errno
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import tomli_w
import torch.distributed as dist

from gradtruce.locks import Lock
from gradtruce.study.running.training_process import train_or_resume
from gradtruce.training.alone import training_alone
from gradtruce.training.config import RunConfig
from gradtruce.training.loop import train
from gradtruce.training.progress import Progress
from gradtruce.training.runlog import read_log
from tests.training.test_loop import Interrupt, interrupt_at
from tests.training.test_world_errors import ended, ours

Config = Callable[..., RunConfig]
REFUSAL = r"^process \d+ on .+ trains in .*run; wait for it, end it, or give another folder$"


def test_a_run_that_is_trained_is_refused_to_all_others(
    tiny_config: Config, tmp_path: Path
) -> None:
    config, folder = tiny_config(), tmp_path / "run"
    refused = []

    def second(progress: Progress) -> None:
        if progress.done != 3:
            return
        for start in (train_or_resume, train, lambda *of: train(*of, resume=True)):
            with pytest.raises(BlockingIOError, match=REFUSAL):
                start(config, folder)
            refused.append(start)

    train(config, folder, progress=second)
    assert len(refused) == 3
    assert (folder / "metrics.json").is_file()
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_folder_is_refused_before_it_is_made(tiny_config: Config, tmp_path: Path) -> None:
    with training_alone(tmp_path / "run"), pytest.raises(BlockingIOError, match=REFUSAL):
        train(tiny_config(), tmp_path / "run")
    assert not list(tmp_path.iterdir())


def test_two_names_of_a_folder_are_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "named").symlink_to("run")
    monkeypatch.chdir(tmp_path / "run")
    with (
        training_alone(Path()),
        pytest.raises(BlockingIOError),
        training_alone(Path("../named")),
    ):
        pass


def test_a_study_does_not_clear_a_folder_that_is_trained(
    tiny_config: Config, tmp_path: Path
) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.toml").touch()
    with training_alone(tmp_path / "run"), pytest.raises(BlockingIOError):
        train_or_resume(tiny_config(), tmp_path / "run")
    assert (tmp_path / "run" / "config.toml").is_file()


@pytest.mark.slow
def test_a_run_whose_process_was_killed_goes_on_at_once(
    tiny_config: Config, tmp_path: Path
) -> None:
    config, folder = tiny_config(data={"workers": 1}), tmp_path / "run"
    table = tomli_w.dumps(config.model_dump(mode="json", exclude_none=True)).encode()
    code = (
        "import os, signal, sys, tomllib\n"
        "from gradtruce.training.config import RunConfig\n"
        "from gradtruce.training.loop import train\n"
        "def stop(now):\n"
        "    if now.phase == 'training' and now.done == 3:\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "table = tomllib.loads(sys.stdin.read())\n"
        "train(RunConfig.model_validate(table), Path(sys.argv[1]), progress=stop)\n"
    )
    command = [sys.executable, "-c", f"from pathlib import Path\n{code}", str(folder)]
    done = subprocess.run(command, input=table, check=False, timeout=200)
    assert done.returncode == -signal.SIGKILL
    assert train(config, folder, resume=True).steps == 4
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_stopped_training_lets_go(tiny_config: Config, tmp_path: Path) -> None:
    with pytest.raises(Interrupt):
        train(tiny_config(), tmp_path / "deep" / "run", progress=interrupt_at(1))
    with training_alone(tmp_path / "deep" / "run"):
        pass
    with pytest.raises(FileNotFoundError, match="gradtruce prepare"):
        train(tiny_config(data={"path": "none"}), tmp_path / "other" / "run")
    assert [path.name for path in tmp_path.iterdir()] == ["deep"]


def test_a_file_system_without_locks_is_told_of(
    tiny_config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", none)
    with pytest.raises(OSError, match="No locks available"):
        Lock.take(tmp_path / "lock")
    (tmp_path / "lock").unlink()
    train(tiny_config(steps=1, null_every=0), tmp_path / "run")
    (note,) = read_log(tmp_path / "run" / "log.jsonl", "note")
    assert "has no locks on files; see to it that nothing else trains in" in note["text"]
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


@pytest.mark.slow
@pytest.mark.skipif(
    not dist.is_available() or not dist.is_gloo_available(), reason="torch has no gloo"
)
def test_of_several_processes_the_first_holds_the_folder(tmp_path: Path) -> None:
    command = ("-m", "gradtruce", "train", "--config", "demo", "--data", str(tmp_path))
    with training_alone(tmp_path / "run"):
        statuses, told = ended(*command, "--output", str(tmp_path / "run"), seconds=200)
    assert statuses == [2, 2]
    _, line = ours(told)
    assert "trains in" in line or "is no prepared data set" in line
