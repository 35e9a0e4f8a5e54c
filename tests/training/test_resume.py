"""A run that was stopped goes on to the bit: whatever trains, wherever it was stopped."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gradtruce.cli.app import run as run_command
from gradtruce.training import loop
from gradtruce.training.config import RunConfig
from gradtruce.training.loop import train
from gradtruce.training.progress import Progress
from gradtruce.training.runlog import read_log
from gradtruce.training.state import random_state, set_random_state
from tests.training.same_runs import differences
from tests.training.test_every_balancer import NAMES, balance
from tests.training.test_loop import Interrupt, interrupt_at

Config = Callable[..., RunConfig]


def stopped_at(config: RunConfig, folder: Path, *steps: int) -> None:
    """Train, stopped after each of some steps, and resumed each time."""
    for step in steps:
        with pytest.raises(Interrupt):
            train(config, folder, resume=folder.exists(), progress=interrupt_at(step))
    train(config, folder, resume=True)


def assert_same(config: RunConfig, folder: Path, *steps: int) -> None:
    train(config, folder / "whole")
    stopped_at(config, folder / "stopped", *steps)
    assert differences(folder / "whole", folder / "stopped") == []


@pytest.mark.parametrize("name", ["rlw", "famo", "rotograd"])
def test_a_balancer_with_a_state_goes_on(tiny_config: Config, tmp_path: Path, name: str) -> None:
    config = tiny_config({"name": name}, steps=5, checkpoint_every=1, null_every=0)
    assert_same(config, tmp_path, 2, 4)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_every_balancer_goes_on(tiny_config: Config, tmp_path: Path, name: str) -> None:
    config = tiny_config(balance(name), steps=7, checkpoint_every=1)
    assert_same(config, tmp_path, 2, 3, 6)


@pytest.mark.parametrize("workers", [0, 2])
def test_the_place_in_an_epoch_is_found_again(
    tiny_config: Config, tmp_path: Path, workers: int
) -> None:
    data = {"augmentation": "crop", "workers": workers, "bucket_by_length": True}
    config = tiny_config(
        {"name": "linear"},
        data,
        steps=7,
        batch_size=1,
        accumulation=3,
        checkpoint_every=1,
        null_every=0,
    )
    assert_same(config, tmp_path, 2, 6)  # 4 steps make an epoch


def test_images_before_the_place_are_not_read_again(
    tiny_config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gradtruce.data.loading.reader import Request, StudyReader  # noqa: PLC0415

    config = tiny_config(steps=6, batch_size=2, checkpoint_every=1, null_every=0)
    with pytest.raises(Interrupt):
        train(config, tmp_path / "run", progress=interrupt_at(5))
    read: list[int] = []
    original = StudyReader.read

    def count(self: StudyReader, request: Request) -> Any:
        if self._seed == config.training.seed and len(self._split) == 12:
            read.extend(request.rows)
        return original(self, request)

    monkeypatch.setattr(StudyReader, "read", count)
    train(config, tmp_path / "run", resume=True)
    assert len(read) == 4  # two steps of two: 5 and 6


def test_checkpoints_between_validations_change_nothing(
    tiny_config: Config, tmp_path: Path
) -> None:
    for name, every in (("without", None), ("with", 1)):
        train(tiny_config(checkpoint_every=every), tmp_path / name)
    found = differences(tmp_path / "without", tmp_path / "with")
    assert found == ["config.toml"]


def test_a_run_stopped_before_its_first_checkpoint_begins_anew(
    tiny_config: Config, tmp_path: Path
) -> None:
    config = tiny_config()
    assert_same(config, tmp_path, 1)
    notes = read_log(tmp_path / "stopped" / "log.jsonl", "note")
    assert next(notes)["text"].startswith("resumed from step 0: ")


def test_the_step_is_told_and_in_the_log(tiny_config: Config, tmp_path: Path) -> None:
    config = tiny_config()
    with pytest.raises(Interrupt):
        train(config, tmp_path / "run", progress=interrupt_at(3))
    told: list[Progress] = []
    train(config, tmp_path / "run", resume=True, progress=told.append)
    assert [each.note for each in told if each.note] == ["resumed from step 2"]
    assert [each.done for each in told if each.phase == "training"] == [2, 3, 4]
    notes = list(read_log(tmp_path / "run" / "log.jsonl", "note"))
    assert [(note["step"], note["text"]) for note in notes] == [(2, "resumed from step 2")]


def test_a_damaged_checkpoint_is_told_and_the_one_before_gives_the_same(
    tiny_config: Config, tmp_path: Path
) -> None:
    config = tiny_config(checkpoint_every=1)
    train(config, tmp_path / "whole")
    with pytest.raises(Interrupt):
        train(config, tmp_path / "stopped", progress=interrupt_at(4))
    weights = tmp_path / "stopped" / "checkpoints" / "last" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-5])
    train(config, tmp_path / "stopped", resume=True)
    assert differences(tmp_path / "whole", tmp_path / "stopped") == []
    notes = [line["text"] for line in read_log(tmp_path / "stopped" / "log.jsonl", "note")]
    assert len(notes) == 2
    assert "step-00000003: model.safetensors has" in notes[0]
    assert notes[1] == "resumed from step 2"


@pytest.mark.parametrize("phase", ["generating", "evaluating", "done"])
def test_a_run_stopped_after_its_training_is_not_trained_again(
    tiny_config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, phase: str
) -> None:
    config = tiny_config()
    train(config, tmp_path / "whole")

    def watch(progress: Progress) -> None:
        if progress.phase == phase:
            raise Interrupt

    def interrupt(*_: object) -> None:
        raise Interrupt

    with monkeypatch.context() as patched:
        if phase == "evaluating":
            patched.setattr(loop, "evaluate", interrupt)
        with pytest.raises(Interrupt):
            train(config, tmp_path / "stopped", progress=watch)
    told: list[Progress] = []
    train(config, tmp_path / "stopped", resume=True, progress=told.append)
    assert [each.note for each in told if each.phase == "training"] == ["resumed from step 4"]
    assert differences(tmp_path / "whole", tmp_path / "stopped") == []


def test_the_command_goes_on_and_tells_from_where(
    tiny_config: Config, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(Interrupt):
        train(tiny_config(), tmp_path / "run", progress=interrupt_at(3))
    assert run_command(["train", "--output", str(tmp_path / "run"), "--resume"]) == 0
    assert "resumed from step 2" in capsys.readouterr().err


def test_all_global_random_numbers_go_on() -> None:
    state = random_state()
    drawn = [torch.rand(3).tolist(), random.random(), np.random.standard_normal()]  # noqa: NPY002
    set_random_state(state)
    again = [torch.rand(3).tolist(), random.random(), np.random.standard_normal()]  # noqa: NPY002
    assert drawn == again
