"""R2Gen of paper size: a training step beside the published one, and cached beside uncached beams.

    OMP_NUM_THREADS=1 python -m benchmarks.generation [--quick] [--rounds 5]

The published step is re-stated (`benchmarks/published_r2gen.py`) and starts from the same weights.
Every round runs each way once, in a new random order; a ratio is the median over the rounds of the
ratio within a round, with a bootstrap interval of 95 %. Time is that of the processor, of one
thread, so that other jobs disturb less; on a GPU, which is taken where there is one, it is that of
the clock. Images and reports are random. Writes results/generation.md, or of a GPU
results/generation_cuda.md.
"""

import argparse
import random
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, final

import torch
from torch import Tensor

from benchmarks.generation_report import (
    BACKBONE,
    BEAMS,
    CACHED,
    GENERATE,
    GENERATE_BF16,
    OURS,
    OURS_BF16,
    PUBLISHED,
    PUBLISHED_BF16,
    UNCACHED,
    Times,
    page,
)
from benchmarks.published_r2gen import PublishedR2Gen, Size, published_step
from gradtruce.methods.base import Decoding
from gradtruce.methods.blocks.cache import ReportCache
from gradtruce.methods.blocks.inputs import Inputs
from gradtruce.methods.blocks.published_beam import CachedSteps, published_beam
from gradtruce.methods.blocks.visual import VisualTokens
from gradtruce.methods.r2gen import R2Gen, R2GenConfig
from gradtruce.methods.weights.r2gen_names import r2gen_name
from gradtruce.training.assembly import build_optimizer
from gradtruce.training.config import TrainingConfig

QUICK = Size((16, 32), (1, 1), 16, 2, 1, 3, 30, 2, 32, 8)
RESULTS = Path(__file__).parent / "results"
PAD, BOS, EOS = 0, 1, 2
RATE = 1e-6
STUDIES = 4
PROCESSOR = torch.device("cpu")


def make_pair(size: Size, device: torch.device = PROCESSOR) -> tuple[PublishedR2Gen, R2Gen]:
    """Return both models with the same weights; ours has two ids more, behind the words."""
    torch.manual_seed(0)
    published = PublishedR2Gen(size)
    config = R2GenConfig(
        vocab_size=size.vocabulary + 2,
        backbone_widths=list(size.widths),
        backbone_depths=list(size.depths),
        width=size.width,
        hidden=size.width,
        heads=size.heads,
        layers=size.layers,
        memory_slots=size.slots,
        paper_code=True,
    )
    ours = R2Gen(config)
    state = {r2gen_name(name): value for name, value in published.state_dict().items()}
    for name in ("decoder.embedding.weight", "decoder.scores.weight", "decoder.scores.bias"):
        start = torch.full_like(state[name][:1], -1e4 if name.endswith("bias") else 0.0)
        first = state[name][:1]  # theirs for pad, bos and eos
        row = first if "embedding" in name else start
        state[name] = torch.cat([row, row, first, state[name][1:]])
    lacking = ours.load_state_dict(state, strict=False).missing_keys
    if any("findings" not in name for name in lacking):
        raise RuntimeError(f"the published model lacks {lacking}")
    return published.to(device), ours.to(device)


def random_batch(size: Size, device: torch.device = PROCESSOR) -> tuple[Tensor, Tensor]:
    """Return images of two views and reports of `tokens` words in our ids, bos and eos around."""
    images = torch.randn(size.batch, 2, 3, size.pixels, size.pixels)
    ids = torch.randint(EOS + 1, size.vocabulary + 2, (size.batch, size.tokens + 1))
    ids[:, 0], ids[:, -1] = BOS, EOS
    return images.to(device), ids.to(device)


def published_ids(ids: Tensor) -> Tensor:
    """Return the same reports in the published ids."""
    return (ids - EOS).clamp(min=0)


def training_ways(size: Size, device: torch.device = PROCESSOR) -> dict[str, Callable[[], object]]:
    """Return a training step a way, ready to be called again and again."""
    published, ours = (model.train() for model in make_pair(size, device))
    images, ids = random_batch(size, device)
    mask = torch.ones(size.batch, 2, dtype=torch.bool, device=device)
    decay = 5e-5
    theirs = torch.optim.Adam(published.parameters(), lr=RATE, weight_decay=decay, amsgrad=True)
    own = build_optimizer(
        TrainingConfig(
            optimizer="adam_amsgrad",
            learning_rate={"backbone": RATE, "rest": RATE},
            weight_decay=decay,
        ),
        ours,
    )

    def step(is_bf16: bool) -> None:
        with torch.autocast(device.type, torch.bfloat16, enabled=is_bf16):
            loss = ours(images, mask, ids).losses["report"]
        loss.backward()
        torch.nn.utils.clip_grad_value_(ours.parameters(), 0.1)
        own.step()
        own.zero_grad()

    def their_step(is_bf16: bool) -> None:
        with torch.autocast(device.type, torch.bfloat16, enabled=is_bf16):
            published_step(published, theirs, images, published_ids(ids))

    def see() -> None:
        ours.visual.backbone(images.flatten(0, 1)).mean().backward()
        own.zero_grad()

    return {
        PUBLISHED: lambda: their_step(is_bf16=False),
        PUBLISHED_BF16: lambda: their_step(is_bf16=True),
        OURS: lambda: step(is_bf16=False),
        BACKBONE: see,
        OURS_BF16: lambda: step(is_bf16=True),
    }


@final
class UncachedSteps:
    """The steps of a decoder that computes the whole prefix, memory included, for each word."""

    def __init__(self, model: R2Gen, visual: VisualTokens) -> None:
        self._model = model
        self._visual = visual
        self._prefixes: Tensor | None = None

    def __call__(self, tokens: Tensor, parents: Tensor) -> Tensor:
        """Return the log-probabilities of what follows every row."""
        new = tokens[:, None]
        if self._prefixes is None:
            self._prefixes = new
        else:
            self._prefixes = torch.cat([self._prefixes[parents], new], dim=1)
            kept = {
                name: value[parents] if isinstance(value, Tensor) else value
                for name, value in self._visual.items()
            }
            self._visual = VisualTokens(**kept)
        scores = self._model.decode(self._prefixes, self._visual).logits
        never = torch.tensor([PAD, BOS, EOS], device=scores.device)
        return scores[:, -1].log_softmax(-1).index_fill(1, never, -torch.inf)


def generation_ways(
    size: Size, studies: int, device: torch.device = PROCESSOR
) -> dict[str, Callable[[], Tensor]]:
    """Return a beam search a way over encoded images; eos is never written."""
    model = make_pair(size, device)[1].eval()
    images = torch.randn(studies, 2, 3, size.pixels, size.pixels, device=device)
    with torch.no_grad():
        mask = torch.ones(studies, 2, dtype=torch.bool, device=device)
        visual = model.encode(Inputs(images, mask))
    options = model.decoding_options(Decoding(beams=BEAMS, max_tokens=size.tokens))
    options.suppress_tokens = [PAD, BOS, EOS]

    def decode(ids: Tensor, encoded: VisualTokens, cache: ReportCache) -> Tensor:
        return model.decode(ids, encoded, cache).logits

    def search(steps: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        start = torch.full((studies,), BOS, device=device)
        return published_beam(steps, start, beams=BEAMS, steps=size.tokens, eos=EOS, pad=PAD)

    def generate(is_bf16: bool) -> Tensor:
        copy = VisualTokens(**dict(visual.items()))  # `generate` repeats its rows in place
        with torch.no_grad(), torch.autocast(device.type, torch.bfloat16, enabled=is_bf16):
            return model.generate_ids(copy, options)

    return {
        CACHED: lambda: search(CachedSteps(decode, visual, never=(PAD, BOS, EOS))),
        GENERATE: lambda: generate(is_bf16=False),
        GENERATE_BF16: lambda: generate(is_bf16=True),
        UNCACHED: lambda: search(UncachedSteps(model, visual)),
    }


def measure(ways: Mapping[str, Callable[[], Any]], rounds: int, device: torch.device) -> Times:
    """Return the seconds of every way in every round but the first, which warms up."""
    dice = random.Random(0)
    times: Times = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name in dice.sample(list(ways), len(ways)):
            start = now(device)
            ways[name]()
            if number:
                times[name].append(now(device) - start)
    return times


def now(device: torch.device) -> float:
    """Return the processor's time in seconds, or that of the clock once a GPU has done its work."""
    if device.type != "cuda":
        return time.process_time()
    torch.cuda.synchronize(device)
    return time.perf_counter()


def main() -> None:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tiny model, nothing written")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch", type=int, default=Size().batch)
    found = "cuda" if torch.cuda.is_available() else "cpu"
    parser.add_argument("--device", choices=["cpu", "cuda"], default=found)
    parser.add_argument("--write", type=Path, help="file in place of that of the device")
    options = parser.parse_args()
    torch.set_num_threads(1)
    size = QUICK if options.quick else Size(batch=options.batch)
    device = torch.device(options.device)
    training = measure(training_ways(size, device), options.rounds, device)
    generation = measure(generation_ways(size, STUDIES, device), options.rounds, device)
    result = page(training, generation, size, STUDIES, device)
    print(result)
    if not options.quick:
        name = "generation_cuda.md" if device.type == "cuda" else "generation.md"
        (options.write or RESULTS / name).write_text(result, encoding="utf-8")


if __name__ == "__main__":
    main()
