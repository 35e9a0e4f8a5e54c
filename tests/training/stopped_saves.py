"""Kill a process at every line that it runs while it saves a checkpoint, or looks for one.

`python -m tests.training.stopped_saves FOLDER TASK STRIDE` prints, for every line (of STRIDE), from
which step a run would go on. Each process is a fork of this one, which has torch and no threads.
A line of the traced modules makes one call to the system at most, so no state between two calls is
left out; what is between two writes of one file is told by the test of damage.
"""

import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import torch

from gradtruce import manifest
from gradtruce.manifest import Manifest, damage
from gradtruce.methods.weights.saved_method import TRAINER_FILE
from gradtruce.training import checkpoint, links
from gradtruce.training.checkpoint import Checkpoints, Found

TRACED = {module.__file__ for module in (checkpoint, links, manifest, shutil)}


def save(folder: Path, step: int, best_step: int) -> None:
    def write(to: Path) -> None:
        (to / "weights").write_text(f"weights of step {step}", encoding="utf-8")

    state = {"step": step, "values": torch.full((4,), float(step))}
    Checkpoints(folder).save([write], state, step=step, best_step=best_step)


def begin(folder: Path, *, is_damaged: bool = False) -> None:
    """Make a folder in which 1 is the best of 2 and 3; damaged, 4 is after them, and cut."""
    for step in (1, 2, 3):
        save(folder, step, 1)
    if is_damaged:
        save(folder, 4, 4)
        os.truncate(folder / "step-00000004" / "weights", 3)
        (folder / ".step-00000005.partial").mkdir()


def save_as_best(folder: Path) -> None:
    save(folder, 4, 4)


def save_another(folder: Path) -> None:
    save(folder, 4, 1)


def look_for_newest(folder: Path) -> None:
    Checkpoints(folder).newest()


TASKS: dict[str, Callable[[Path], None]] = {
    "best": save_as_best,
    "another": save_another,
    "newest": look_for_newest,
}


def kill_at(number: int) -> None:
    """Let this process be killed before a line, counted over the traced modules."""
    left = number

    def on_line(_frame: FrameType, event: str, _argument: Any) -> Any:
        nonlocal left
        if event == "line":
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return on_line

    def on_call(frame: FrameType, _event: str, _argument: Any) -> Any:
        return on_line if frame.f_code.co_filename in TRACED else None

    sys.settrace(on_call)


def is_killed(folder: Path, task: Callable[[Path], None], number: int) -> bool:
    child = os.fork()
    if child == 0:
        kill_at(number)
        task(folder)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    if not os.WIFSIGNALED(status) and os.WEXITSTATUS(status) != 0:
        raise RuntimeError(f"it failed, and was not killed: status {status}")
    return os.WIFSIGNALED(status)


def content(folder: Path) -> dict[str, Any]:
    """Return what every folder holds, and where the names lead."""
    return {
        path.name: path.readlink()
        if path.is_symlink()
        else (Manifest.read(path), sorted(file.name for file in path.iterdir()))
        for path in folder.iterdir()
    }


def go_on(folder: Path) -> Found:
    """Return what a run would go on from, after checking that it is as it was saved."""
    found = Checkpoints(folder).newest()
    if found is None or not bool((found.state["values"] == found.state["step"]).all()):
        raise AssertionError("no checkpoint, or one with other values")
    if (folder / "last").resolve() != found.folder.resolve():
        raise AssertionError("last is not the newest")
    for name in ("best", "last"):
        if reason := damage(folder / name, without=(TRAINER_FILE,)):
            raise AssertionError(f"{name} is not whole: {reason}")
    return found


def main() -> None:
    folder, name, stride = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    task, start, whole = TASKS[name], folder / "start", folder / "whole"
    begin(start, is_damaged=name == "newest")
    shutil.copytree(start, whole, symlinks=True)
    task(whole)
    steps: list[int] = []
    number = 1
    while True:
        now = folder / f"now-{number}"
        shutil.copytree(start, now, symlinks=True)
        if not is_killed(now, task, number):
            break
        for each in ("best", "last"):
            if name != "newest" and damage(now / each, without=(TRAINER_FILE,)):
                raise AssertionError(f"line {number}: {each} is not whole")
        steps.append(int(go_on(now).state["step"]))
        if steps[-1] == 3 and name != "newest":
            task(now)
        if content(now) != content(whole):
            raise AssertionError(f"line {number}: not as without a stop")
        shutil.rmtree(now)
        number += stride
    sys.stdout.write(" ".join(map(str, steps)) + "\n")


if __name__ == "__main__":
    main()
