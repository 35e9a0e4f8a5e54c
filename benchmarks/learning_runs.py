"""What the learning benchmark trains, each run by the command line, with the time that it took."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, final

from benchmarks.evaluation import processor
from gradtruce.study.machine import machine
from gradtruce.training.config_file import load_config, with_absolute_paths

SetName = Literal["phantom", "iu-text"]
BalancerName = Literal["linear", "came_grad"]

COMMAND: Final = (sys.executable, "-c", "from gradtruce.cli import main; main()")
"""What a user types as `gradtruce`."""

SIZE: Final = 96
"""Height and width of all images, in pixels."""

PRESETS: Final = {
    "r2gen": "demo",
    "r2gen_cmn": "r2gen_cmn-demo",
    "wcl": "wcl-demo",
    "xpronet": "xpronet-demo",
    "camanet": "camanet-demo",
    "promptmrg": "promptmrg-demo",
    "ddatr": "ddatr-demo",
}
"""Training preset of every method."""

BALANCERS: Final[dict[BalancerName, list[str]]] = {
    "linear": ["balance.name=linear"],
    "came_grad": [
        "balance.name=came_grad",
        "balance.options={ radius = 0.5, gain = 1.5, fusion = 0.2 }",
    ],
}
"""Settings of every balancer: those of the study `demo`."""

ALIKE: Final = (
    "balance.diagnostics=false",
    "training.seed=0",
    "training.null_every=0",
    "training.validation.studies=128",
    "training.decoding.beams=1",
)
"""Settings of every run, so that runs differ in what the table names and in nothing else."""

TIMES: Final = "times.json"
"""File in a run folder: command, seconds, load, machine. It is written last."""

MACHINE: Final = "machine"
"""Its entry that says on what, and with which versions, the run was made."""


@final
@dataclass(frozen=True)
class Case:
    """One run of the benchmark.

    Attributes:
        data: Which set it is trained on.
        method: Name of the method, which chooses the preset.
        balancer: How its tasks are balanced.
        steps: Optimizer steps.

    >>> Case("phantom", "wcl", "linear", 900).name
    'phantom-wcl-linear'
    """

    data: SetName
    method: str
    balancer: BalancerName
    steps: int

    @property
    def name(self) -> str:
        """Return the name of its run folder."""
        return f"{self.data}-{self.method}-{self.balancer}"

    def settings(self, data: Path) -> list[str]:
        """Return what is laid over the preset.

        Args:
            data: Folder of the prepared set; `made_of` says which files lie beside it.
        """
        needed = made_of(data).get(self.method, (None, ""))[1]
        return [
            f"data.path='{data.absolute()}'",
            *([needed] if needed else []),
            *BALANCERS[self.balancer],
            *ALIKE,
            f"training.steps={self.steps}",
            f"training.validation.every={max(1, self.steps // 4)}",
        ]


def made_of(data: Path) -> dict[str, tuple[list[str], str]]:
    """Return, for methods that need it, the command that makes a file of a set, and its setting."""
    clusters, prototypes = data.with_suffix(".clusters.json"), data.with_suffix(".safetensors")
    bank = data.with_suffix(".retrieval.safetensors")
    return {
        "wcl": (
            ["build", "clusters", str(data), "--output", str(clusters)],
            f"data.clusters='{clusters.absolute()}'",
        ),
        "xpronet": (
            [
                *("build", "prototypes", str(data), "--output", str(prototypes)),
                *("--preset", "xpronet-tiny", "--size", str(SIZE)),
            ],
            f"method.start_from=['{prototypes.absolute()}']",
        ),
        "promptmrg": (
            ["build", "retrieval", str(data), "--output", str(bank), "--width", "64"],
            f"data.retrieval='{bank.absolute()}'",
        ),
    }


def gradtruce(*arguments: str) -> None:
    """Run a command of ours with one thread, and show what it prints.

    Raises:
        ChildProcessError: If it fails.
    """
    done = subprocess.run([*COMMAND, *arguments], env=_one_thread(), check=False)
    if done.returncode:
        raise ChildProcessError(f"gradtruce {arguments[0]} ended with status {done.returncode}")


def make_needed(cases: Sequence[Case], data: Path) -> None:
    """Build clusters, prototypes and bank of a set, where a case needs them and lacks them."""
    for method, (command, _) in made_of(data).items():
        output = Path(command[command.index("--output") + 1])
        if any(case.method == method for case in cases) and not output.exists():
            gradtruce(*command)


def is_finished(case: Case, data: Path, folder: Path) -> bool:
    """Return whether a run folder holds this case, trained to the end with today's presets."""
    if not (folder / TIMES).is_file():
        return False
    wanted = load_config(PRESETS[case.method], case.settings(data))
    found = load_config(folder / "config.toml")
    return with_absolute_paths(found) == with_absolute_paths(wanted)


def run_case(case: Case, data: Path, folder: Path) -> None:
    """Train, generate and score one case, unless it is finished; half a run begins anew.

    Raises:
        ChildProcessError: If the training fails, with the end of what it said.
    """
    if is_finished(case, data, folder):
        return
    if folder.exists():
        shutil.rmtree(folder)
    arguments = ["train", "--config", PRESETS[case.method], "--output", str(folder)]
    arguments += [word for setting in case.settings(data) for word in ("--set", setting)]
    log = folder.with_suffix(".log")
    load, start = os.getloadavg()[0], time.perf_counter()
    with log.open("wb") as said:
        process = subprocess.Popen(
            [*COMMAND, *arguments], stdout=said, stderr=subprocess.STDOUT, env=_one_thread()
        )
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        raise ChildProcessError(f"{case.name}: {lines[-1] if lines else 'it said nothing'} ({log})")
    times: dict[str, Any] = {
        "command": ["gradtruce", *arguments],
        "wall_seconds": time.perf_counter() - start,
        "processor_seconds": usage.ru_utime + usage.ru_stime,
        "load_before": load,
        MACHINE: this_machine(),
    }
    (folder / TIMES).write_text(json.dumps(times, indent=1) + "\n", encoding="utf-8")


def run_cases(
    cases: Sequence[Case],
    sets: dict[SetName, Path],
    folder: Path,
    *,
    workers: int,
    finished: Callable[[], None],
) -> None:
    """Run all cases, at most `workers` at a time, in their order.

    Args:
        cases: What is run.
        sets: Folder of every prepared set.
        folder: Holds a run folder a case.
        workers: Most trainings at a time, each with one thread.
        finished: Called after each run.

    Raises:
        ChildProcessError: If a training fails; those that run meanwhile go on to their end.
    """
    with ThreadPoolExecutor(workers) as pool:
        running = [
            pool.submit(run_case, case, sets[case.data], folder / case.name) for case in cases
        ]
        try:
            for each in running:
                each.result()
                finished()
        finally:
            pool.shutdown(cancel_futures=True)


def this_machine() -> str:
    """Return processor, cores and the versions that matter."""
    told = machine()
    names = ("gradtruce", "torch", "transformers", "python")
    versions = ", ".join(f"{name} {told[name]}" for name in names)
    return f"{processor()}, {os.cpu_count()} cores; {versions}"


def _one_thread() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1"}
