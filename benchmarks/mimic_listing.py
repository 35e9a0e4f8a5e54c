"""Seconds and memory to list and plan a made-up MIMIC-CXR of the real size, and to build studies.

Tables and archive have 377,110 images of 227,835 studies; no image exists. Building is timed on a
small tree of made-up films with the number of pixels that real ones have.

Run: OMP_NUM_THREADS=1 python benchmarks/mimic_listing.py
"""

import io
import json
import platform
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image

from gradtruce.data.preparing.plan import make_plan
from gradtruce.data.sources.base import Record, Settings
from gradtruce.data.sources.mimic_cxr import MimicCxr
from gradtruce.data.sources.mimic_cxr_annotation import MimicCxrAnnotation
from gradtruce.data.sources.mimic_cxr_zip import list_reports, read_report
from tests.data.images.dicom_files import dicom_bytes
from tests.data.sources.mimic_tree import MadeUp, report, write_archive, write_tables, write_tree

STUDIES, IMAGES = 227_835, 377_110
FINDINGS = "The heart is of made-up size. The invented lungs are clear, without any effusion. " * 4
FILMS = 12


def made_up(count: int = STUDIES, images: int = IMAGES) -> list[MadeUp]:
    """Return studies, three or four of a patient, one in four without findings."""
    random = np.random.default_rng(0)
    states = random.integers(-1, 2, (500, 4))
    studies = []
    for number in range(count):
        patient = number * 2 // 7
        second = number < images - count
        studies.append(
            MadeUp(
                subject=str(10_000_000 + patient * 150),
                study=str(50_000_000 + int(number * 7_919 % count) * 40),
                split=("train", "train", "train", "validate", "test")[patient % 5],
                date=str(21_000_101 + int(random.integers(0, 90)) * 10_000),
                time=f"{int(random.integers(0, 24)) * 10_000 + 101}.5",
                views=("PA", "LATERAL") if second else ("AP",),
                report=report("" if number % 4 == 0 else FINDINGS),
                labels=dict(
                    zip(
                        ("Edema", "Fracture", "Pneumonia", "Atelectasis"),
                        map(int, states[number % 500]),
                        strict=True,
                    )
                ),
            )
        )
    return studies


def write_annotation(path: Path, studies: list[MadeUp]) -> None:
    """Write an annotation file in PromptMRG's form, one item an image."""
    names = {"train": "train", "validate": "val", "test": "test"}
    with path.open("w") as stream:
        for split, name in names.items():
            stream.write(("{" if name == "train" else ", ") + f'"{name}": [')
            items = ((s, n) for s in studies if s.split == split for n in range(len(s.views)))
            for place, (study, number) in enumerate(items):
                item = {
                    "id": study.image(number),
                    "study_id": int(study.study),
                    "subject_id": int(study.subject),
                    "report": FINDINGS,
                    "image_path": [study.image_path(number).removeprefix("files/")],
                    "labels": [0, 1, 2, 3] * 4 + [0, 0],
                    "clip_indices": list(range(100_000 + place, 100_021 + place)),
                }
                stream.write((", " if place else "") + json.dumps(item))
            stream.write("]")
        stream.write("}")


def peak() -> float:
    """Return the most memory that this process had, in MB; `getrusage` may tell its parent's."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024


def list_and_plan(kind: str, folder: Path) -> None:
    """Print what listing, and a plan of it, cost in this process."""
    before = peak()
    start = time.process_time()
    if kind == "annotation":
        source = MimicCxrAnnotation(folder / "annotation.json", folder / "root")
    else:
        unit = "image" if kind == "image" else "study"
        source = MimicCxr(
            folder / "root", folder / "r.zip", labels="chexpert", image_format="jpg", unit=unit
        )
    count = sum(isinstance(entry, Record) for entry in source.records())
    seconds, memory = time.process_time() - start, peak()
    start = time.process_time()
    plan = make_plan(source.records(), on_error="skip")
    print(
        f"{kind}: {count:,} records listed in {seconds:.1f} s CPU, peak {memory:,.0f} MB "
        f"({before:,.0f} before); listed and planned in {time.process_time() - start:.1f} s, "
        f"peak {peak():,.0f} MB, {len(plan.shards)} shards; notes {dict(source.notes())}",
        flush=True,
    )


def read_archive(folder: Path) -> None:
    """Print how fast reports are read from the archive."""
    members = list(list_reports(folder / "r.zip").values())[::50]
    start = time.perf_counter()
    sizes = Counter(len(read_report(folder / "r.zip", member)) > 0 for member in members)
    seconds = time.perf_counter() - start
    print(f"archive: {sizes[True] / seconds:,.0f} reports/s")


def build_films(folder: Path, ending: str) -> None:
    """Print how fast studies with films of real size are built."""
    studies = made_up(FILMS, FILMS)
    tree = write_tree(folder / ending / "root", studies, ending)
    content = film_of_real_size(ending)
    for study in studies:
        (tree.root / study.image_path(0, ending)).write_bytes(content)
    source = MimicCxr(tree.root, tree.archive)
    records = [entry for entry in source.records() if isinstance(entry, Record)]
    start = time.process_time()
    built = [source.build(record, Settings()).study for record in records]
    seconds = time.process_time() - start
    views = sum(len(study.views) for study in built if study)
    print(
        f"build: {views / seconds:.1f} images/s a core from 3056 x 2544 .{ending} files of "
        f"{len(content) / 1e6:.1f} MB to 256 px"
    )


def film_of_real_size(ending: str) -> bytes:
    """Return a noisy ramp of 3056 x 2544 pixels: JPEG of quality 95, or DICOM of 12 bits."""
    ramp = np.add.outer(np.linspace(0, 120, 3056), np.linspace(0, 100, 2544))
    noisy = (ramp + np.random.default_rng(0).normal(0, 4, ramp.shape)).clip(0, 255)
    if ending == "dcm":
        return dicom_bytes((noisy * 16).astype("<u2"))
    buffer = io.BytesIO()
    Image.fromarray(noisy.astype("uint8")).save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


def main() -> None:
    """Write the tables, then measure each listing in a process of its own."""
    if len(sys.argv) == 3:
        list_and_plan(sys.argv[1], Path(sys.argv[2]))
        return
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}")
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent)
        studies = made_up()
        write_tables(folder / "root", studies)
        (folder / "root" / "files" / "p10").mkdir(parents=True)
        write_archive(folder / "r.zip", studies)
        write_annotation(folder / "annotation.json", studies)
        for kind in ("study", "image", "annotation"):
            subprocess.run([sys.executable, __file__, kind, parent], check=True)
        read_archive(folder)
        for ending in ("jpg", "dcm"):
            build_films(folder, ending)


if __name__ == "__main__":
    main()
