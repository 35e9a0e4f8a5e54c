"""PromptMRG and DDaTR of paper size: how many weights, and what one step costs without a GPU.

    OMP_NUM_THREADS=1 python -m benchmarks.paper_size [--write benchmarks/results/paper_size.md]

Weights, images and words are random; nothing is downloaded. Each preset has a process of its own;
memory is what that has for itself at the most, beyond what it had before.
"""

import argparse
import multiprocessing
import platform
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Final

import torch
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast

from benchmarks.evaluation import processor
from benchmarks.retrieval import measured
from gradtruce.data.batch import Batch
from gradtruce.methods.base import model_inputs
from gradtruce.methods.registry import Method, build
from gradtruce.training.presets import method_preset

PRESETS: Final = ("promptmrg-paper", "ddatr-paper")
WORDS: Final = 30_522
"""Pieces of bert-base-uncased."""

STUDIES, PIXELS, TOKENS, NEIGHBOURS, FEATURES = 2, 224, 100, 21, 512
SPECIAL: Final = ("<pad>", "<bos>", "<eos>", "<unk>")


def made_tokenizer() -> PreTrainedTokenizerFast:
    """Return a tokenizer of as many made-up words as BERT has pieces."""
    words = [*SPECIAL, *(f"w{number}" for number in range(WORDS - len(SPECIAL)))]
    ids = {word: number for number, word in enumerate(words)}
    names = ("pad_token", "bos_token", "eos_token", "unk_token")
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.WordLevel(ids, unk_token="<unk>")),
        **dict(zip(names, SPECIAL, strict=True)),
    )


def made_batch() -> Batch:
    """Return random studies with one view, a prior and neighbours."""
    draw = torch.Generator().manual_seed(0)

    def words() -> torch.Tensor:
        return torch.randint(len(SPECIAL), WORDS, (STUDIES, TOKENS), generator=draw)

    def images() -> torch.Tensor:
        return torch.randn(STUDIES, 1, 3, PIXELS, PIXELS, generator=draw)

    def labels() -> torch.Tensor:
        return torch.randint(0, 2, (STUDIES, 14), generator=draw).float()

    there = torch.ones(STUDIES, 1, dtype=torch.bool)
    return Batch(
        ids=tuple("ab"),
        reports=("", ""),
        pixel_values=images(),
        view_mask=there,
        input_ids=words(),
        labels=labels(),
        prior_pixel_values=images(),
        prior_mask=there.clone(),
        prior_input_ids=words(),
        prior_labels=labels(),
        retrieved=torch.nn.functional.normalize(
            torch.randn(STUDIES, NEIGHBOURS, FEATURES, generator=draw), dim=2
        ),
    )


def lines_of(preset: str) -> list[str]:
    """Return the lines of the table of one preset."""
    torch.set_num_threads(1)
    table = method_preset(preset)
    torch.manual_seed(0)
    made, *building = measured(lambda: build(table["name"], made_tokenizer(), table["options"]))
    assert isinstance(made, Method)
    method = made.train()
    batch, losses = model_inputs(made_batch()), list[torch.Tensor]()

    def forward() -> None:
        losses.extend(method(**batch).losses.values())

    steps: dict[str, Callable[[], object]] = {
        "forward": forward,
        "backward of the sum": lambda: sum(losses).backward(),
    }
    every, trained = (
        sum(each.numel() for each in method.parameters() if each.requires_grad or frozen)
        for frozen in (True, False)
    )
    first = f"| `{preset}` | {every / 1e6:.1f} | {trained / 1e6:.1f} |"
    lines = [_row(f"{first} build", *building)]
    for what, work in steps.items():
        _, *costs = measured(work)
        lines.append(_row(f"| | | | {what}", *costs))
    if not all(loss.isfinite() for loss in losses):
        raise FloatingPointError(f"a loss of {preset} is not finite")
    return lines


def _row(start: str, clock: float, spent: float, memory: float) -> str:
    return f"{start} | {clock:.1f} | {spent:.1f} | {memory / 1024:.2f} |"


def main() -> None:
    """Measure, print the page, and write it where asked to."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--write", type=Path)
    options = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context, max_tasks_per_child=1) as pool:
        lines = [line for found in pool.map(lines_of, PRESETS) for line in found]
    shown = "\n".join(
        [
            "# PromptMRG and DDaTR of paper size",
            "",
            "Made by `OMP_NUM_THREADS=1 python -m benchmarks.paper_size`, with other work on the "
            f"machine. {processor()}, 1 thread, float32; Python {platform.python_version()}, torch "
            f"{torch.__version__}.",
            "",
            f"{STUDIES} studies of one view of {PIXELS} pixels and {TOKENS} words of {WORDS:,}, "
            "with a prior study for DDaTR. Millions of weights: all, and those that are trained. "
            "GB: memory beyond what the process had before this line.",
            "",
            "| preset | weights | trained | work | s by the clock | s of the processor | GB |",
            "|---|--:|--:|---|--:|--:|--:|",
            *lines,
            "",
        ]
    )
    print(shown)
    if options.write:
        options.write.write_text(shown, encoding="utf-8")


if __name__ == "__main__":
    main()
