"""Images a second a core, from a prepared set of 256 px to normalised batches of 224 px.

Run: OMP_NUM_THREADS=1 python -m benchmarks.data_loader

Every rate is of an epoch in which each view is decoded; the set lies in the page cache. A rate a
core divides the images by the processor time of all processes, so that neighbours on the machine
change it little; the rate by the clock stands beside it.
"""

import argparse
import io
import os
import platform
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
import torch
from PIL import Image
from transformers import PreTrainedTokenizerFast

from gradtruce.data.augmentation import Augmentation
from gradtruce.data.images.view_bytes import decode_view, encode_view
from gradtruce.data.loader import Loader
from gradtruce.data.loading.order import Order
from gradtruce.data.loading.tokens import TokenRows
from gradtruce.data.phantom.generate import generate
from gradtruce.data.prepared import PreparedDataset, PreparedSplit, PreparedWriter
from gradtruce.data.text import clean
from gradtruce.data.tokenizer import build_tokenizer
from gradtruce.data.transforms import ImageProcessor

BATCH = 16
EPOCHS = 3
SIDE = 224
NEEDED = 400


def processor_seconds() -> float:
    """Return the processor time of this process and of its children that have ended."""
    spent = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in spent)


def epochs(loader: Loader) -> int:
    """Return how many images some epochs have, read to the end."""
    images = 0
    for epoch in range(EPOCHS):
        loader.set_epoch(epoch)
        images += sum(int(batch.view_mask.sum()) for batch in loader)
    return images


def measure_loader(split: PreparedSplit, tokenizer: PreTrainedTokenizerFast) -> None:
    """Print rates with and without workers and random changes."""
    print("\n| workers | random changes | images/s | images/s a core |\n|---|---|---|---|")
    rich = Augmentation(rotation=5.0, brightness=0.1, contrast=0.1)
    for name, augmentation in (("none", None), ("crop", Augmentation()), ("all", rich)):
        for workers in (0, 1, 2):
            loader = Loader(
                split,
                tokenizer,
                ImageProcessor(SIDE),
                batch_size=BATCH,
                max_tokens=60,
                shuffle=True,
                augmentation=augmentation,
                workers=workers,
                cache_bytes=0,
            )
            next(iter(loader))  # starts the workers
            clock, spent = time.perf_counter(), processor_seconds()
            images = epochs(loader)
            clock = time.perf_counter() - clock
            loader.close()  # only then their processor time counts
            spent = processor_seconds() - spent
            a_core = images / spent
            note = f" (below {NEEDED})" if a_core < NEEDED else ""
            print(
                f"| {workers} | {name} | {images / clock:,.0f} | {a_core:,.0f}{note} |", flush=True
            )


def milliseconds(work: Callable[[int], object], count: int) -> float:
    """Return the processor time of one call, the best of five rounds."""
    best = float("inf")
    for _ in range(5):
        start = time.process_time()
        for place in range(count):
            work(place)
        best = min(best, time.process_time() - start)
    return 1e3 * best / count


def measure_formats(views: list[np.ndarray]) -> None:
    """Print size and decoding time of what a view could be kept as."""
    print("\n| kept as | kB a view | ms to decode |\n|---|---|---|")
    for name, quality in (("PNG", None), ("JPEG 95", 95)):
        kept = [encode_view(view, quality) for view in views]
        row(name, kept, lambda place, kept=kept: decode_view(kept[place]))
    plain = [_stored_png(view) for view in views]
    row("PNG, not compressed", plain, lambda place: decode_view(plain[place]))
    for name in ("zstd", "lz4"):
        codec = pa.Codec(name)
        kept = [codec.compress(view.tobytes(), asbytes=True) for view in views]

        def unpack(place: int, codec: pa.Codec = codec, kept: list[bytes] = kept) -> np.ndarray:
            view = views[place]
            buffer = codec.decompress(kept[place], view.nbytes)
            return np.frombuffer(buffer, dtype=np.uint8).reshape(view.shape)

        row(f"raw, {name}", kept, unpack)


def row(name: str, kept: list[bytes], work: Callable[[int], object]) -> None:
    """Print one line of the table of formats."""
    size = float(np.mean([len(each) for each in kept])) / 1e3
    print(f"| {name} | {size:.0f} | {milliseconds(work, len(kept)):.2f} |", flush=True)


def _stored_png(view: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(view).save(buffer, "PNG", compress_level=0)
    return buffer.getvalue()


def measure_boundary(views: list[np.ndarray]) -> None:
    """Print what a batch costs to normalise, and to send as bytes and as floats."""
    processor = ImageProcessor(SIDE)
    grey = torch.from_numpy(np.stack([processor.fit(view) for view in views[: 2 * BATCH]]))
    floats = processor.normalise(grey)
    print(f"\nnormalising: {milliseconds(lambda _: processor.normalise(grey), 20):.1f} ms a batch")
    for name, tensor in (("bytes", grey), ("floats", floats)):
        loader = torch.utils.data.DataLoader(
            _Copies(tensor), batch_size=None, num_workers=1, prefetch_factor=2
        )
        spent, clock = processor_seconds(), time.perf_counter()
        for _ in loader:
            pass
        clock = time.perf_counter() - clock
        del loader
        spent = (processor_seconds() - spent) / _Copies.count
        print(
            f"a batch as {name}, {tensor.nbytes / 1e6:.1f} MB: {1e3 * spent:.1f} ms of processor "
            f"time to another process, {1e3 * clock / _Copies.count:.1f} ms by the clock"
        )


class _Copies(torch.utils.data.Dataset[torch.Tensor]):
    """Makes the same batch again and again, in a worker."""

    count = 200

    def __init__(self, tensor: torch.Tensor) -> None:
        self.tensor = tensor

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, place: int) -> torch.Tensor:
        if place >= self.count:
            raise IndexError(place)
        return self.tensor.clone()


def measure_padding(name: str, split: PreparedSplit, tokenizer: PreTrainedTokenizerFast) -> None:
    """Print which share of the tokens of an epoch is padding."""
    tokens = TokenRows(tokenizer, [clean(text, "clean") for text in split.reports], 100)
    shares = []
    for lengths in (None, tokens.lengths):
        order = Order(studies=len(split), batch_size=BATCH, shuffle=True, lengths=lengths)
        shares.append(float(np.mean([_padding(order, epoch, tokens) for epoch in range(EPOCHS)])))
    print(
        f"padding, {name}, {len(split)} reports of {tokens.lengths.mean():.0f} tokens, batches of "
        f"{BATCH}: {shares[0]:.1%} of all tokens, bucketed {shares[1]:.1%}"
    )


def _padding(order: Order, epoch: int, tokens: TokenRows) -> float:
    batches = order.batches(epoch)
    padded = sum(len(rows) * int(tokens.lengths[rows].max()) for rows in batches)
    return 1 - float(tokens.lengths.sum()) / padded


def own_memory(process: psutil.Process) -> float:
    """Return the memory that a process alone holds, in MiB."""
    return float(process.memory_full_info().uss) / 2**20


def measure_memory(split: PreparedSplit, tokenizer: PreTrainedTokenizerFast) -> None:
    """Print the memory of a worker after each of several epochs."""
    held = []
    options = {"batch_size": BATCH, "max_tokens": 60, "workers": 1, "cache_bytes": 0}
    with Loader(split, tokenizer, ImageProcessor(SIDE), **options) as loader:
        for epoch in range(EPOCHS):
            loader.set_epoch(epoch)
            for _ in loader:
                pass
            held.append(f"{own_memory(psutil.Process().children()[0]):.0f}")
    print(f"\nmemory of one worker alone after epoch 1, 2, 3: {', '.join(held)} MiB")


def main() -> None:
    """Make a set of phantom studies and measure on it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=400)
    parser.add_argument("--prepared", type=Path, help="another prepared set, in place of phantoms")
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, ", end="")
    print(f"torch {torch.__version__}, pillow {Image.__version__}")
    with tempfile.TemporaryDirectory() as parent:
        folder = options.prepared or Path(parent) / "set"
        if options.prepared is None:
            with PreparedWriter(folder, name="benchmark", source="phantom") as writer:
                for study in generate("standard", options.studies, size=256):
                    writer.add(study)
        split = PreparedDataset.open(folder).split("train")
        texts = [clean(text, "clean") for text in split.reports]
        tokenizer = build_tokenizer(texts, min_frequency=1)
        measure_loader(split, tokenizer)
        measure_memory(split, tokenizer)
        views = [view.pixels for row in range(min(50, len(split))) for view in split.views(row)]
        measure_formats(views)
        measure_boundary(views)
        measure_padding(split.name, split, tokenizer)


if __name__ == "__main__":
    main()
