"""The page of the benchmark of R2Gen: targets first, then the numbers behind them."""

import os
import platform
import statistics
import sys
from importlib.metadata import version
from pathlib import Path

import torch

from benchmarks.engine import interval
from benchmarks.published_r2gen import Size

PUBLISHED, PUBLISHED_BF16 = "published loop, re-stated", "the same, bfloat16 autocast"
OURS, OURS_BF16 = "ours", "ours, bfloat16 autocast"
BACKBONE = "backbone of ours alone, float32"
CACHED, GENERATE, UNCACHED = "published beams, cached", "`generate`, cached", "no cache"
GENERATE_BF16 = "`generate`, cached, bfloat16 autocast"
BEAMS = 3

Times = dict[str, list[float]]


def ratio(times: Times, slow: str, fast: str) -> list[float]:
    """Return how many times faster a way is than another, with its interval."""
    return interval([a / b for a, b in zip(times[slow], times[fast], strict=True)])


def table(times: Times, base: str, unit: str, per_run: int) -> str:
    """Return the rows of one comparison in Markdown."""
    rows = [f"| Way | seconds | {unit} a second | × {base} |", "| --- | --- | --- | --- |"]
    for name, values in times.items():
        middle = statistics.median(values)
        times_base = _words(ratio(times, base, name)) if name != base else "1"
        rows.append(f"| {name} | {middle:.3g} | {per_run / middle:.1f} | {times_base} |")
    return "\n".join(rows)


def target(what: str, found: list[float], least: float) -> str:
    """Return the row of a target in Markdown."""
    return f"| {what} ≥ {least} × | {_words(found)} × | {_met(found[0] >= least)} |"


def machine(device: torch.device) -> str:
    """Return what the numbers depend on."""
    packages = ("torch", "transformers", "gradtruce")
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
        return f"{name}; Python {platform.python_version()}, {versions}"
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    flags = next((line for line in lines if line.startswith("flags")), "")
    has_bf16 = "with" if "avx512_bf16" in flags else "without"
    return (
        f"{names[0] if names else platform.processor()} {has_bf16} bfloat16 products, "
        f"{len(names)} cores, 1 thread in use, {_allocator()}; "
        f"Python {platform.python_version()}, {versions}"
    )


def page(training: Times, generation: Times, size: Size, studies: int, device: torch.device) -> str:
    """Return the results in Markdown."""
    command = " ".join(["python -m benchmarks.generation", *sys.argv[1:]])
    clock = "by the clock" if device.type == "cuda" else "the processor's"
    targets = [
        target("training step, float32", ratio(training, PUBLISHED, OURS), 1.5),
        target("training step, ours in bfloat16", ratio(training, PUBLISHED, OURS_BF16), 1.5),
        target("beam-3 generation, cached", ratio(generation, UNCACHED, CACHED), 5.0),
        target("beam-3 generation, `generate`", ratio(generation, UNCACHED, GENERATE), 5.0),
    ]
    return "\n".join(
        [
            "# R2Gen of paper size: training and generation\n",
            f"Made by `{command}`. {machine(device)}. {len(training[OURS])} interleaved rounds; "
            f"seconds are {clock}; in brackets 95 % intervals of the median.\n",
            "| Target | Found | Met |\n| --- | --- | --- |",
            *targets,
            f"\n## One training step\n\n{_about_a_step(training, size)}\n",
            table(training, PUBLISHED, "images", 2 * size.batch),
            f"\n## Beam search\n\n{studies} studies, {BEAMS} beams, {size.tokens} tokens, images "
            "encoded before; eos is never written, so every beam runs to the end. All search the "
            "same model; `generate` in float32 and no cache write the same reports.\n",
            table(generation, UNCACHED, "tokens", studies * size.tokens),
            "",
        ]
    )


def _about_a_step(training: Times, size: Size) -> str:
    share = 1 / ratio(training, OURS, BACKBONE)[0]
    return (
        f"{size.batch} studies of two views, {size.pixels} × {size.pixels} pixels, {size.tokens} "
        f"tokens; backbone {list(size.depths)}; Adam with AMSGrad, clipping by value. The "
        f"published code has float32 only; there ResNet-101 takes {share:.0%} of our step. Ours "
        f"in bfloat16 is {_words(ratio(training, OURS, OURS_BF16))} times as fast as in float32."
    )


def _allocator() -> str:
    told = [f"{name}={value}" for name, value in os.environ.items() if name.startswith("MALLOC_")]
    libc = " ".join(platform.libc_ver())
    return f"{libc} told {' '.join(sorted(told))}" if told else f"{libc} as it comes"


def _words(found: list[float]) -> str:
    return f"{found[0]:.2f} ({found[1]:.2f} to {found[2]:.2f})"


def _met(is_met: bool) -> str:
    return "yes" if is_met else "**no**"
