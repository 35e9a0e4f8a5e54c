"""Peak memory of every way, each in a process that does nothing else.

    python -m benchmarks.peaks SHARE [--quick] --tasks 2 4

is one of two such processes: it loads the code of all ways once, then forks for each of its share
of the cases and prints a line of JSON for each. Called by the engine's benchmark, with the
allocator told to give every tensor above 64 KiB back to the system once it is freed: what is
measured is memory in use, and the same in every run.
"""

import argparse
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch

from benchmarks.trunk import SMALL, Model, Size, random_batch
from benchmarks.ways import SELDOM, WAYS, engine, ways_for

PROCESSES = 2
GIVES_BACK = {"MALLOC_MMAP_THRESHOLD_": "65536"}


def peaks(tasks: list[int], *, is_quick: bool) -> dict[str, dict[str, float]]:
    """Return the peak in MiB by number of tasks and way."""

    def child(share: int) -> list[str]:
        command = [
            sys.executable,
            "-m",
            "benchmarks.peaks",
            str(share),
            "--tasks",
            *map(str, tasks),
        ]
        command += ["--quick"] if is_quick else []
        printed = subprocess.run(
            command, check=True, stdout=subprocess.PIPE, text=True, env=os.environ | GIVES_BACK
        ).stdout
        return printed.splitlines()

    with ThreadPoolExecutor(PROCESSES) as pool:
        lines = [json.loads(line) for found in pool.map(child, range(PROCESSES)) for line in found]
    found = {(count, name): mib for count, name, mib in lines}
    return {str(count): {name: found[count, name] for name in ways_for(count)} for count in tasks}


def peak(size: Size, tasks: int, name: str) -> float:
    """Run two steps of one way; return the peak memory of this process in MiB (VmHWM)."""
    torch.manual_seed(0)
    model, batch = Model(size, tasks), random_batch(size, tasks)
    step = engine(model, every=4) if name == SELDOM else WAYS[name](model)
    for _ in range(2):
        step(batch)
        model.zero_grad()
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024


def forked(size: Size, tasks: int, name: str) -> None:
    """Print the peak of a fork of this process."""
    sys.stdout.flush()
    if fork := os.fork():
        _, status = os.waitpid(fork, 0)
        if status:
            raise RuntimeError(f"{name} with {tasks} tasks ended with status {status}")
        return
    print(json.dumps([tasks, name, peak(size, tasks, name)]), flush=True)
    os._exit(0)


def main() -> None:
    """Load the code of all ways by a tiny step of each, then fork for each case of a share."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("share", type=int)
    parser.add_argument("--tasks", type=int, nargs="+", required=True)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    for way in WAYS.values():
        way(Model(SMALL, 2))(random_batch(SMALL, 2))
    cases = [(tasks, name) for tasks in options.tasks for name in ways_for(tasks)]
    for tasks, name in cases[options.share :: PROCESSES]:
        forked(SMALL if options.quick else Size(), tasks, name)


if __name__ == "__main__":
    main()
