"""Seconds of `gradtruce evaluate` on as many reports as the test split of MIMIC-CXR has.

    OMP_NUM_THREADS=1 python -m benchmarks.evaluation [--reports 3858] [--write FILE.md]

Synthetic reports, each text once; generated texts are the references with sentences dropped, taken
from another report, or changed by a word. Everything but METEOR and CheXbert is timed on one core,
family by family; then the same with training texts and baselines, a comparison with a second
system, and METEOR, whose Java has threads of its own.
"""

import argparse
import os
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import scipy
import sklearn

import gradtruce
from benchmarks.labeler import phantom_studies
from gradtruce.data.observations import OBSERVATIONS, POSITIVE
from gradtruce.data.phantom.facts import StudyFacts
from gradtruce.evaluation.baselines import baseline_predictions
from gradtruce.evaluation.comparison import compare_all
from gradtruce.evaluation.evaluate import evaluate, plan, score
from gradtruce.evaluation.families.clinical import Clinical
from gradtruce.evaluation.families.degenerate import DegenerateOutput
from gradtruce.evaluation.families.error_card import ErrorCard
from gradtruce.evaluation.families.lexical import Lexical
from gradtruce.evaluation.families.standard import final_families
from gradtruce.evaluation.labelers.cached import CachedLabeler
from gradtruce.evaluation.labelers.rules import RulesLabeler
from gradtruce.evaluation.nlg.java import find_java
from gradtruce.evaluation.nlg.meteor import Meteor
from gradtruce.evaluation.predictions import Prediction
from gradtruce.evaluation.request import COMPARED
from gradtruce.evaluation.training_texts import TrainingTexts

MIMIC_CXR_TEST = 3858
TARGET_SECONDS = 60.0
SEED = 11


@dataclass(frozen=True)
class Timing:
    """Processor and wall seconds of one part."""

    name: str
    processor: float
    wall: float


def written_by(
    studies: Sequence[StudyFacts], others: Sequence[StudyFacts], seed: int
) -> list[Prediction]:
    """Return what a mediocre system could write of these studies, with labels and probabilities."""
    random = np.random.default_rng(seed)
    found = []
    for study, other in zip(studies, others, strict=True):
        truth = np.array([study.labels[name] for name in OBSERVATIONS])
        margins = np.where(truth == POSITIVE, 1.0, -1.0) + random.normal(0, 1, len(OBSERVATIONS))
        chances = (1 / (1 + np.exp(-margins))).tolist()
        found.append(
            Prediction(
                study.id,
                study.report,
                _noisy(study.report, other.report, random),
                dict(zip(OBSERVATIONS, chances, strict=True)),
                study.labels,
                "phantom truth",
            )
        )
    return found


def _noisy(report: str, other: str, random: np.random.Generator) -> str:
    """Return the report with about a third of its sentences dropped, exchanged or changed."""
    strange = other.split(". ")
    sentences = []
    for sentence in report.split(". "):
        fate = random.random()
        if fate < 0.1:
            continue
        words = (sentence if fate > 0.25 else strange[random.integers(len(strange))]).split()
        if words and fate > 0.9:
            del words[random.integers(len(words))]
        sentences.append(" ".join(words).rstrip("."))
    return ". ".join(sentences) + "."


Result = TypeVar("Result")


def timed(name: str, work: Callable[[], Result]) -> tuple[Timing, Result]:
    """Return how long a piece of work takes, and what comes of it."""
    wall, processor = time.perf_counter(), time.process_time()
    result = work()
    return Timing(name, time.process_time() - processor, time.perf_counter() - wall), result


def families(predictions: Sequence[Prediction], resamples: int) -> list[Timing]:
    """Return the seconds of each family: its texts are read, then its intervals drawn."""
    found = []
    for family in final_families(CachedLabeler(RulesLabeler())):
        read, plans = timed(f"{family.name}: texts", partial(plan, predictions, [family]))
        work = partial(score, plans, len(predictions), resamples=resamples)
        found += [read, timed(f"{family.name}: intervals", work)[0]]
    return found


def baselines(
    predictions: Sequence[Prediction], reports: Sequence[str], resamples: int
) -> list[Timing]:
    """Return the seconds of writing all baselines, and of scoring each."""
    training = TrainingTexts(tuple(reports), "synthetic")
    labeler = CachedLabeler(RulesLabeler())
    labeler.label([one for each in predictions for one in (each.reference, each.generated)])
    first, written = timed(
        f"four baselines written, of {len(reports):,} training reports",
        partial(baseline_predictions, predictions, training, labeler),
    )
    scored = [Lexical(), Clinical(labeler), ErrorCard(), DegenerateOutput(training)]
    return [first] + [
        timed(f"{name}: scored", partial(evaluate, texts, scored, resamples=resamples))[0]
        for name, texts in written.items()
    ]


def comparison(
    first: Sequence[Prediction], second: Sequence[Prediction], resamples: int
) -> list[Timing]:
    """Return the seconds of a paired comparison by the usual scores."""
    labeler = CachedLabeler(RulesLabeler())
    labeler.label([one for each in first for one in (each.reference, each.generated)])
    scored = [Lexical(), Clinical(labeler), ErrorCard()]
    work = partial(compare_all, first, {"other": second}, scored, COMPARED, resamples=resamples)
    return [timed(f"{len(COMPARED)} scores compared with another system", work)[0]]


def table(title: str, timings: Sequence[Timing]) -> list[str]:
    """Return the lines of one table, with its sum."""
    total = Timing("sum", sum(one.processor for one in timings), sum(one.wall for one in timings))
    rows = [
        f"| {one.name} | {one.processor:.1f} | {one.wall:.1f} |"
        for one in ([*timings, total] if len(timings) > 1 else timings)
    ]
    return [f"## {title}", "", "| | processor, s | wall, s |", "|---|---:|---:|", *rows, ""]


def page(command: str, parts: Sequence[tuple[str, list[Timing]]], *, met: float) -> str:
    """Return all tables below a heading that says where they come from."""
    versions = f"numpy {np.__version__}, scipy {scipy.__version__}, scikit-learn"
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    verdict = "met" if met <= TARGET_SECONDS else "**not met**"
    lines = [
        "# What evaluating costs",
        "",
        f"Made by `{command}`. {processor()}, {cores} cores, 1 thread in use but for Java; Python"
        f" {platform.python_version()}, {versions} {sklearn.__version__}, gradtruce"
        f" {gradtruce.__version__}.",
        "",
        f"Target: everything but METEOR and CheXbert within {TARGET_SECONDS:.0f} s on one core:"
        f" {met:.1f} s of the processor, {verdict}.",
        "",
    ]
    for title, timings in parts:
        lines += table(title, timings)
    return "\n".join(lines)


def processor() -> str:
    """Return what the processor calls itself."""
    facts = Path("/proc/cpuinfo")
    if facts.is_file():
        for line in facts.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def main() -> None:
    """Time everything, print the page, and write it where asked to."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--reports", type=int, default=MIMIC_CXR_TEST)
    parser.add_argument("--training", type=int, default=10_000)
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--no-meteor", action="store_true")
    parser.add_argument("--write", type=Path)
    options = parser.parse_args()
    number = options.reports
    studies = phantom_studies(2 * number + options.training, "standard", SEED)
    tested, others, trained = studies[:number], studies[number : 2 * number], studies[2 * number :]
    first, second = (written_by(tested, others, seed) for seed in (1, 2))
    words = sum(len(one.reference.split()) for one in first) / len(first)
    size = f"{number:,} reports of {words:.0f} words, {options.resamples:,} draws"
    usual = families(first, options.resamples)
    parts = [
        (f"Everything but METEOR and CheXbert: {size}", usual),
        ("Baselines, on top", baselines(first, [one.report for one in trained], options.resamples)),
        ("A second system, on top", comparison(first, second, options.resamples)),
    ]
    if not options.no_meteor:
        work = partial(evaluate, first, [Lexical(meteor=Meteor())], resamples=options.resamples)
        run, _ = timed("texts and intervals", work)
        title = f"METEOR with the other word scores, one process of Java {find_java().version}"
        parts.append((title, [run]))
    command = "OMP_NUM_THREADS=1 python -m benchmarks.evaluation"
    shown = page(command, parts, met=sum(one.processor for one in usual))
    print(shown)
    if options.write:
        options.write.write_text(shown, encoding="utf-8")


if __name__ == "__main__":
    main()
