"""Checkpoints: whole after a stop at any moment, found to be damaged where they are."""

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from gradtruce.manifest import FILE, Manifest, damage, write_folder
from gradtruce.methods.weights.saved_method import TRAINER_FILE, require_whole
from gradtruce.training.checkpoint import Checkpoints, load_trainer
from tests.training.stopped_saves import begin, save

STEPS = "step-00000001", "step-00000002", "step-00000003"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def step_of(folder: Path) -> int:
    found = Checkpoints(folder).newest()
    assert found is not None
    return found.state["step"]


def fail(folder: Path) -> None:
    (folder / "half").write_text("half", encoding="utf-8")
    raise OSError(errno.ENOSPC, "No space left on device")


def fail_as_torch(_folder: Path) -> None:
    raise RuntimeError("PytorchStreamWriter failed writing file data/0")


def test_the_last_two_and_their_best_are_kept(tmp_path):
    begin(tmp_path)
    assert names(tmp_path) == ["best", "last", *STEPS]
    assert (tmp_path / "best").resolve().name == STEPS[0]
    assert (tmp_path / "last").resolve().name == STEPS[2]
    assert [(tmp_path / step / TRAINER_FILE).exists() for step in STEPS] == [False, True, True]
    save(tmp_path, 4, 3)
    save(tmp_path, 5, 3)
    assert names(tmp_path) == ["best", "last", STEPS[2], "step-00000004", "step-00000005"]


def test_before_the_first_validation_there_is_no_best(tmp_path):
    save(tmp_path, 1, 0)
    assert names(tmp_path) == ["last", STEPS[0]]
    save(tmp_path, 2, 2)
    os.truncate(tmp_path / STEPS[1] / "weights", 0)
    assert step_of(tmp_path) == 1
    assert names(tmp_path) == ["last", STEPS[0]]


def test_tensors_come_back_equal(tmp_path):
    state = {"optimizer": {"state": {0: {"exp_avg": torch.randn(3)}}}, "best": None}
    Checkpoints(tmp_path).save([], state, step=1, best_step=1)
    loaded = load_trainer(tmp_path / "last")
    kept = loaded["optimizer"]["state"][0]["exp_avg"]
    assert torch.equal(kept, state["optimizer"]["state"][0]["exp_avg"])


@pytest.mark.parametrize("write", [fail, fail_as_torch])
def test_a_full_disk_is_told_and_leaves_the_former_checkpoints_and_nothing_else(tmp_path, write):
    begin(tmp_path)
    with pytest.raises(OSError, match=r"step-00000004 could not be written \(.*free some space"):
        Checkpoints(tmp_path).save([write], {}, step=4, best_step=4)
    assert names(tmp_path) == ["best", "last", *STEPS]
    assert step_of(tmp_path) == 3


def test_a_disk_that_fills_up_while_torch_and_safetensors_write(tmp_path):
    """Let the kernel refuse to write files beyond a size, in a process of its own."""
    code = """
import resource, sys, pathlib, torch, safetensors.torch
from gradtruce.training.checkpoint import Checkpoints
checkpoints = Checkpoints(pathlib.Path(sys.argv[1]))
values = {"values": torch.zeros(100_000)}
for writers in [], [lambda to: safetensors.torch.save_file(values, to / "model.safetensors")]:
    for limit in 5_000, 200_000:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        try:
            checkpoints.save(writers, values, step=4, best_step=4)
        except OSError as error:
            print(error)
"""
    begin(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("step-00000004 could not be written") == 4
    assert names(tmp_path) == ["best", "last", *STEPS]
    assert step_of(tmp_path) == 3


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 2)


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("file", ["weights", TRAINER_FILE, FILE])
@pytest.mark.parametrize("harm", [cut, flip, Path.unlink])
def test_damage_of_any_file_is_found_and_the_one_before_is_used(
    tmp_path: Path, file: str, harm: Callable[[Path], None]
) -> None:
    begin(tmp_path)
    harm(tmp_path / STEPS[2] / file)
    found = Checkpoints(tmp_path).newest()
    assert found is not None
    assert found.state["step"] == 2
    assert len(found.damaged) == 1
    assert STEPS[2] in found.damaged[0]
    assert file in found.damaged[0]
    assert names(tmp_path) == ["best", "last", *STEPS[:2]]
    assert (tmp_path / "last").resolve().name == STEPS[1]


def test_every_byte_of_a_manifest_counts(tmp_path):
    write_folder(tmp_path / "one", [], step=3)
    path = tmp_path / "one" / FILE
    whole = path.read_bytes()
    for place, byte in enumerate(whole):
        path.write_bytes(whole[:place] + bytes([byte ^ 1]) + whole[place + 1 :])
        try:
            assert damage(tmp_path / "one") or Manifest.read(tmp_path / "one").facts == {"step": 3}
        except AssertionError:
            pytest.fail(f"byte {place} of the manifest")


def test_a_checkpoint_whose_best_is_damaged_is_not_gone_on_from(tmp_path):
    save(tmp_path, 1, 1)
    save(tmp_path, 2, 2)
    save(tmp_path, 3, 2)
    flip(tmp_path / STEPS[1] / "weights")
    with pytest.raises(ValueError, match=r"best is damaged: weights .*resume the run"):
        require_whole(tmp_path / "best")
    with pytest.raises(ValueError, match=r"no checkpoint is whole .*its best.*train again"):
        Checkpoints(tmp_path).newest()
    flip(tmp_path / STEPS[1] / "weights")
    require_whole(tmp_path / "best")


def test_without_a_checkpoint_there_is_none_to_go_on_from(tmp_path):
    assert Checkpoints(tmp_path).newest() is None


def test_checkpoints_of_an_older_version_are_told(tmp_path):
    (tmp_path / "last").mkdir()
    with pytest.raises(ValueError, match="of an older version"):
        Checkpoints(tmp_path).newest()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut", b"\x80\x02 no pickle"])
def test_a_damaged_trainer_file_is_named(tmp_path, content):
    (tmp_path / TRAINER_FILE).write_bytes(content)
    with pytest.raises(ValueError, match=r"trainer\.pt: damaged"):
        load_trainer(tmp_path)
    (tmp_path / TRAINER_FILE).unlink()
    with pytest.raises(FileNotFoundError, match=r"only `checkpoints/last` can be resumed"):
        load_trainer(tmp_path)


def test_without_links_the_names_are_copies(tmp_path, monkeypatch):
    def refuse(*_args: object, **_options: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "symlink", refuse)
    begin(tmp_path)
    assert names(tmp_path) == ["best", "last", *STEPS]
    for name, step in (("best", STEPS[0]), ("last", STEPS[2])):
        assert not (tmp_path / name).is_symlink()
        assert Manifest.read(tmp_path / name) == Manifest.read(tmp_path / step)
    assert names(tmp_path / "best") == [FILE, "weights"]
    flip(tmp_path / "last" / "weights")
    assert step_of(tmp_path) == 3
    assert not damage(tmp_path / "last", without=(TRAINER_FILE,))
    os.truncate(tmp_path / STEPS[2] / "weights", 0)
    assert step_of(tmp_path) == 2
    assert Manifest.read(tmp_path / "last") == Manifest.read(tmp_path / STEPS[1])


def test_all_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    """Power that fails keeps what was flushed; so files and folder are, and then their name."""
    calls: list[tuple[str, str]] = []
    fsync, rename = os.fsync, os.rename

    def note_fsync(handle: int) -> None:
        calls.append(("fsync", Path(f"/proc/self/fd/{handle}").resolve().name))
        fsync(handle)

    def note_rename(source: Path, target: Path) -> None:
        calls.append(("rename", Path(target).name))
        rename(source, target)

    if not Path("/proc/self/fd").is_dir():
        pytest.skip("the system does not tell the name of an open file")
    monkeypatch.setattr(os, "fsync", note_fsync)
    monkeypatch.setattr(os, "rename", note_rename)
    save(tmp_path, 1, 1)
    partial = f".{STEPS[0]}.partial"
    before = calls[: calls.index(("rename", STEPS[0]))]
    assert sorted(before[:2]) == [("fsync", TRAINER_FILE), ("fsync", "weights")]
    assert before[2:] == [("fsync", FILE), ("fsync", partial)]
    after = calls[len(before) + 1 :]
    assert after == [("fsync", tmp_path.name), ("fsync", tmp_path.name)]  # its name, the links


def stopped(folder: Path, task: str, stride: int) -> list[int]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.training.stopped_saves", str(folder), task, str(stride)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [int(step) for step in done.stdout.split()]


def test_a_kill_at_some_lines_of_saving_loses_nothing(tmp_path):
    steps = stopped(tmp_path, "best", 19)
    assert steps == sorted(steps)
    assert set(steps) == {3, 4}


@pytest.mark.slow
@pytest.mark.parametrize("task", ["best", "another"])
def test_a_kill_at_any_line_of_saving_loses_nothing(tmp_path, task):
    steps = stopped(tmp_path, task, 1)
    assert len(steps) > 200
    assert steps == sorted(steps)
    assert set(steps) == {3, 4}


@pytest.mark.slow
def test_a_kill_at_any_line_of_looking_for_a_checkpoint_loses_nothing(tmp_path):
    steps = stopped(tmp_path, "newest", 1)
    assert len(steps) > 100
    assert set(steps) == {3}


def test_a_colleague_may_read_what_the_system_lets_them(tmp_path):
    def closed(folder: Path) -> None:
        save_file({"weight": torch.ones(1)}, folder / "model.safetensors")  # closed to all others

    before = os.umask(0o027)
    try:
        write_folder(tmp_path / "saved", [closed])
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "saved").iterdir()}
    assert modes == {"model.safetensors": 0o640, FILE: 0o640}
