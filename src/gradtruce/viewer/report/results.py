"""The scores of a page: rows of the tables, and what may be concluded in plain words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, final

from gradtruce.data.observations import OBSERVATIONS
from gradtruce.evaluation.headline import PAPER, SELECTION
from gradtruce.evaluation.significance import Score
from gradtruce.viewer.report.records import Comparison, RunRecord, Scores

HEADLINE: Final = SELECTION

SECTIONS: Final = (
    (
        "Clinical: findings stated in the generated report",
        (
            (HEADLINE, "F1, micro over the 13 findings", "the headline"),
            ("clinical.micro_13.uncertain_negative.precision", "Precision, micro", ""),
            ("clinical.micro_13.uncertain_negative.recall", "Recall, micro", ""),
            (
                "clinical.macro_13.uncertain_negative.f1",
                "F1, macro over the 13",
                "each finding counts alike",
            ),
            (
                PAPER,
                "F1, mean over reports, all 14",
                "never alone: flatters a writer of normal reports",
            ),
        ),
    ),
    (
        "Text: overlap with the reference report",
        (
            *((f"nlg.bleu_{n}", f"BLEU-{n}", "") for n in (1, 2, 3, 4)),
            ("nlg.rouge_l", "ROUGE-L", ""),
        ),
    ),
    (
        "Findings head: probabilities",
        (
            ("classification.macro_auc", "AUC, macro", ""),
            ("classification.micro_auc", "AUC, micro", ""),
            ("classification.macro_f1", "F1, macro at the threshold", ""),
        ),
    ),
)


LABELER: Final = "Labeler on references"
"""Column of the labeler's own score: its reading of the reference reports against the truth."""


@final
@dataclass(frozen=True)
class ScoreRow:
    """One score of everything that is compared.

    Attributes:
        label: Its name in words.
        note: What to keep in mind.
        key: Its flat name.
        arms: One a run.
        difference: Second run minus the first, where there are two.
        references: Baselines, and the labeler's own score; `None` where one has no such score.
    """

    label: str
    note: str
    key: str
    arms: tuple[Score, ...]
    difference: Score | None
    references: tuple[Score | None, ...]


@final
@dataclass(frozen=True)
class ScoreTable:
    """All rows by section, and the names of the columns beside the runs."""

    sections: tuple[tuple[str, tuple[ScoreRow, ...]], ...]
    reference_names: tuple[str, ...]
    reach: float

    @property
    def has_labeler(self) -> bool:
        """Whether the labeler's own score against the truth is known."""
        return LABELER in self.reference_names

    @property
    def rows(self) -> tuple[ScoreRow, ...]:
        """All rows of all sections."""
        return tuple(row for _, rows in self.sections for row in rows)


@final
@dataclass(frozen=True)
class ClassRow:
    """One observation: its support in the test split, and F1, precision and recall of each run."""

    observation: str
    support: int | None
    arms: tuple[tuple[Score | None, Score | None, Score | None], ...]


def score_table(runs: Sequence[RunRecord], comparison: Comparison | None) -> ScoreTable:
    """Return the rows of all scores that at least one run has."""
    baselines = list(comparison.baselines.values()) if comparison else []
    labeler = (
        runs[0].scores if any(name.startswith("labeler.") for name in runs[0].scores) else None
    )
    differences = comparison.differences if comparison else {}
    sections = []
    for title, entries in SECTIONS:
        rows = tuple(
            _row(entry, runs, differences, [scores for _, scores in baselines], labeler)
            for entry in entries
            if any(entry[0] in run.scores for run in runs)
        )
        if rows:
            sections.append((title, rows))
    names = [label for label, _ in baselines] + ([LABELER] if labeler else [])
    return ScoreTable(tuple(sections), tuple(names), _reach(sections))


def class_rows(runs: Sequence[RunRecord]) -> list[ClassRow]:
    """Return one row an observation, of those that have a score, most frequent first."""
    rows = []
    for name in OBSERVATIONS:
        keys = [
            f"clinical.per_class.{name}.uncertain_negative.{part}"
            for part in ("f1", "precision", "recall")
        ]
        if not any(keys[0] in run.scores for run in runs):
            continue
        support = runs[0].scores.get(f"clinical.per_class.{name}.uncertain_negative.support")
        count = None if support is None or support.value is None else int(support.value)
        arms = tuple(_three([run.scores.get(key) for key in keys]) for run in runs)
        rows.append(ClassRow(name, count, arms))
    return sorted(rows, key=lambda row: -(row.support or 0))


def conclusion(label: str, difference: Score) -> str:
    """Return what the interval of the headline difference says, in one sentence.

    >>> "includes 0" in conclusion("CAME-Grad − linear", Score(0.01, -0.02, 0.04))
    True
    """
    if difference.value is None:
        return f"The difference ({label}) could not be computed: {difference.reason or 'no value'}."
    if difference.low is None or difference.high is None:
        return f"The difference ({label}) has no interval, so nothing can be concluded from it."
    if difference.low <= 0 <= difference.high:
        return (
            f"The interval of the difference ({label}) includes 0: on these test studies the two "
            "runs can't be told apart."
        )
    better = "above" if difference.low > 0 else "below"
    return (
        f"The interval of the difference ({label}) lies {better} 0: on these test studies these "
        "two trained models differ."
    )


ONE_PAIR: Final = (
    "One pair of runs can't rank optimizers. The interval covers the choice of test studies alone, "
    "not what another seed would give."
)


def _row(
    entry: tuple[str, str, str],
    runs: Sequence[RunRecord],
    differences: Scores,
    baselines: Sequence[Mapping[str, Score]],
    labeler: Scores | None,
) -> ScoreRow:
    key, label, note = entry
    references: list[Score | None] = [scores.get(key) for scores in baselines]
    if labeler is not None:
        of_labeler = key.replace("clinical.", "labeler.", 1) if key.startswith("clinical.") else ""
        references.append(labeler.get(of_labeler))
    nothing = Score(None, reason="this run has no such score")
    arms = tuple(run.scores.get(key, nothing) for run in runs)
    return ScoreRow(label, note, key, arms, differences.get(key), tuple(references))


def _reach(sections: Sequence[tuple[str, Sequence[ScoreRow]]]) -> float:
    """Return the largest distance from 0 of any interval of a difference."""
    ends = [
        abs(end)
        for _, rows in sections
        for row in rows
        if row.difference is not None
        for end in (row.difference.value, row.difference.low, row.difference.high)
        if end is not None
    ]
    return max(ends, default=0.1) * 1.05 or 0.1


def _three(scores: Sequence[Score | None]) -> tuple[Score | None, Score | None, Score | None]:
    first, second, third = scores
    return first, second, third
