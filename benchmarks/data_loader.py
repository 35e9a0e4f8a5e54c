"""Studies a second through prepared set and loader, on one thread.

Run: OMP_NUM_THREADS=1 python benchmarks/data_loader.py
"""

import platform
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch

from gradtruce.data.loader import Loader
from gradtruce.data.prepared import PreparedDataset, PreparedWriter
from gradtruce.data.study import SPLITS, Study, View
from gradtruce.data.text import clean
from gradtruce.data.tokenizer import build_tokenizer
from gradtruce.data.transforms import Augmentation, ImageProcessor

STUDIES = 600
BATCH = 16
REPORT = "The lungs are clear. The heart is normal. There is no effusion or pneumothorax. " * 2


def noisy_studies(side: int) -> list[Study]:
    """Return studies of two views: a grey ramp with noise, as hard to compress as a film."""
    random = np.random.default_rng(0)
    ramp = np.add.outer(np.linspace(0, 120, side), np.linspace(0, 100, side))
    return [
        Study(
            id=str(number),
            patient=str(number),
            split=SPLITS[max(0, number - STUDIES + 3)],
            views=tuple(
                View((ramp + random.normal(0, 6, ramp.shape)).clip(0, 255).astype("uint8"), side_of)
                for side_of in ("frontal", "lateral")
            ),
            report=REPORT,
        )
        for number in range(STUDIES)
    ]


def rate(count: int, work: Iterable[object]) -> float:
    """Return `count` per second of going through `work`."""
    start = time.perf_counter()
    for _ in work:
        pass
    return count / (time.perf_counter() - start)


def measure(side: int, folder: Path) -> None:
    """Print the rates at one image size."""
    studies = noisy_studies(side)
    with PreparedWriter(folder, name="benchmark", source="noise") as writer:
        written = rate(STUDIES, (writer.add(study) for study in studies))
    split = PreparedDataset.open(folder).split("train")
    tokenizer = build_tokenizer([clean(REPORT, "clean")], min_frequency=1)
    for name, augmentation in (("no augmentation", None), ("random crop", Augmentation())):
        loader = Loader(
            split,
            tokenizer,
            ImageProcessor(side),
            batch_size=BATCH,
            max_tokens=60,
            augmentation=augmentation,
            shuffle=True,
        )
        first, later = rate(loader.studies, loader), rate(loader.studies, loader)
        print(
            f"{side} px, two views, {name}: write {written:,.0f}, first epoch {first:,.0f}, "
            f"later {later:,.0f} studies/s ({1e3 * BATCH / later:.1f} ms a batch of {BATCH})"
        )


def main() -> None:
    """Measure at 128 and 224 pixels."""
    torch.set_num_threads(1)
    print(f"{platform.processor() or platform.machine()}, torch {torch.__version__}, one thread")
    with tempfile.TemporaryDirectory() as parent:
        for side in (128, 224):
            measure(side, Path(parent) / str(side))


if __name__ == "__main__":
    main()
