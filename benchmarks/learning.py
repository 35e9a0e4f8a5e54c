"""Whether every method learns: small presets on the phantom and on real reports.

    python -m benchmarks.learning --annotation annotation.json --reports indiana_reports.csv

Draws the phantom, builds clusters and prototypes, trains every method with linear scalarization and
with CAME-Grad, and scores each run beside the all-normal and the most frequent report. With
`--annotation` (R2Gen's file of IU X-Ray) the methods are also trained on its reports: labels by
`gradtruce label`, images drawn by the phantom, from the MeSH terms of `--reports` (Open-i's folder
or indiana_reports.csv) too where it is given. Everything is done by commands of `gradtruce`.

Runs that are finished are kept, so the command goes on where it was stopped. The page
results/learning.md, and its numbers as JSON beside it, are written anew after each run. With
`--add` the rows that are there stay, but for those of the runs asked for:

    python -m benchmarks.learning --methods ddatr --sets phantom --add
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import get_args

from benchmarks.learning_rows import Results, read_rows
from benchmarks.learning_runs import (
    BALANCERS,
    PRESETS,
    SIZE,
    Case,
    SetName,
    gradtruce,
    make_needed,
    run_cases,
)
from benchmarks.learning_table import page
from gradtruce.data.prepared import PreparedDataset

BOTH_ON_TEXT = ("r2gen",)
"""Methods that are trained on real text with CAME-Grad too."""


def listed_cases(options: argparse.Namespace) -> list[Case]:
    """Return the runs in the order of the page."""
    steps = {"phantom": options.steps, "iu-text": options.text_steps}
    return [
        Case(data, method, balancer, steps[data])
        for data in options.sets
        for method in options.methods
        for balancer in BALANCERS
        if data == "phantom" or balancer == "linear" or method in BOTH_ON_TEXT
    ]


def prepare_sets(options: argparse.Namespace) -> dict[SetName, Path]:
    """Prepare the sets that are asked for, where they are not there, and return their folders."""
    sets: dict[SetName, Path] = {name: options.folder / name for name in options.sets}
    prepare: dict[SetName, Callable[[Path, argparse.Namespace], None]] = {
        "phantom": _prepare_phantom,
        "iu-text": _prepare_text,
    }
    for name, folder in sets.items():
        if not (folder / "manifest.json").is_file():
            prepare[name](folder, options)
    return sets


def _prepare_phantom(folder: Path, options: argparse.Namespace) -> None:
    """Draw the phantom."""
    gradtruce(
        *("prepare", "phantom", str(folder), "--studies", str(options.studies)),
        *("--size", str(SIZE), "--seed", "0"),
    )


def _prepare_text(folder: Path, options: argparse.Namespace) -> None:
    """Label the reports of the annotation file, of all splits, and draw their images."""
    reports, labels = folder.with_suffix(".jsonl"), folder.with_suffix(".csv")
    splits = json.loads(options.annotation.read_text(encoding="utf-8"))
    lines = [
        json.dumps({"id": entry["id"], "report": entry["report"]})
        for entries in splits.values()
        for entry in entries
    ]
    reports.write_text("\n".join(lines) + "\n", encoding="utf-8")
    gradtruce("label", str(reports), "--output", str(labels))
    known = [] if options.reports is None else ["--reports", str(options.reports)]
    gradtruce(
        *("prepare", "iu_xray", str(folder), "--images", "phantom", "--size", str(SIZE)),
        *("--annotation", str(options.annotation), *known, "--labels", str(labels)),
        "--no-pictures",
    )


def described_sets(sets: dict[SetName, Path]) -> dict[SetName, str]:
    """Return a sentence on every set."""
    found: dict[SetName, str] = {}
    for name, folder in sets.items():
        splits = PreparedDataset.open(folder).manifest.splits
        counts = " / ".join(f"{splits[split]:,}" for split in ("train", "val", "test"))
        found[name] = f"{counts} studies for training, validation and test; {SIZE} pixels, 2 views."
    return found


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.learning", description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("runs/learning"))
    parser.add_argument("--methods", nargs="+", choices=list(PRESETS), default=list(PRESETS))
    parser.add_argument(
        "--sets", nargs="+", choices=get_args(SetName), help="all that --annotation allows"
    )
    parser.add_argument("--add", action="store_true", help="keep the rows of other runs")
    parser.add_argument("--steps", type=int, default=400, help="of each run on the phantom")
    parser.add_argument("--text-steps", type=int, default=600, help="of each run on real text")
    parser.add_argument("--studies", type=int, default=2000, help="of the phantom")
    parser.add_argument("--annotation", type=Path, help="annotation.json of R2Gen, IU X-Ray")
    parser.add_argument("--reports", type=Path, help="Open-i's folder, or indiana_reports.csv")
    parser.add_argument("--workers", type=int, default=2, help="trainings at a time")
    parser.add_argument(
        "--write", type=Path, default=Path(__file__).parent / "results" / "learning.md"
    )
    options = parser.parse_args(arguments)
    if options.reports is not None and options.annotation is None:
        parser.error("--reports says what to draw for the reports of --annotation; give both")
    if options.sets is None:
        options.sets = ["phantom"] if options.annotation is None else list(get_args(SetName))
    elif "iu-text" in options.sets and options.annotation is None:
        parser.error("the set iu-text is made of --annotation; give it")
    return options


def told_command(options: argparse.Namespace) -> str:
    """Return the command without folders, as the page tells it."""
    told = {"annotation": "annotation.json", "reports": "indiana_reports.csv"}
    words = [] if options.methods == list(PRESETS) else ["--methods", *options.methods]
    every = list(get_args(SetName)) if options.annotation else ["phantom"]
    words += [] if options.sets == every else ["--sets", *options.sets]
    words += ["--add"] if options.add else []
    words += ["--steps", str(options.steps), "--text-steps", str(options.text_steps)]
    words += [word for name in told if getattr(options, name) for word in (f"--{name}", told[name])]
    return " ".join(["python -m benchmarks.learning", *words])


def main(arguments: Sequence[str] | None = None) -> None:
    """Train what is not trained yet, and write the page."""
    options = parsed(arguments)
    options.folder.mkdir(parents=True, exist_ok=True)
    cases, sets = listed_cases(options), prepare_sets(options)
    described, kept = described_sets(sets), Results({})
    if options.add:
        kept = Results.read(options.write.with_suffix(".json"))
        kept.require_same(described)
    for name, folder in sets.items():
        make_needed([case for case in cases if case.data == name], folder)

    def write() -> None:
        rows = read_rows(cases, sets, options.folder, told_command(options))
        results = kept.with_rows(described, rows)
        results.write(options.write.with_suffix(".json"))
        options.write.write_text(page(results), encoding="utf-8")

    run_cases(cases, sets, options.folder, workers=options.workers, finished=write)
    write()
    sys.stdout.write(options.write.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
