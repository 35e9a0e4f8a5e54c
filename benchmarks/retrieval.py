"""What it costs to find the nearest reports in a bank as large as MIMIC-CXR's training split.

Run: OMP_NUM_THREADS=1 python -m benchmarks.retrieval [--write benchmarks/results/retrieval.md]

The bank is random, in a file, and mapped from there. Memory is what the process has for itself at
the most, beyond what it had before; pages of the file that the system can drop do not count. One in
four rows repeats another, as reports of normal studies do. A second, smaller bank is asked for the
neighbours of its whole training split, as a training does at its start: first, and again.
"""

import argparse
import multiprocessing
import platform
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import torch

from benchmarks.evaluation import processor
from gradtruce.data.retrieval.bank import RetrievalBank
from gradtruce.data.retrieval.bank_file import RetrievalFile
from gradtruce.data.retrieval.kept_search import KeptSearch
from gradtruce.data.retrieval.neighbours import Neighbours

MIMIC_CXR_TRAIN: Final = 270_790
WIDTH: Final = 512
SPLIT: Final = 20_000
"""Training studies of the second bank."""

NEIGHBOURS: Final = 21
REPEATED: Final = 4
POLL_SECONDS: Final = 0.002


def own_memory() -> int:
    """Return the memory of this process in kB that no file backs."""
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1])
    raise OSError("the memory of a process is known on Linux alone")


def measured(work: Callable[[], object]) -> tuple[object, float, float, float]:
    """Return what a piece of work gives, its seconds by clock and processor, and its MB."""
    before, highest, stop = own_memory(), [0], threading.Event()

    def watch() -> None:
        while not stop.is_set():
            highest[0] = max(highest[0], own_memory())
            time.sleep(POLL_SECONDS)

    watcher = threading.Thread(target=watch)
    watcher.start()
    clock, spent = time.perf_counter(), time.process_time()
    try:
        found = work()
    finally:
        clock, spent = time.perf_counter() - clock, time.process_time() - spent
        stop.set()
        watcher.join()
    return found, clock, spent, max(highest[0] - before, 0) / 1024


def write_bank(path: Path, rows: int, asking: int) -> None:
    """Write a bank of random directions, some of them more than once, and queries of the first."""
    torch.manual_seed(0)
    features = torch.nn.functional.normalize(torch.randn(rows, WIDTH), dim=1)
    queries = torch.nn.functional.normalize(features[:asking] + torch.randn(asking, WIDTH), dim=1)
    features[::REPEATED] = features[1].clone()
    ids = [f"s{row:08d}" for row in range(rows)]
    RetrievalFile(RetrievalBank(ids, features), tuple(ids[:asking]), queries, "random").write(path)


def made(path: Path, rows: int, asking: int) -> Path:
    """Write a bank in a process of its own, so that what making it takes is not counted."""
    maker = multiprocessing.get_context("spawn").Process(
        target=write_bank, args=(path, rows, asking)
    )
    maker.start()
    maker.join()
    return path


def table(path: Path) -> list[str]:
    """Return the lines of the table."""
    lines = ["| work | s by the clock | s of the processor | MB |", "|---|---|---|---|"]
    file, *costs = measured(lambda: RetrievalFile.read(path))
    assert isinstance(file, RetrievalFile)
    lines.append(_row("open the file, look at every row", *costs))
    for count in (1, 16, 256, 1024):
        queries = torch.randn(count, WIDTH)
        _, *costs = measured(lambda queries=queries: file.bank.nearest(queries, NEIGHBOURS))
        lines.append(_row(f"nearest {NEIGHBOURS} of {count:,}", *costs))
    return lines


def starts(path: Path) -> list[str]:
    """Return the lines on a training that starts, and one that starts again."""
    lines = []
    for name in ("first start", "each later start"):
        search = KeptSearch(path, RetrievalFile.read(path))
        studies = search.file.query_ids
        found, *costs = measured(
            lambda search=search, studies=studies: search.neighbours(studies, NEIGHBOURS)
        )
        assert isinstance(found, Neighbours)
        lines.append(_row(f"neighbours of {len(studies):,} studies, {name}", *costs))
    kept = sum(file.stat().st_size for file in path.parent.glob(f"{path.name}.*.npy"))
    return [
        *lines,
        "",
        f"The second bank has {SPLIT:,} reports; kept beside it: {kept / 1e6:.1f} MB.",
    ]


def _row(name: str, clock: float, spent: float, memory: float) -> str:
    return f"| {name} | {clock:.2f} | {spent:.2f} | {memory:.0f} |"


def main() -> None:
    """Measure, print the page, and write it where asked to."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=MIMIC_CXR_TRAIN)
    parser.add_argument("--write", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = made(Path(folder) / "retrieval.safetensors", options.rows, 1)
        torch.manual_seed(0)
        lines = table(path)
        size = path.stat().st_size / 1024**2
        lines += starts(made(Path(folder) / "split.safetensors", SPLIT, SPLIT))
    head = [
        "# What retrieval costs",
        "",
        "Made by `OMP_NUM_THREADS=1 python -m benchmarks.retrieval`, with other work on the"
        f" machine. {processor()}, {torch.get_num_threads()} thread; Python"
        f" {platform.python_version()}, torch {torch.__version__}.",
        "",
        f"A bank of {options.rows:,} × {WIDTH} in a file of {size:,.0f} MB; MB: memory beyond what"
        " the process had, mapped pages of the file left out.",
        "",
    ]
    shown = "\n".join([*head, *lines]) + "\n"
    print(shown)
    if options.write:
        options.write.write_text(shown, encoding="utf-8")


if __name__ == "__main__":
    main()
