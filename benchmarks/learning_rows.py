"""The rows of the learning benchmark: read from run folders, kept as JSON beside the page.

A row says with which command and on which machine it was made, so that rows of one method can be
added later (`--add`) without training the others again.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, final, get_args

from benchmarks.learning_runs import BALANCERS, MACHINE, PRESETS, TIMES, Case, SetName
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
from gradtruce.training.config_file import load_config

BASELINES: Final = (ALL_NORMAL, MOST_FREQUENT, RANDOM_TRAINING)
SCHEMA: Final = 1


@final
@dataclass(frozen=True)
class Origin:
    """How a row was made.

    Attributes:
        command: Of the benchmark.
        machine: Processor and versions.
    """

    command: str
    machine: str


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
        load: Of the machine before the start: processes that run or wait for a core; where it is
            known.
        origin: How it was made.
    """

    case: Case
    score: Score
    baselines: Mapping[str, Score]
    auc: float | None
    bleu: float | None
    best_step: int
    seconds: float
    processor_seconds: float
    load: float | None
    origin: Origin

    @property
    def beats_baselines(self) -> bool:
        """Return whether its interval lies above those of all baselines."""
        low = self.score.low
        highs = [baseline.high for baseline in self.baselines.values()]
        return low is not None and all(high is not None and low > high for high in highs)


@final
@dataclass(frozen=True)
class Results:
    """What the page shows.

    Attributes:
        sets: A sentence on every set.
        rows: In the order of the page.
    """

    sets: Mapping[SetName, str]
    rows: tuple[Row, ...] = ()

    @classmethod
    def read(cls, path: Path) -> "Results":
        """Return the results of a file.

        Raises:
            FileNotFoundError: If it is not there.
        """
        if not path.is_file():
            raise FileNotFoundError(f"{path}: there are no rows to add to; leave --add out")
        content = json.loads(path.read_text(encoding="utf-8"))
        return cls(content["sets"], tuple(_row(entry) for entry in content["rows"]))

    def write(self, path: Path) -> None:
        """Write the results as JSON."""
        rows = [asdict(row) for row in self.rows]
        content = {"schema": SCHEMA, "sets": dict(self.sets), "rows": rows}
        path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")

    def require_same(self, sets: Mapping[SetName, str]) -> None:
        """Refuse rows on other sets than those of the rows that are there.

        Raises:
            ValueError: If a set is another one.
        """
        for name, described in sets.items():
            if self.sets.get(name, described) != described:
                raise ValueError(
                    f"the rows that are there are of another set {name!r}: {self.sets[name]} "
                    f"This one: {described} Give the same options, or leave --add out"
                )

    def with_rows(self, sets: Mapping[SetName, str], rows: Sequence[Row]) -> "Results":
        """Return these results and some more; a new row takes the place of one of the same run."""
        cases = [_place(row.case) for row in rows]
        every = [*(row for row in self.rows if _place(row.case) not in cases), *rows]
        return Results(
            {**self.sets, **sets}, tuple(sorted(every, key=lambda row: _place(row.case)))
        )


def _place(case: Case) -> tuple[int, int, int]:
    """Return where a run stands on the page."""
    names = get_args(SetName), tuple(PRESETS), tuple(BALANCERS)
    place = zip(names, (case.data, case.method, case.balancer), strict=True)
    data, method, balancer = (known.index(name) for known, name in place)
    return data, method, balancer


def _row(entry: Mapping[str, Any]) -> Row:  # JSON
    scores = {name: Score(**score) for name, score in entry["baselines"].items()}
    made = {"case": Case(**entry["case"]), "score": Score(**entry["score"]), "baselines": scores}
    return Row(**{**entry, **made, "origin": Origin(**entry["origin"])})


def read_rows(
    cases: Sequence[Case], sets: Mapping[SetName, Path], folder: Path, command: str
) -> list[Row]:
    """Return a row for every case whose run is finished.

    Args:
        cases: The runs.
        sets: Folder of every prepared set.
        folder: Holds a run folder a case.
        command: Of the benchmark.
    """
    labeler = CachedLabeler(RulesLabeler())
    return [
        _read_row(case, sets[case.data], folder / case.name, labeler, command)
        for case in cases
        if (folder / case.name / TIMES).is_file()
    ]


def _read_row(case: Case, data: Path, folder: Path, labeler: CachedLabeler, command: str) -> Row:
    """Return what the run in a folder came to; its baselines are scored here."""
    scores = Metrics.read(folder / "metrics.json").flat()
    times = json.loads((folder / TIMES).read_text(encoding="utf-8"))
    config = load_config(folder / "config.toml")
    predictions = read_predictions(folder / "predictions.jsonl")
    training = read_training_texts(data, config.data.cleaning)
    written = baseline_predictions(predictions, training, labeler)
    families = [Clinical(labeler)]
    found = {name: evaluate(written[name], families).flat()[SELECTION] for name in BASELINES}
    return Row(
        case=case,
        score=_rounded(scores[SELECTION]),
        baselines={name: _rounded(score) for name, score in found.items()},
        auc=_three(scores["classification.macro_auc"].value),
        bleu=_three(scores["nlg.bleu_4"].value),
        best_step=_best_step(folder / "log.jsonl"),
        seconds=round(times["wall_seconds"], 1),
        processor_seconds=round(times["processor_seconds"], 1),
        load=round(times["load_before"], 1),
        origin=Origin(command, times[MACHINE]),
    )


def _rounded(score: Score) -> Score:
    return replace(score, value=_three(score.value), low=_three(score.low), high=_three(score.high))


def _three(value: float | None) -> float | None:
    """Return a value as the page shows it."""
    return None if value is None else round(value, 3)


def _best_step(log: Path) -> int:
    lines = (json.loads(line) for line in log.read_text(encoding="utf-8").splitlines())
    return int(
        [each["step"] for each in lines if each["kind"] == "validation" and each["best"]][-1]
    )
