"""Whether a method uses the prior study: its scores with the right prior, another's, and none.

    python -m benchmarks.priors RUN [RUN …] [--write benchmarks/results/priors.md]

Takes runs that were trained with `data.priors = true`, and their test studies that have a prior.
Priors are shuffled among these studies: that of another patient says as much about findings at
large as the right one, but nothing of this study. Intervals are a paired bootstrap over patients,
of one run.
"""

import argparse
import platform
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import torch
from jaxtyping import Float, Int

from benchmarks.evaluation import processor
from gradtruce.data.batch import Batch
from gradtruce.data.observations import FINDINGS, OBSERVATIONS
from gradtruce.evaluation.errors.extract import Extractor
from gradtruce.evaluation.labelers.rules import RulesLabeler
from gradtruce.methods.base import Decoding
from gradtruce.methods.registry import Method, load
from gradtruce.training.config import RunConfig
from gradtruce.training.config_file import load_config
from gradtruce.training.data_parts import load_data

PRIOR: Final = ("prior_pixel_values", "prior_mask", "prior_input_ids", "prior_labels")
DRAWS: Final = 2000
CHANGES: Final = ("new", "increased", "decreased", "resolved")
"""What a report may say against the prior study; "unchanged" is none."""

Counts = Float[np.ndarray, "studies 3"]
"""Right, written, and true ones of each study."""


def studies_with_priors(batches: Iterable[Batch]) -> list[Batch]:
    """Return every study that has a prior, as a batch of its own."""
    every = [batch.part(slice(row, row + 1)) for batch in batches for row in range(len(batch))]
    return [one for one in every if one.prior_mask is not None and bool(one.prior_mask.any())]


def givers(patients: Sequence[str], seed: int) -> dict[int, int]:
    """Return for every study the one whose prior it gets, of another patient.

    Patients stand in a random circle, the studies of each side by side; every study takes the prior
    of the one that is as many places on as the most frequent patient has studies.

    Raises:
        ValueError: If one patient has more than half of the studies.

    >>> givers(["a", "a", "b", "b"], seed=0) in ({0: 2, 1: 3, 2: 0, 3: 1}, {2: 0, 3: 1, 0: 2, 1: 3})
    True
    """
    most = max(Counter(patients).values())
    if 2 * most > len(patients):
        raise ValueError(
            f"one patient has {most} of the {len(patients)} studies with a prior, so that priors "
            "of other patients can't be given to all; take a larger set"
        )
    names = sorted(set(patients))
    place = dict(zip(names, np.random.default_rng(seed).permutation(len(names)), strict=True))
    circle = sorted(range(len(patients)), key=lambda study: (place[patients[study]], study))
    return dict(zip(circle, circle[most:] + circle[:most], strict=True))


def exchanged(studies: Sequence[Batch], patients: Sequence[str], seed: int) -> list[Batch]:
    """Return the studies with priors of other patients."""
    giver = givers(patients, seed)
    return [
        replace(one, **{name: getattr(studies[giver[place]], name) for name in PRIOR})
        for place, one in enumerate(studies)
    ]


def without(studies: Sequence[Batch]) -> list[Batch]:
    """Return the studies as if they had no prior."""
    return [replace(one, **dict.fromkeys(PRIOR)) for one in studies]


def written(
    method: Method, studies: Sequence[Batch], decoding: Decoding
) -> tuple[list[str], Float[np.ndarray, "studies observations"]]:
    """Return the report and the probabilities of the findings of every study."""
    made = [method.generate_reports(one, decoding) for one in studies]
    findings = [each.findings for each in made if each.findings is not None]
    if len(findings) != len(made):
        raise ValueError("the method has no findings head; nothing to compare")
    return [each.texts[0] for each in made], torch.cat(findings).cpu().numpy()


def changes_told(reports: Sequence[str]) -> list[set[tuple[str, str]]]:
    """Return the changes that each report states: observation and direction.

    >>> changes_told(["The left effusion has increased.", "Clear lungs."])
    [{('Pleural Effusion', 'increased')}, set()]
    """
    read = map(Extractor().read, reports)
    return [
        {
            (said.observation, said.change)
            for said in (*found.present, *found.absent)
            if said.change in CHANGES
        }
        for found in read
    ]


def overlap(found: Sequence[set[tuple[str, str]]], true: Sequence[set[tuple[str, str]]]) -> Counts:
    """Return the counts of two lists of sets."""
    pairs = zip(found, true, strict=True)
    return np.array([[len(a & b), len(a), len(b)] for a, b in pairs], dtype=float)


def cells(
    found: Float[np.ndarray, "studies observations"],
    true: Float[np.ndarray, "studies observations"],
    counted: Float[np.ndarray, "studies observations"],
) -> Counts:
    """Return the counts of positive cells among those that count."""
    is_found, is_true = (found > 0) & (counted > 0), (true > 0) & (counted > 0)
    rows = ((is_found & is_true), is_found, is_true)
    return np.stack([row.sum(axis=1) for row in rows], axis=1).astype(float)


def f1(counts: Counts) -> float:
    """Return the micro F1 of counts; 0 where nothing is found and nothing true."""
    right, said, true = counts.sum(axis=0)
    return float(2 * right / (said + true)) if said + true else 0.0


def difference(
    first: Counts, second: Counts, patients: Sequence[str], seed: int = 0
) -> tuple[float, float, float]:
    """Return first − second in F1, with its interval of 95 % over patients."""
    random = np.random.default_rng(seed)
    names, of_study = np.unique(np.array(patients), return_inverse=True)
    sums = [np.zeros((len(names), 3)), np.zeros((len(names), 3))]
    for each, counts in zip(sums, (first, second), strict=True):
        np.add.at(each, of_study, counts)
    draws: list[Int[np.ndarray, " patients"]] = [
        random.integers(0, len(names), len(names)) for _ in range(DRAWS)
    ]
    drawn = [f1(sums[0][rows]) - f1(sums[1][rows]) for rows in draws]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return f1(first) - f1(second), float(low), float(high)


def measures(
    studies: Sequence[Batch],
) -> dict[str, Callable[[list[str], Float[np.ndarray, "studies observations"]], Counts]]:
    """Return every measure by what it counts, as a function of reports and probabilities."""
    places = [OBSERVATIONS.index(name) for name in FINDINGS]
    labels = np.concatenate([one.labels.numpy() for one in studies])[:, places]
    before = np.concatenate(
        [one.prior_labels.numpy() for one in studies if one.prior_labels is not None]
    )[:, places]
    told = changes_told([one.reports[0] for one in studies])
    changed = np.array([bool(each) for each in told])[:, None] * np.ones_like(labels)
    named = np.array([[any(name == of for of, _ in each) for name in FINDINGS] for each in told])
    turned = ((labels > 0) != (before > 0)).astype(float)
    labeler = RulesLabeler()

    def text(reports: list[str], counted: Float[np.ndarray, "studies observations"]) -> Counts:
        return cells(labeler.label(reports)[:, places] == 1, labels, counted)

    def head(
        found: Float[np.ndarray, "studies observations"],
        counted: Float[np.ndarray, "studies observations"],
    ) -> Counts:
        return cells(found[:, places] >= 0.5, labels, counted)

    every = np.ones_like(labels)
    return {
        "stated changes (finding and direction)": lambda reports, _: overlap(
            changes_told(reports), told
        ),
        "findings with a stated change, report": lambda reports, _: text(reports, named),
        "findings with a stated change, head": lambda _, found: head(found, named),
        "findings of studies with a stated change, report": lambda reports, _: text(
            reports, changed
        ),
        "findings of studies with a stated change, head": lambda _, found: head(found, changed),
        "findings that came or went, report": lambda reports, _: text(reports, turned),
        "findings that came or went, head": lambda _, found: head(found, turned),
        "all findings, report": lambda reports, _: text(reports, every),
        "all findings, head": lambda _, found: head(found, every),
    }


def table(
    studies: Sequence[Batch],
    patients: Sequence[str],
    arms: Mapping[str, tuple[list[str], np.ndarray]],
) -> list[str]:
    """Return the rows of one run."""
    lines = [
        "| micro F1 of | true ones | right prior | shuffled | none | right − shuffled [95 %] "
        "| right − none [95 %] |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, measure in measures(studies).items():
        counts = {arm: measure(*said) for arm, said in arms.items()}
        scores = " | ".join(f"{f1(each):.3f}" for each in counts.values())
        gaps = [difference(counts["right"], counts[arm], patients) for arm in ("shuffled", "none")]
        told = " | ".join(f"{gap:+.3f} [{low:+.3f}, {high:+.3f}]" for gap, low, high in gaps)
        lines.append(f"| {name} | {int(counts['right'][:, 2].sum())} | {scores} | {told} |")
    return lines


def compared(run: Path) -> list[str]:
    """Return what the page says of one run.

    Raises:
        SystemExit: If it was trained without priors.
    """
    config: RunConfig = load_config(run / "config.toml")
    if not config.data.priors:
        raise SystemExit(f"{run} was trained without priors: train with data.priors=true")
    data = load_data(config)
    studies = studies_with_priors(data.test)
    split = data.dataset.split("test")
    patient_of = dict(zip(split.ids, split.patients, strict=True))
    patients = [patient_of[one.ids[0]] for one in studies]
    method = load(run / "checkpoints" / "best").eval()
    decoding = Decoding(beams=1, max_tokens=config.data.max_tokens)
    arms = {
        "right": written(method, studies, decoding),
        "shuffled": written(method, exchanged(studies, patients, seed=0), decoding),
        "none": written(method, without(studies), decoding),
    }
    manifest, training = data.dataset.manifest, config.training
    facts = ", ".join(f"{name} {value}" for name, value in manifest.parameters.items())
    return [
        f"## `{config.method.name}`, `{config.balance.name}`, seed {training.seed}",
        "",
        f"{training.steps} steps of {training.batch_size} studies; data: {manifest.name}, {facts}. "
        f"{len(studies)} of {len(split)} test studies have a prior, of {len(set(patients))} "
        "patients.",
        "",
        *table(studies, patients, arms),
        "",
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    """Read, shuffle, write, compare."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.priors", description=__doc__)
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN")
    parser.add_argument("--write", type=Path)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    head = [
        "# Does it use the prior study?",
        "",
        f"Made by `python -m benchmarks.priors {' '.join(['RUN'] * len(options.runs))}`; "
        "docs/methods.md has the commands that made the runs. "
        f"{processor()}, 1 thread; torch {torch.__version__}, python {platform.python_version()}.",
        "",
        "Each test study with a prior gets its own, that of another patient, and none; reports are "
        "greedy. *Findings with a stated change* are the cells of a study and an observation that "
        "the reference calls new, increased, decreased or resolved; *that came or went*, those "
        "whose label was another in the prior. Intervals are a bootstrap over patients and say "
        "nothing of other training seeds.",
        "",
    ]
    page = "\n".join([*head, *(line for run in options.runs for line in compared(run))])
    if options.write is not None:
        options.write.write_text(page, encoding="utf-8")
    print(page)


if __name__ == "__main__":
    main()
