"""Small files for `gradtruce evaluate` and `gradtruce label`, and how tests run the two."""

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from gradtruce.cli.app import run
from gradtruce.data.observations import OBSERVATIONS
from gradtruce.evaluation.predictions import Prediction, write_predictions

QUICK = ("--no-meteor", "--resamples", "20")

REPORTS = {
    "a": ("the heart is enlarged .", "the heart is enlarged ."),
    "b": ("no pleural effusion .", "small left pleural effusion ."),
    "c": ("there is a right pneumothorax .", "no pneumothorax ."),
    "d": ("possible edema . the lungs are otherwise clear .", "the lungs are clear ."),
}
"""Reference and generated text by id."""

TRAINING = ("the lungs are clear .", "the lungs are clear .", "a large right pneumothorax .")


def predictions(folder: Path, name: str = "predictions.jsonl", **generated: str) -> Path:
    """Write the reports, some of them generated otherwise; return the file."""
    rows = [
        Prediction(study, reference, generated.get(study, text))
        for study, (reference, text) in REPORTS.items()
    ]
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    write_predictions(path, rows)
    return path


def training(folder: Path, texts: Sequence[str] = TRAINING) -> Path:
    """Write training reports; return the file."""
    path = folder / "train.jsonl"
    rows = ({"id": f"t{number}", "report": text} for number, text in enumerate(texts))
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def labels(folder: Path, states: Mapping[str, Mapping[str, int]], name: str = "truth.csv") -> Path:
    """Write labels by id; return the file."""
    path = folder / name
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", *OBSERVATIONS])
        for study, known in states.items():
            writer.writerow([study, *(known.get(name, "") for name in OBSERVATIONS)])
    return path


def evaluated(*arguments: object) -> dict[str, Any]:
    """Run `gradtruce evaluate`, which must succeed; return the content of metrics.json."""
    assert run(["evaluate", *map(str, arguments), *QUICK]) == 0
    given = [Path(str(each)) for each in arguments]
    target = given[1 + given.index(Path("--output"))] if Path("--output") in given else None
    folder = given[0] if given[0].is_dir() else given[0].parent
    return json.loads((target or folder / "metrics.json").read_text("utf-8"))


def refused(capsys: pytest.CaptureFixture[str], folder: Path, *arguments: object) -> str:
    """Run a command that must fail with one line, print nothing and leave all files as they were.

    Returns:
        The line.
    """
    before = contents(folder)
    assert run([str(each) for each in arguments]) == 2
    printed = capsys.readouterr()
    lines = printed.err.splitlines()
    assert len(lines) == 1, printed.err
    assert lines[0].startswith("gradtruce: error: ")
    assert not printed.out
    assert contents(folder) == before
    return lines[0]


def contents(folder: Path) -> dict[Path, bytes]:
    """Return all files below a folder with their bytes."""
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
