"""R2Gen of paper size: a training step beside the published one, and cached beside uncached beams.

    OMP_NUM_THREADS=1 python -m benchmarks.generation [--quick] [--rounds 5]

The published step is re-stated (`benchmarks/published_r2gen.py`) and starts from the same weights.
Every round runs each way once, in a new random order; a ratio is the median over the rounds of the
ratio within a round, with a bootstrap interval of 95 %. Time is that of the processor, of one
thread, so that other jobs disturb less. Images and reports are random. Writes
results/generation.md.
"""

import argparse
import platform
import random
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from importlib.metadata import version
from pathlib import Path
from typing import Any, final

import torch
from torch import Tensor

from benchmarks.engine import interval
from benchmarks.published_r2gen import PublishedR2Gen, Size, published_step
from gradtruce.methods.base import Decoding
from gradtruce.methods.blocks.cache import ReportCache
from gradtruce.methods.blocks.published_beam import CachedSteps, published_beam
from gradtruce.methods.blocks.visual import VisualTokens
from gradtruce.methods.r2gen import R2Gen, R2GenConfig
from gradtruce.methods.weights.r2gen_names import r2gen_name

QUICK = Size((16, 32), (1, 1), 16, 2, 1, 3, 30, 2, 32, 8)
PAGE = Path(__file__).parent / "results" / "generation.md"
PAD, BOS, EOS = 0, 1, 2
BEAMS = 3
STUDIES = 4

PUBLISHED, PUBLISHED_BF16 = "published loop, re-stated", "the same, bfloat16 autocast"
OURS, OURS_BF16 = "ours", "ours, bfloat16 autocast"
BACKBONE = "backbone of ours alone, float32"
CACHED, GENERATE, UNCACHED = "published beams, cached", "`generate`, cached", "no cache"

Times = dict[str, list[float]]


def make_pair(size: Size) -> tuple[PublishedR2Gen, R2Gen]:
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
    return published, ours


def random_batch(size: Size) -> tuple[Tensor, Tensor]:
    """Return images of two views and reports of `tokens` words in our ids, bos and eos around."""
    images = torch.randn(size.batch, 2, 3, size.pixels, size.pixels)
    ids = torch.randint(EOS + 1, size.vocabulary + 2, (size.batch, size.tokens + 1))
    ids[:, 0], ids[:, -1] = BOS, EOS
    return images, ids


def published_ids(ids: Tensor) -> Tensor:
    """Return the same reports in the published ids."""
    return (ids - EOS).clamp(min=0)


def training_ways(size: Size) -> dict[str, Callable[[], object]]:
    """Return a training step a way, ready to be called again and again."""
    published, ours = (model.train() for model in make_pair(size))
    images, ids = random_batch(size)
    mask = torch.ones(size.batch, 2, dtype=torch.bool)
    theirs, own = (
        torch.optim.Adam(model.parameters(), lr=1e-6, weight_decay=5e-5, amsgrad=True)
        for model in (published, ours)
    )

    def step(is_bf16: bool) -> None:
        with torch.autocast("cpu", torch.bfloat16) if is_bf16 else nullcontext():
            loss = ours(images, mask, ids).losses["report"]
        loss.backward()
        torch.nn.utils.clip_grad_value_(ours.parameters(), 0.1)
        own.step()
        own.zero_grad()

    def their_step(is_bf16: bool) -> None:
        with torch.autocast("cpu", torch.bfloat16) if is_bf16 else nullcontext():
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
        never = torch.tensor([PAD, BOS, EOS])
        return scores[:, -1].log_softmax(-1).index_fill(1, never, -torch.inf)


def generation_ways(size: Size, studies: int) -> dict[str, Callable[[], Tensor]]:
    """Return a beam search a way over encoded images; eos is never written."""
    model = make_pair(size)[1].eval()
    images = torch.randn(studies, 2, 3, size.pixels, size.pixels)
    with torch.no_grad():
        visual = model.encode(images, torch.ones(studies, 2, dtype=torch.bool))
    options = model.decoding_options(Decoding(beams=BEAMS, max_tokens=size.tokens))
    options.suppress_tokens = [PAD, BOS, EOS]

    def decode(ids: Tensor, encoded: VisualTokens, cache: ReportCache) -> Tensor:
        return model.decode(ids, encoded, cache).logits

    def search(steps: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        start = torch.full((studies,), BOS)
        return published_beam(steps, start, beams=BEAMS, steps=size.tokens, eos=EOS, pad=PAD)

    def generate() -> Tensor:
        copy = VisualTokens(**dict(visual.items()))  # `generate` repeats its rows in place
        with torch.no_grad():
            return model.generate_ids(copy, options)

    return {
        CACHED: lambda: search(CachedSteps(decode, visual, never=(PAD, BOS, EOS))),
        GENERATE: generate,
        UNCACHED: lambda: search(UncachedSteps(model, visual)),
    }


def measure(ways: Mapping[str, Callable[[], Any]], rounds: int) -> Times:
    """Return the seconds of every way in every round but the first, which warms up."""
    dice = random.Random(0)
    times: Times = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name in dice.sample(list(ways), len(ways)):
            start = time.process_time()
            ways[name]()
            if number:
                times[name].append(time.process_time() - start)
    return times


def ratio(times: Times, slow: str, fast: str) -> list[float]:
    """Return how many times faster a way is than another, with its interval."""
    return interval([a / b for a, b in zip(times[slow], times[fast], strict=True)])


def table(times: Times, base: str, unit: str, per_run: int) -> str:
    """Return the rows of one comparison in Markdown."""
    rows = [f"| Way | seconds | {unit} a second | × {base} |", "| --- | --- | --- | --- |"]
    for name, values in times.items():
        middle = statistics.median(values)
        times_base = _words(ratio(times, base, name)) if name != base else "1"
        rows.append(f"| {name} | {middle:.2f} | {per_run / middle:.1f} | {times_base} |")
    return "\n".join(rows)


def target(what: str, found: list[float], least: float) -> str:
    """Return the row of a target in Markdown."""
    return f"| {what} ≥ {least} × | {_words(found)} × | {_met(found[0] >= least)} |"


def machine() -> str:
    """Return what the numbers depend on."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    flags = next((line for line in lines if line.startswith("flags")), "")
    has_bf16 = "with" if "avx512_bf16" in flags else "without"
    packages = ("torch", "transformers", "gradtruce")
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    return (
        f"{names[0] if names else platform.processor()} {has_bf16} bfloat16 products, "
        f"{len(names)} cores, 1 thread in use; Python {platform.python_version()}, {versions}"
    )


def page(training: Times, generation: Times, size: Size, studies: int) -> str:
    """Return the results in Markdown."""
    command = " ".join(["python -m benchmarks.generation", *sys.argv[1:]])
    rounds = len(training[OURS])
    share = 1 / ratio(training, OURS, BACKBONE)[0]
    targets = [
        target("training step, float32", ratio(training, PUBLISHED, OURS), 1.5),
        target("training step, ours in bfloat16", ratio(training, PUBLISHED, OURS_BF16), 1.5),
        target("beam-3 generation, cached", ratio(generation, UNCACHED, CACHED), 5.0),
        target("beam-3 generation, `generate`", ratio(generation, UNCACHED, GENERATE), 5.0),
    ]
    return "\n".join(
        [
            "# R2Gen of paper size: training and generation\n",
            f"Made by `{command}`. {machine()}. {rounds} interleaved rounds; "
            "seconds are the processor's; in brackets 95 % intervals of the median.\n",
            "| Target | Found | Met |\n| --- | --- | --- |",
            *targets,
            f"\n## One training step\n\n{size.batch} studies of two views, {size.pixels} × "
            f"{size.pixels} pixels, {size.tokens} tokens; backbone {list(size.depths)}; Adam with "
            "AMSGrad, clipping by value. The published code has float32 only; there ResNet-101 "
            f"takes {share:.0%} of our step; both run it by the same kernels of the library.\n",
            table(training, PUBLISHED, "images", 2 * size.batch),
            f"\n## Beam search\n\n{studies} studies, {BEAMS} beams, {size.tokens} tokens, images "
            "encoded before; eos is never written, so every beam runs to the end. All three "
            "search the same model; the first and the last write the same reports.\n",
            table(generation, UNCACHED, "tokens", studies * size.tokens),
            "",
        ]
    )


def _words(found: list[float]) -> str:
    return f"{found[0]:.2f} ({found[1]:.2f} to {found[2]:.2f})"


def _met(is_met: bool) -> str:
    return "yes" if is_met else "**no**"


def main() -> None:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tiny model, nothing written")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch", type=int, default=Size().batch)
    options = parser.parse_args()
    torch.set_num_threads(1)
    size = QUICK if options.quick else Size(batch=options.batch)
    training = measure(training_ways(size), options.rounds)
    generation = measure(generation_ways(size, STUDIES), options.rounds)
    result = page(training, generation, size, STUDIES)
    print(result)
    if not options.quick:
        PAGE.write_text(result, encoding="utf-8")


if __name__ == "__main__":
    main()
