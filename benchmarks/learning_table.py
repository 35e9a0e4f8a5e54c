"""The page of the learning benchmark: what every run scored, beside writers that see no image."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

from benchmarks.evaluation import processor
from benchmarks.learning_runs import TIMES, Case, SetName
from gradtruce.evaluation.baselines import (
    ALL_NORMAL,
    MOST_FREQUENT,
    RANDOM_TRAINING,
    baseline_predictions,
)
from gradtruce.evaluation.evaluate import evaluate
from gradtruce.evaluation.families.clinical import Clinical
from gradtruce.evaluation.headline import SELECTION
from gradtruce.evaluation.labelers.cached import CachedLabeler
from gradtruce.evaluation.labelers.rules import RulesLabeler
from gradtruce.evaluation.metrics import Metrics
from gradtruce.evaluation.predictions import read_predictions
from gradtruce.evaluation.significance import Score
from gradtruce.evaluation.training_texts import read_training_texts
from gradtruce.study.machine import machine
from gradtruce.training.config_file import load_config

BASELINES: Final = (ALL_NORMAL, MOST_FREQUENT, RANDOM_TRAINING)

TITLES: Final[dict[SetName, str]] = {
    "phantom": "The phantom",
    "iu-text": "Reports of IU X-Ray, images of the phantom",
}

_HEADING: Final = (
    "| method | balancer | micro F1 [95 %] | all-normal | most frequent | random | above all "
    "| AUC of findings | BLEU-4 | steps, best | minutes | processor minutes |"
)


@final
@dataclass(frozen=True)
class Row:
    """What one run came to.

    Attributes:
        case: The run.
        score: Its clinical F1 on the test split.
        baselines: The same score of what the baselines write for the same studies.
        auc: Macro AUC of the findings head, where there is one.
        bleu: BLEU-4.
        best_step: Step of the checkpoint that wrote the reports.
        seconds: From start to end, with training, validation, generation and scoring.
        processor_seconds: Of these, how many a core worked.
        load: Of the machine before the start: processes that run or wait for a core.
    """

    case: Case
    score: Score
    baselines: Mapping[str, Score]
    auc: float | None
    bleu: float | None
    best_step: int
    seconds: float
    processor_seconds: float
    load: float

    @property
    def beats_baselines(self) -> bool:
        """Return whether its interval lies above those of all baselines."""
        low = self.score.low
        highs = [baseline.high for baseline in self.baselines.values()]
        return low is not None and all(high is not None and low > high for high in highs)


def read_row(case: Case, data: Path, folder: Path, labeler: CachedLabeler) -> Row:
    """Return what the run in a folder came to; its baselines are scored here."""
    scores = Metrics.read(folder / "metrics.json").flat()
    times = json.loads((folder / TIMES).read_text(encoding="utf-8"))
    config = load_config(folder / "config.toml")
    predictions = read_predictions(folder / "predictions.jsonl")
    training = read_training_texts(data, config.data.cleaning)
    written = baseline_predictions(predictions, training, labeler)
    families = [Clinical(labeler)]
    return Row(
        case=case,
        score=scores[SELECTION],
        baselines={name: evaluate(written[name], families).flat()[SELECTION] for name in BASELINES},
        auc=scores["classification.macro_auc"].value,
        bleu=scores["nlg.bleu_4"].value,
        best_step=_best_step(folder / "log.jsonl"),
        seconds=times["wall_seconds"],
        processor_seconds=times["processor_seconds"],
        load=times["load_before"],
    )


def _best_step(log: Path) -> int:
    lines = (json.loads(line) for line in log.read_text(encoding="utf-8").splitlines())
    return int(
        [each["step"] for each in lines if each["kind"] == "validation" and each["best"]][-1]
    )


def table(rows: Sequence[Row]) -> str:
    """Return rows in Markdown, in the order given."""
    lines = [_HEADING, "|" + "---|" * _HEADING.count(" |")]
    return "\n".join([*lines, *(_line(row) for row in rows)])


def _line(row: Row) -> str:
    cells = [
        f"`{row.case.method}`",
        f"`{row.case.balancer}`",
        _interval(row.score),
        *(_interval(row.baselines[name]) for name in BASELINES),
        "yes" if row.beats_baselines else "**no**",
        _number(row.auc),
        _number(row.bleu),
        f"{row.case.steps}, {row.best_step}",
        f"{row.seconds / 60:.1f}",
        f"{row.processor_seconds / 60:.1f}",
    ]
    return f"| {' | '.join(cells)} |"


def _interval(score: Score) -> str:
    if score.low is None or score.high is None:
        return _number(score.value)
    return f"{_number(score.value)} [{score.low:.3f}, {score.high:.3f}]"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def page(rows: Sequence[Row], *, command: str, described: Mapping[SetName, str]) -> str:
    """Return the page in Markdown.

    Args:
        rows: Of all finished runs.
        command: What made it.
        described: A sentence on every set.
    """
    told = machine()
    versions = ", ".join(
        f"{name} {told[name]}" for name in ("gradtruce", "torch", "transformers", "python")
    )
    loads = [row.load for row in rows]
    busy = f"load {min(loads):.1f} to {max(loads):.1f} before the starts" if loads else "no run yet"
    lines = [
        "# What the small presets learn",
        "",
        f"Made by `{command}`. {processor()}, {os.cpu_count()} cores; {versions}. Every run: "
        "the training preset of its method (`demo` for R2Gen, `NAME-demo` for the others), seed 0, "
        f"one thread, beside other work ({busy}); greedy decoding; the checkpoint of the best "
        "of four validations on 128 studies. CAME-Grad has the numbers of the study `demo`; no "
        "setting was chosen on its runs.",
        "",
        f"Micro F1 is `{SELECTION}` on the test split, with a bootstrap interval over studies; it "
        "says nothing about other training seeds. The baselines write for the same studies without "
        "looking at them: the report of a normal study, the most frequent training report, a "
        "training report drawn at random. A run is above all if its interval lies above theirs.",
        "",
    ]
    for name, title in TITLES.items():
        found = [row for row in rows if row.case.data == name]
        if found:
            lines += [f"## {title}", "", described[name], "", table(found), ""]
    return "\n".join(lines)


def read_rows(cases: Sequence[Case], sets: Mapping[SetName, Path], folder: Path) -> list[Row]:
    """Return a row for every case whose run is finished."""
    labeler = CachedLabeler(RulesLabeler())
    return [
        read_row(case, sets[case.data], folder / case.name, labeler)
        for case in cases
        if (folder / case.name / TIMES).is_file()
    ]
