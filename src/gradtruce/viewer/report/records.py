"""What run folders and comparison folders hold, read and checked for the page."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, final

import numpy as np
from jaxtyping import Float

from gradtruce.evaluation.metrics import Metrics
from gradtruce.evaluation.predictions import Prediction, read_predictions
from gradtruce.evaluation.significance import Score
from gradtruce.training.config import RunConfig
from gradtruce.training.config_file import load_config
from gradtruce.training.runlog import read_log

SCHEMA = 1
Json = Mapping[str, Any]  # a JSON object: text, numbers, lists and objects


Scores = Mapping[str, Score]


@final
@dataclass(frozen=True, eq=False)
class RunLog:
    """The lines of `log.jsonl` by kind, in order."""

    steps: Sequence[Json] = ()
    nulls: Sequence[Json] = ()
    validations: Sequence[Json] = ()
    notes: Sequence[Json] = ()

    def column(
        self, *keys: str, kind: str = "steps"
    ) -> tuple[Float[np.ndarray, " lines"], Float[np.ndarray, " lines"]]:
        """Return steps and values of one entry of every line, NaN where a line lacks it.

        >>> log = RunLog(steps=[{"step": 3, "losses": {"report": 1.5}}, {"step": 4}])
        >>> log.column("losses", "report")
        (array([3., 4.]), array([1.5, nan]))
        """
        lines: Sequence[Json] = getattr(self, kind)
        steps = np.array([float(line["step"]) for line in lines])
        return steps, np.array([_entry(line, keys) for line in lines])

    def names(self, key: str, kind: str = "steps") -> list[str]:
        """Return the names that occur under a key of the lines, in order of appearance.

        >>> RunLog(steps=[{"step": 1, "losses": {"report": 1.0, "findings": 2.0}}]).names("losses")
        ['report', 'findings']
        """
        lines: Sequence[Json] = getattr(self, kind)
        return list(dict.fromkeys(name for line in lines for name in line.get(key) or {}))


@final
@dataclass(frozen=True, eq=False)
class RunRecord:
    """Everything a run left behind, but for its checkpoints.

    Attributes:
        folder: The run folder.
        label: Name on the page.
        config: The resolved configuration.
        config_text: The same as it stands in the file.
        log: Training log.
        metrics: Scores of the test split, with their protocols.
        scores: By flat name, such as "clinical.micro_13.uncertain_negative.f1".
        predictions: Generated reports of the test split, by study id.
        facts: Times and counts that a comparison recorded of the run.
    """

    folder: Path
    label: str
    config: RunConfig
    config_text: str
    log: RunLog
    metrics: Metrics
    scores: Scores
    predictions: Mapping[str, Prediction]
    facts: Json = field(default_factory=dict)


@final
@dataclass(frozen=True, eq=False)
class Comparison:
    """What `summary.json` says beyond the runs themselves.

    Attributes:
        is_synthetic: Whether the images are phantoms.
        data: Facts of the data set, such as counts, level, image size and seed.
        baselines: Label and scores of what needs no training, by name.
        differences: Second run minus the first, paired over the test studies.
        caveats: What the reader must know.
        machine: Versions and machine.
    """

    is_synthetic: bool
    data: Json
    baselines: Mapping[str, tuple[str, Scores]]
    differences: Scores
    caveats: Sequence[str]
    machine: Json


def read_comparison(folder: Path) -> tuple[Comparison, tuple[RunRecord, ...]]:
    """Return a comparison folder's summary and its runs, in the summary's order.

    Raises:
        FileNotFoundError: If a file is missing; the message names the command that makes it.
        ValueError: If a file cannot be read.
        TypeError: If a field that must be an object is missing or is none.

    >>> read_comparison(Path("runs/nowhere"))
    Traceback (most recent call last):
    FileNotFoundError: runs/nowhere/summary.json is missing; `gradtruce demo` makes it
    """
    path = folder / "summary.json"
    summary = read_json(path, "gradtruce demo")
    arms = _needed(summary, "arms", path)
    baselines = {
        name: (str(entry.get("label", name)), read_scores(entry.get("scores", {}), path))
        for name, entry in summary.get("baselines", {}).items()
    }
    comparison = Comparison(
        is_synthetic=bool(summary.get("is_synthetic")),
        data=summary.get("data", {}),
        baselines=baselines,
        differences=read_scores(summary.get("differences", {}), path),
        caveats=tuple(str(caveat) for caveat in summary.get("caveats", ())),
        machine=summary.get("machine", {}),
    )
    runs = []
    for name, arm in arms.items():
        run = read_run(folder / str(arm.get("run", name)), label=str(arm.get("label", name)))
        shown = {**run.scores, **read_scores(arm.get("scores", {}), path)}
        facts = {key: value for key, value in arm.items() if key not in {"label", "run", "scores"}}
        runs.append(replace(run, scores=shown, facts=facts))
    return comparison, tuple(runs)


def read_run(folder: Path, label: str | None = None) -> RunRecord:
    """Return what a run folder holds.

    Raises:
        FileNotFoundError: If a file is missing; the message names the command that makes it.
        ValueError: If a file cannot be read.

    >>> read_run(Path("runs/nowhere"))
    Traceback (most recent call last):
    FileNotFoundError: runs/nowhere/config.toml is missing; `gradtruce train` makes it
    """
    for name, command in (
        ("config.toml", "gradtruce train"),
        ("log.jsonl", "gradtruce train"),
        ("predictions.jsonl", "gradtruce train"),
        ("metrics.json", f"gradtruce evaluate {folder / 'predictions.jsonl'}"),
    ):
        _present(folder / name, command)
    metrics = Metrics.read(folder / "metrics.json")
    text = (folder / "config.toml").read_text(encoding="utf-8")
    return RunRecord(
        folder=folder,
        label=label or folder.name,
        config=load_config(folder / "config.toml"),
        config_text=text,
        log=_read_log(folder / "log.jsonl"),
        metrics=metrics,
        scores=metrics.flat(),
        predictions={p.id: p for p in read_predictions(folder / "predictions.jsonl")},
    )


def read_json(path: Path, command: str) -> dict[str, Any]:
    """Return the object in a JSON file of schema 1.

    Args:
        path: The file.
        command: What makes it, for the message where it is missing.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it holds no JSON object of schema 1.

    >>> read_json(Path("nowhere.json"), "gradtruce demo")
    Traceback (most recent call last):
    FileNotFoundError: nowhere.json is missing; `gradtruce demo` makes it
    """
    _present(path, command)
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(
            f"{path}: not readable as JSON ({error}); make it again: {command}"
        ) from None
    if not isinstance(table, dict) or table.get("schema") != SCHEMA:
        found = table.get("schema") if isinstance(table, dict) else type(table).__name__
        raise ValueError(f"{path}: must be an object of schema {SCHEMA}, found {found!r}")
    return table


def read_scores(entries: Mapping[str, Any], path: Path) -> dict[str, Score]:
    """Return the scores of a JSON object {name: {value, low, high, reason}}.

    >>> read_scores({"nlg.bleu_1": {"value": 0.5, "low": 0.4, "high": 0.6}}, Path("x"))
    {'nlg.bleu_1': Score(value=0.5, low=0.4, high=0.6, reason='')}
    """
    return {name: _score(entry, f"{path}: {name}") for name, entry in entries.items()}


def _score(entry: Any, where: str) -> Score:  # whatever the file holds
    if not isinstance(entry, Mapping) or "value" not in entry:
        raise ValueError(f"{where}: a score must be an object with a value, found {entry!r}")
    value, low, high = (_number(entry.get(key)) for key in ("value", "low", "high"))
    return Score(value, low, high, str(entry.get("reason") or ""))


def _number(value: Any) -> float | None:  # whatever the file holds
    is_number = isinstance(value, int | float) and math.isfinite(value)
    return float(value) if is_number else None


def _entry(line: Json, keys: Sequence[str]) -> float:
    value: Any = line  # goes down from the line to a number
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    number = _number(value)
    return math.nan if number is None else number


def _present(path: Path, command: str) -> None:
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing; `{command}` makes it")


def _needed(table: Json, key: str, path: Path) -> Mapping[str, Any]:
    value = table.get(key)
    if not isinstance(value, Mapping):
        raise TypeError(f"{path}: field {key!r} must be an object, found {value!r}")
    return value


def _read_log(path: Path) -> RunLog:
    lines: dict[str, list[Json]] = {"step": [], "null": [], "validation": [], "note": []}
    for line in read_log(path):
        lines.setdefault(str(line.get("kind")), []).append(line)
    return RunLog(lines["step"], lines["null"], lines["validation"], lines["note"])
