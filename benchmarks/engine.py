"""The engine beside its peers: time, memory and accuracy, as ratios in one run.

    python -m benchmarks.engine [--quick] [--tasks 2 3 4 8] [--seconds 90]

A model with a trunk of 20 M shared parameters, one report task and K − 1 classifiers. Every round
runs each way from the batch to `.grad` once, in a new random order; a ratio is the median over the
rounds of the ratio within a round, with a bootstrap interval of 95 %. Peak memory is VmHWM of a
process that does nothing else (`benchmarks/peaks.py`). Writes engine.json and engine.md. Measure on
an idle machine.
"""

import argparse
import json
import platform
import random
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import gradtruce as gt
from benchmarks.engine_report import report
from benchmarks.peaks import peaks
from benchmarks.trunk import SMALL, Model, Size, random_batch
from benchmarks.ways import BASE, FLOOR, OURS, RADIUS, SELDOM, WAYS, rows, ways_for
from gradtruce.gradients.balancer import Balancer, TaskStatistics
from gradtruce.gradients.combine import combine
from gradtruce.gradients.gramian import gramian

PACKAGES = ("torch", "torchjd", "cvxpy", "numpy", "scipy")


def seconds(call: Callable[[], object]) -> float:
    """Return how long a call takes."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def interval(values: list[float], draws: int = 2000) -> list[float]:
    """Return the median and the ends of its bootstrap interval of 95 %."""
    dice = random.Random(0)
    medians = sorted(statistics.median(dice.choices(values, k=len(values))) for _ in range(draws))
    return [statistics.median(values), medians[draws // 40], medians[-(draws // 40)]]


def whole_steps(size: Size, tasks: int, budget: float) -> dict[str, Any]:
    """Time every way from the batch to `.grad`, in shuffled rounds, until the budget is spent."""
    dice, times = random.Random(tasks), {name: [] for name in ways_for(tasks)}
    batch, running = random_batch(size, tasks), {}
    for name in times:
        torch.manual_seed(0)
        model = Model(size, tasks)
        running[name] = model, WAYS[name](model)
    start = time.perf_counter()
    for number in range(1000):
        if number > 3 and time.perf_counter() - start > budget:
            break
        for name in dice.sample(list(times), len(times)):
            model, step = running[name]
            model.zero_grad()
            spent = seconds(lambda step=step: step(batch)) / (4 if name == SELDOM else 1)
            model.zero_grad()
            if number:  # the first round warms up
                times[name].append(spent)
    return {
        "rounds": len(times[BASE]),
        "milliseconds": {name: 1e3 * statistics.median(values) for name, values in times.items()},
        "of_floor": ratios(times, FLOOR),
        "of_linear": ratios(times, BASE),
        "of_ours": ratios(times, OURS),
    }


def ratios(times: dict[str, list[float]], base: str) -> dict[str, list[float]]:
    """Return, for every way, its time in units of another's of the same round."""
    return {
        name: interval([t / unit for t, unit in zip(values, times[base], strict=True)])
        for name, values in times.items()
    }


@contextmanager
def backward_clock() -> Iterator[list[float]]:
    """Collect how long every call of `torch.autograd.backward` takes."""
    spent: list[float] = []
    original = torch.autograd.backward

    def timed(*arguments: Any, **options: Any) -> None:
        start = time.perf_counter()
        original(*arguments, **options)
        spent.append(time.perf_counter() - start)

    torch.autograd.backward = timed
    try:
        yield spent
    finally:
        torch.autograd.backward = original


def parts(size: Size, tasks: int, repeats: int) -> dict[str, Any]:
    """Time the parts of a step, and compare the engine's update with Jᵀa in float64.

    "rest" is all that `TaskGradients.backward` does outside the backward passes. Gramian, solve and
    combination are those of the engine, run on the rows of the same batch.
    """
    torch.manual_seed(0)
    model, batch = Model(size, tasks), random_batch(size, tasks)
    shared, names = list(model.trunk.parameters()), [f"task {k}" for k in range(tasks)]
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-9, foreach=True)
    gradients = gt.TaskGradients(model, gt.CAGrad(RADIUS), tasks=names)
    times: dict[str, list[float]] = defaultdict(list)
    error = 0.0
    for number in range(repeats + 2):  # two to warm up
        model.zero_grad()
        losses = dict(zip(names, model(batch)[1], strict=True))
        with backward_clock() as passes:
            start = time.perf_counter()
            record = gradients.backward(losses)
            whole = time.perf_counter() - start
        found = [parameter.grad for parameter in shared]
        model.zero_grad()
        kept = list(rows(shared, model(batch)[1]))
        wanted = exact(kept, record.coefficients)
        error = max(error, distance(found, wanted))
        for parameter, gradient in zip(shared, found, strict=True):
            parameter.grad = gradient
        spent = pieces(kept) | {"backward": sum(passes), "rest": whole - sum(passes)}
        spent["adamw"] = seconds(optimizer.step)
        for name, value in spent.items():
            if number > 1:
                times[name].append(value)
    times["added"] = [
        sum(t) for t in zip(*(times[n] for n in ("gramian", "solve", "combine")), strict=True)
    ]
    return {
        "milliseconds": {name: 1e3 * statistics.median(values) for name, values in times.items()},
        "share": ratios(times, "backward")["added"],
        "rest_share": ratios(times, "backward")["rest"],
        "of_adamw": ratios(times, "adamw")["added"],
        "error": error,
    }


def pieces(kept: list[list[Tensor]]) -> dict[str, float]:
    """Time Gramian, solve and combination, which writes into the first row."""
    start = time.perf_counter()
    G = gramian(kept, device=torch.device("cpu"))
    measured = time.perf_counter()
    a = gt.CAGrad(RADIUS).coefficients(TaskStatistics(G))
    solved = time.perf_counter()
    for column in zip(*kept, strict=True):
        combine(list(column), a)
    combined = time.perf_counter()
    return {"gramian": measured - start, "solve": solved - measured, "combine": combined - solved}


def exact(task_rows: list[list[Tensor]], a: Tensor) -> list[Tensor]:
    """Return Jᵀa in float64."""
    return [
        torch.stack([a[k] * row.double() for k, row in enumerate(column)]).sum(0)
        for column in zip(*task_rows, strict=True)
    ]


def distance(update: list[Tensor | None], wanted: list[Tensor]) -> float:
    """Return ‖update − wanted‖/‖wanted‖."""
    pairs = [(u.double(), w) for u, w in zip(update, wanted, strict=True) if u is not None]
    squares = sum(float((u - w).square().sum()) for u, w in pairs)
    return float((squares / sum(float(w.square().sum()) for _, w in pairs)) ** 0.5)


def coefficient_times(repeats: int) -> dict[str, dict[str, float]]:
    """Return the median milliseconds of the coefficients, by balancer and number of tasks."""
    balancers: dict[str, Balancer] = {
        "CAMEGrad": gt.CAMEGrad(),
        "CAGrad": gt.CAGrad(),
        "MGDA": gt.MGDA(),
        "UPGrad": gt.UPGrad(),
    }
    found: dict[str, dict[str, float]] = {name: {} for name in balancers}
    for tasks in range(2, 7):
        J = torch.randn(tasks, tasks + 2, dtype=torch.float64)
        step = TaskStatistics(J @ J.T)
        for name, balancer in balancers.items():
            solve = partial(balancer.coefficients, step)
            found[name][str(tasks)] = 1e3 * statistics.median(
                [seconds(solve) for _ in range(repeats)]
            )
    return found


def machine() -> dict[str, Any]:
    """Return what the numbers depend on."""
    cpus = [
        line.split(":", 1)[1].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    return {
        "processor": cpus[0] if cpus else platform.processor(),
        "cores": len(cpus),
        "threads": torch.get_num_threads(),
        "allocator": f"{' '.join(platform.libc_ver())}, as it comes",
        "python": platform.python_version(),
        "versions": {name: version(name) for name in PACKAGES} | {"gradtruce": gt.__version__},
    }


def measure(options: argparse.Namespace, size: Size) -> dict[str, Any]:
    """Run everything."""
    model = Model(size, 2)
    shared = sum(parameter.numel() for parameter in model.trunk.parameters())
    result: dict[str, Any] = {
        "schema": 1,
        "command": " ".join(["python -m benchmarks.engine", *sys.argv[1:]]),
        "is_quick": options.quick,
        "machine": machine(),
        "size": size._asdict() | {"shared_parameters": shared, "shared_mib": shared * 4 / 2**20},
        "coefficients_ms": coefficient_times(5 if options.quick else 200),
        "parts": {},
        "steps": {},
    }
    del model
    for tasks in options.tasks:
        print(f"K = {tasks}", file=sys.stderr)
        result["parts"][str(tasks)] = parts(size, tasks, 2 if options.quick else 5)
        result["steps"][str(tasks)] = whole_steps(size, tasks, options.seconds)
    result["peak_mib"] = peaks(options.tasks, is_quick=options.quick)
    return result


def main() -> None:
    """Measure and write the two files, or answer a parent that asks for a peak."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--tasks", type=int, nargs="+", default=[2, 3, 4, 8])
    parser.add_argument("--seconds", type=float, default=90.0, help="of whole steps, for each K")
    parser.add_argument("--quick", action="store_true", help="a tiny model, for tests")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    torch.set_num_threads(1)
    size = SMALL if options.quick else Size()
    if options.quick:
        options.seconds = 0.0
    result = measure(options, size)
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "engine.json").write_text(json.dumps(result, indent=1) + "\n")
    (options.output / "engine.md").write_text(report(result))
    print(report(result))


if __name__ == "__main__":
    main()
