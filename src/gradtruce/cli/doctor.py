"""`gradtruce doctor`: what this machine has, what is missing, and what to do about it."""

import importlib.metadata
import os
import platform
import shutil
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

import typer

import gradtruce

WANTED = {
    "gradtruce": ("torch", "jaxtyping"),
    "gradtruce[rrg]": (
        "transformers",
        "tokenizers",
        "datasets",
        "pyarrow",
        "safetensors",
        "pillow",
        "numpy",
        "scipy",
        "scikit-learn",
        "pydantic",
        "typer",
        "rich",
        "jinja2",
        "markupsafe",
        "tomli-w",
    ),
}
FREE_BYTES_WANTED = 1 << 30


@dataclass(frozen=True)
class Check:
    """One line of the report.

    Attributes:
        name: What was looked at.
        ready: Whether it serves.
        found: What was found, or what to do.
        needed: False where nothing in this version depends on it.
    """

    name: str
    ready: bool
    found: str
    needed: bool = True


def _packages() -> list[Check]:
    checks = []
    for extra, names in WANTED.items():
        for name in names:
            try:
                checks.append(Check(name, True, importlib.metadata.version(name)))
            except importlib.metadata.PackageNotFoundError:
                checks.append(Check(name, False, f'missing; run: pip install "{extra}"'))
    return checks


def _machine() -> list[Check]:
    import torch

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    free = shutil.disk_usage(Path.cwd()).free
    gpu = torch.cuda.is_available()
    return [
        Check("Python", sys.version_info >= (3, 11), platform.python_version()),
        Check("cores", True, str(cores)),
        Check("disk", free > FREE_BYTES_WANTED, f"{free / 1e9:.1f} GB free in this folder"),
        Check("GPU", gpu, torch.cuda.get_device_name() if gpu else "none; the CPU serves", False),
    ]


def _capabilities() -> list[Check]:
    return [*_metrics(), *_parallel(), *_precisions()]


def _parallel() -> list[Check]:
    """Return what training in several processes finds here."""
    import torch
    import torch.distributed as dist

    command = "torchrun --nproc-per-node N -m gradtruce train …"
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    gloo = dist.is_available() and dist.is_gloo_available()
    nccl = dist.is_available() and dist.is_nccl_available()
    lack = "this torch has no NCCL" if count else "no GPU"
    return [
        Check("training in processes (gloo)", gloo, command if gloo else "torch has none", False),
        Check(
            "training on several GPUs (NCCL)",
            nccl and count > 1,
            f"{count} here, and those of other machines; {command}" if nccl and count else lack,
            False,
        ),
    ]


def _precisions() -> list[Check]:
    """Return which of `training.precision` this machine computes in."""
    import torch

    from gradtruce.training.precision import require_precision

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    checks = []
    for precision in ("bf16", "fp16"):
        try:
            require_precision(precision, device)
        except ValueError as reason:
            checks.append(Check(f"training in {precision}", False, str(reason), False))
        else:
            checks.append(Check(f"training in {precision}", True, f"on {device.type}", False))
    return checks


def _metrics() -> list[Check]:
    from gradtruce.evaluation.readiness import readiness

    return [Check(each.metric, each.is_ready, each.reason, False) for each in readiness()]


def _line(start: str, found: str) -> str:
    """Return one line, or what was found below it where that is too long for the screen."""
    columns = shutil.get_terminal_size((100, 24)).columns
    if len(start) + len(found) <= columns:
        return start + found
    below = textwrap.fill(
        found, columns, initial_indent=" " * 6, subsequent_indent=" " * 6,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
    return f"{start.rstrip()}\n{below}"


def doctor() -> None:
    """Say what this machine has, what is missing, and what to do about it.

    Exit status 1 where something needed is missing.
    """
    checks = _packages()
    if all(check.ready for check in checks if check.name == "torch"):
        checks = _machine() + checks
        checks += _capabilities()
    print(f"gradtruce {gradtruce.__version__} on {platform.platform()}")
    width = max(len(check.name) for check in checks)
    for check in checks:
        mark = "ok" if check.ready else ("MISSING" if check.needed else "absent")
        print(_line(f"  {check.name:<{width}}  {mark:<7}  ", check.found))
    missing = [check.name for check in checks if check.needed and not check.ready]
    if missing:
        print(f"missing: {', '.join(missing)}")
        raise typer.Exit(1)
    print("all that this version needs is here")
