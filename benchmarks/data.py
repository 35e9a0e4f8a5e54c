"""What preparing and loading cost, as one page: benchmarks/results/data.md.

`OMP_NUM_THREADS=1 python -m benchmarks.data` runs `benchmarks/preparing.py` and
`benchmarks/data_loader.py`, each in processes of their own, and writes what they print, with
machine and versions. At full size it takes about half an hour; `--studies`, `--rows` and
`--phantoms` make it smaller, and the page says so.
"""

import argparse
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import PIL
import pyarrow as pa
import torch

import gradtruce
from benchmarks.evaluation import processor

_PAGE = Path(__file__).parent / "results" / "data.md"


def printed(module: str, *arguments: object) -> str:
    """Return what a benchmark prints."""
    command = [sys.executable, "-m", f"benchmarks.{module}", *map(str, arguments)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def machine() -> str:
    """Return machine, load and versions in one line."""
    versions = (
        f"Python {platform.python_version()}, torch {torch.__version__}, pillow {PIL.__version__}, "
        f"pyarrow {pa.__version__}, gradtruce {gradtruce.__version__}"
    )
    load = f"load {os.getloadavg()[0]:.1f} before the start"
    return f"{processor()}, {os.cpu_count()} cores, {load}; {versions}."


def page(command: str, parts: Sequence[tuple[str, str, str]], where: str) -> str:
    """Return the page: title, requirement and what was printed for each part."""
    lines = ["# What preparing and loading cost", "", f"Made by `{command}`. {where}", ""]
    for title, needed, text in parts:
        lines += [f"## {title}", "", f"Required: {needed}.", "", text, ""]
    return "\n".join(lines)


def main() -> None:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=100_000, help="to prepare")
    parser.add_argument("--rows", type=int, default=270_000, help="of the set to open")
    parser.add_argument("--phantoms", type=int, default=400, help="studies to load")
    parser.add_argument("--write", type=Path, default=_PAGE)
    options = parser.parse_args()
    where = machine()
    workers = os.cpu_count() or 1
    parts = [
        (
            "Preparing a tree of small studies",
            "90 % of the cores busy, at most 1 GiB a worker, over 100,000 studies",
            printed("preparing", "build", "--studies", options.studies, "--workers", workers),
        ),
        (
            "Opening a set",
            "2 s for 270,000 rows",
            printed("preparing", "open", "--studies", options.rows),
        ),
        (
            "Loading: from 256 px in a set to batches of 224 px",
            "400 images a second a core",
            printed("data_loader", "--studies", options.phantoms),
        ),
    ]
    sizes = f"--studies {options.studies} --rows {options.rows} --phantoms {options.phantoms}"
    command = f"OMP_NUM_THREADS=1 python -m benchmarks.data {sizes}"
    options.write.parent.mkdir(parents=True, exist_ok=True)
    options.write.write_text(page(command, parts, where), encoding="utf-8")
    print(f"written: {options.write}")


if __name__ == "__main__":
    main()
