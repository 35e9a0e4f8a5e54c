"""Preparing at scale: cores kept busy, memory of a worker, opening a large set.

`python benchmarks/preparing.py build --studies 100000 --workers 2` makes a tree of small PNG files
in a temporary folder, prepares it and prints studies a second, the share of the cores' time that
was used and (for a machine that others use too) that was asked for, and the largest resident memory
of the parent and of a worker.
`python benchmarks/preparing.py open --studies 270000` writes a set of tiny views, in as many record
batches as views of 256 px would come in, and prints how long opening, reading all ids, and finding
one study take, with the files in the page cache.
"""

import argparse
import hashlib
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import active_children
from pathlib import Path
from typing import Any, final

import numpy as np
from PIL import Image

from gradtruce.data.prepared import PreparedDataset
from gradtruce.data.preparing import shards
from gradtruce.data.preparing.pipeline import prepare
from gradtruce.data.sources.base import Built, Record, Settings, Source, ViewFile
from gradtruce.data.sources.views import read_views
from gradtruce.data.study import SPLITS, Split, Study, View

_FOLDERS = 1000
_REPORT = "The heart is of normal size. The lungs are clear. No effusion or pneumothorax. " * 4


@final
@dataclass(frozen=True)
class Tree(Source):
    """Studies of one patient each, two of three with two views, in folders of about a hundred."""

    root: Path
    studies: int
    from_files: bool = True

    @property
    def name(self) -> str:
        """What the set is called."""
        return "benchmark"

    @property
    def description(self) -> str:
        """What it is."""
        return "noise"

    @property
    def licence(self) -> str:
        """None."""
        return ""

    @property
    def is_synthetic(self) -> bool:
        """Noise."""
        return True

    @property
    def parameters(self) -> Mapping[str, Any]:
        """How many studies."""
        return {"studies": self.studies}

    def fingerprint(self) -> str:
        """Return a hash of the parameters."""
        return hashlib.sha256(str(self.studies).encode()).hexdigest()

    def records(self) -> Iterator[Record]:
        """Yield the studies by number."""
        for number in range(self.studies):
            split: Split = SPLITS[{8: 1, 9: 2}.get(number % 10, 0)]
            views = tuple(ViewFile(name) for name in _names(number)) if self.from_files else ()
            report = f"{_REPORT}Study {number}."
            yield Record(f"s{number:06d}", f"p{number:06d}", split, views, report)

    def build(self, record: Record, settings: Settings) -> Built:
        """Read the images, or make a tiny one."""
        if self.from_files:
            views, problems = read_views(record, self.root, settings)
        else:
            views, problems = (View(np.zeros((2, 2), np.uint8), "frontal"),), ()
        study = Study(record.id, record.patient, record.split, views, record.report)
        return Built(study, problems)

    def notes(self) -> Mapping[str, Any]:
        """Return nothing."""
        return {}


def write_tree(root: Path, studies: int, side: int) -> None:
    """Write the PNG files: one film of smooth noise, each file with a stamp of its own."""
    random = np.random.default_rng(0)
    coarse = Image.fromarray(random.integers(0, 256, (16, 16), dtype=np.uint8))
    film = np.asarray(coarse.resize((side, side + side // 8), Image.Resampling.BICUBIC)).copy()
    film += random.integers(0, 6, film.shape, dtype=np.uint8)
    for folder in range(_FOLDERS):
        (root / f"{folder:03d}").mkdir()
    for number in range(studies):
        for name in _names(number):
            film[0, :8] = np.frombuffer(number.to_bytes(8, "big"), np.uint8)
            Image.fromarray(film).save(root / name, compress_level=1)


def measure_build(studies: int, workers: int, side: int, short_side: int) -> None:
    """Prepare a tree and print rate, use of the cores, and memory."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "tree"
        root.mkdir()
        write_tree(root, studies, side)
        demand = Demand()
        wall, processor = time.perf_counter(), _processor_seconds()
        prepare(
            Tree(root, studies),
            Path(folder) / "set",
            settings=Settings(short_side),
            workers=workers,
            progress=demand.sample,
        )
        wall, processor = time.perf_counter() - wall, _processor_seconds() - processor
        mib = {who: resource.getrusage(who).ru_maxrss / 1024 for who in (0, -1)}
        print(f"{studies:,} studies, {side} px to {short_side} px, {workers} workers, load "
              f"{os.getloadavg()[0]:.1f}: {wall:.0f} s, {studies / wall:.0f} studies a second, "
              f"{processor / wall / workers:.0%} of {workers} cores used, workers running or "
              f"waiting for a core {demand.share():.0%} of their time; largest memory "
              f"{mib[0]:.0f} MiB parent, {mib[-1]:.0f} MiB worker", flush=True)  # fmt: skip


@final
class Demand:
    """How much of their time the workers ran or were ready to, whoever else used the cores."""

    def __init__(self) -> None:
        self._seen: dict[int, list[tuple[float, float]]] = {}

    def sample(self, _done: int, _total: int) -> None:
        """Note what the kernel says of every worker."""
        for process in active_children():
            with suppress(OSError):
                ran, waited, _ = Path(f"/proc/{process.pid}/schedstat").read_text().split()
                seconds = (int(ran) + int(waited)) / 1e9
                self._seen.setdefault(process.pid or 0, []).append((time.perf_counter(), seconds))

    def share(self) -> float:
        """Return the share, from the first to the last sample of each worker."""
        spans = [(last[0] - first[0], last[1] - first[1]) for first, *_, last in
                 (seen for seen in self._seen.values() if len(seen) > 1)]  # fmt: skip
        return sum(busy for _, busy in spans) / sum(wall for wall, _ in spans) if spans else 0.0


def measure_open(studies: int) -> None:
    """Write a set of tiny views and print how long opening it takes."""
    shards._BATCH_ROWS = 32  # two views of 60 kB a study, 4 MiB a batch
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "set"
        prepare(Tree(Path(folder), studies, from_files=False), target, pictures=False)
        subprocess.run([sys.executable, __file__, "time", "--folder", str(target)], check=True)


def print_times(folder: Path) -> None:
    """Print how long opening, all ids, all labels and one study take in this new process."""
    start = time.perf_counter()
    dataset = PreparedDataset.open(folder)
    opened = time.perf_counter()
    count = sum(len(dataset.split(name).ids) for name in SPLITS)
    ids = time.perf_counter()
    dataset.study(dataset.split("train").ids[-1])
    found = time.perf_counter()
    print(
        f"{count:,} rows in {len(dataset.manifest.shards)} shards: open {opened - start:.2f} s, "
        f"all ids {ids - opened:.2f} s, one study by id {found - ids:.2f} s, "
        f"{resource.getrusage(0).ru_maxrss / 1024:.0f} MiB"
    )


def _names(number: int) -> list[str]:
    count = 1 + (number % 3 > 0)
    return [f"{number % _FOLDERS:03d}/{number:06d}-{view}.png" for view in range(count)]


def _processor_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("build", "open", "time"))
    parser.add_argument("--studies", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--side", type=int, default=96)
    parser.add_argument("--short-side", type=int, default=64)
    parser.add_argument("--folder", type=Path, help="a prepared set, for `time`")
    options = parser.parse_args()
    if options.what == "build":
        measure_build(options.studies, options.workers, options.side, options.short_side)
    elif options.what == "open":
        measure_open(options.studies)
    else:
        print_times(options.folder)


if __name__ == "__main__":
    main()
