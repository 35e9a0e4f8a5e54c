"""The page of the learning benchmark: what every run scored, beside writers that see no image."""

from collections.abc import Sequence
from typing import Final

from benchmarks.learning_rows import BASELINES, Origin, Results, Row
from benchmarks.learning_runs import SetName
from gradtruce.evaluation.headline import SELECTION
from gradtruce.evaluation.significance import Score

TITLES: Final[dict[SetName, str]] = {
    "phantom": "The phantom",
    "iu-text": "Reports of IU X-Ray, images of the phantom",
}

_HEADING: Final = (
    "| method | balancer | micro F1 [95 %] | all-normal | most frequent | random | above all "
    "| AUC of findings | BLEU-4 | steps, best | minutes | processor minutes | made |"
)


def table(rows: Sequence[Row], origins: Sequence[Origin]) -> str:
    """Return rows in Markdown, in the order given.

    Args:
        rows: What is shown.
        origins: How the rows of the page were made; a row tells the place of its own, from 1 on.
    """
    lines = [_HEADING, "|" + "---|" * _HEADING.count(" |")]
    return "\n".join([*lines, *(_line(row, 1 + origins.index(row.origin)) for row in rows)])


def _line(row: Row, origin: int) -> str:
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
        str(origin),
    ]
    return f"| {' | '.join(cells)} |"


def _interval(score: Score) -> str:
    if score.low is None or score.high is None:
        return _number(score.value)
    return f"{_number(score.value)} [{score.low:.3f}, {score.high:.3f}]"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def page(results: Results) -> str:
    """Return the page in Markdown."""
    origins = list(dict.fromkeys(row.origin for row in results.rows))
    lines = [
        "# What the small presets learn",
        "",
        "Made by `python -m benchmarks.learning`; the last column says in which of these calls:",
        "",
        *(f"{place}. {_made(one, results.rows)}" for place, one in enumerate(origins, start=1)),
        "",
        "Every run: the training preset of its method (`demo` for R2Gen, `NAME-demo` for the "
        "others), seed 0, one thread, beside other work; greedy decoding; the checkpoint of the "
        "best of four validations on 128 studies. CAME-Grad has the numbers of the study `demo`; "
        "no setting was chosen on its runs.",
        "",
        f"Micro F1 is `{SELECTION}` on the test split, with a bootstrap interval over studies; it "
        "says nothing about other training seeds. The baselines write for the same studies without "
        "looking at them: the report of a normal study, the most frequent training report, a "
        "training report drawn at random. A run is above all if its interval lies above theirs.",
        "",
    ]
    for name, title in TITLES.items():
        found = [row for row in results.rows if row.case.data == name]
        if found:
            lines += [f"## {title}", "", results.sets[name], "", table(found, origins), ""]
    return "\n".join(lines)


def _made(origin: Origin, rows: Sequence[Row]) -> str:
    known = [row.load for row in rows if row.origin == origin and row.load is not None]
    busy = f"; load {min(known):.1f} to {max(known):.1f} before the starts" if known else ""
    return f"`{origin.command}`: {origin.machine}{busy}."
