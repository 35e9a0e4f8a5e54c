"""Train in processes that are killed at random moments, until a run is through.

`python -m tests.training.killed_runs FOLDER KILLS SEED [own] < config.toml` trains once undisturbed
and then again and again, until that many processes were killed and the last run was left to end;
it prints what differs. Each process is a fork of this one, or, with `own`, one of its own.
"""

import os
import random
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from pathlib import Path

import torch

from gradtruce.training.config import RunConfig
from gradtruce.training.loop import train
from tests.training.same_runs import differences

PATIENCE = 600.0


class Start:
    """Starts trainings, each in a process."""

    def __init__(self, table: bytes, *, own: bool) -> None:
        self._table, self._own = table, own
        self._config = RunConfig.model_validate(tomllib.loads(table.decode()))

    def __call__(self, folder: Path) -> int:
        if self._own:
            command = [sys.executable, "-m", "gradtruce.training", str(folder), "--resume"]
            process = subprocess.Popen(command, stdin=subprocess.PIPE)
            assert process.stdin is not None
            process.stdin.write(self._table)
            process.stdin.close()
            return process.pid
        child = os.fork()
        if child == 0:
            status = 1
            try:
                train(self._config, folder, resume=folder.exists())
                status = 0
            finally:
                os._exit(status)
        return child


def lines_of(folder: Path) -> int:
    path = folder / "log.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def moment(draws: random.Random, folder: Path, last: bool) -> Callable[[], bool]:
    """Return what tells when the process is to be killed.

    At some line of the log, or while a checkpoint is written, or some time after the start; the
    last ones once the training is over: while reports are generated, or scored.
    """
    start, end = lines_of(folder), time.monotonic() + draws.uniform(0.0, 1.0)
    delay, more = draws.uniform(0.0, 0.02), draws.randint(1, 3)
    checkpoints = folder / "checkpoints"

    def at_lines() -> bool:
        return lines_of(folder) >= start + more

    def in_checkpoint() -> bool:
        return any(checkpoints.glob(".step-*.partial")) or any(checkpoints.glob("*/.*"))

    def after_time() -> bool:
        return time.monotonic() > end

    def in_generation() -> bool:
        return b'"kind": "generation"' in (folder / "log.jsonl").read_bytes()

    def in_scoring() -> bool:
        return (folder / "predictions.jsonl").exists()

    chosen = draws.choice(
        [in_generation, in_scoring]
        if last
        else [at_lines, in_checkpoint, in_checkpoint, after_time]
    )

    def is_now() -> bool:
        if not chosen():
            return False
        time.sleep(delay)
        return True

    return is_now


def is_killed(start: Start, folder: Path, when: Callable[[], bool] | None) -> bool:
    """Train; return whether the process was killed, and not through before."""
    process = start(folder)
    until = time.monotonic() + PATIENCE
    while True:
        done, status = os.waitpid(process, os.WNOHANG if when else 0)
        if done:
            if os.WIFSIGNALED(status) or os.WEXITSTATUS(status) != 0:
                raise RuntimeError(f"the training ended with status {status}, and was not killed")
            return False
        if time.monotonic() > until:
            os.kill(process, signal.SIGKILL)
            raise RuntimeError("the training does not end")
        if when is not None and when():
            os.kill(process, signal.SIGKILL)
            return os.WIFSIGNALED(os.waitpid(process, 0)[1])
        time.sleep(0.001)


def main() -> None:
    folder, kills, draws = Path(sys.argv[1]), int(sys.argv[2]), random.Random(int(sys.argv[3]))
    torch.set_num_threads(1)
    start = Start(sys.stdin.buffer.read(), own=sys.argv[4:] == ["own"])
    is_killed(start, folder / "whole", None)
    killed = runs = 0
    found: list[str] = []
    while killed < kills or runs == 0:
        run = folder / f"run-{runs}"
        while killed < kills:
            is_last = kills - killed <= 1 + kills // 10
            if not is_killed(start, run, moment(draws, run, is_last)):
                break
            killed += 1
        is_killed(start, run, None)
        found += [f"{run.name}: {each}" for each in differences(folder / "whole", run)]
        runs += 1
    sys.stdout.write(f"{killed} kills, {runs} runs\n" + "".join(f"{each}\n" for each in found))


if __name__ == "__main__":
    main()
