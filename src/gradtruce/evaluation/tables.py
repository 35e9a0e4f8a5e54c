"""Tables of scores: what is shown of all numbers, as text, Markdown or LaTeX."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Final, final

from gradtruce.data.observations import OBSERVATIONS
from gradtruce.evaluation.baselines import TITLES
from gradtruce.evaluation.headline import PAPER, RELEASED_CODE, SELECTION
from gradtruce.evaluation.metrics import Metrics
from gradtruce.evaluation.significance import Score

PARTS: Final = ("precision", "recall", "f1")

Scores = Mapping[str, Score]


@final
@dataclass(frozen=True)
class Row:
    """One score of every system.

    Attributes:
        label: Its name in words.
        key: Its flat name.
        scores: One a column; `None` where a system has no such score.
    """

    label: str
    key: str
    scores: tuple[Score | None, ...]


@final
@dataclass(frozen=True)
class Table:
    """Some scores of some systems.

    Attributes:
        title: What they measure, and by which convention.
        columns: Names of the systems.
        rows: The scores.
        note: What to keep in mind.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    note: str = ""


def _parts(key: str) -> tuple[tuple[str, str], ...]:
    stem = key.rpartition(".")[0]
    return tuple((f"{part[0].upper()}{part[1:]}", f"{stem}.{part}") for part in PARTS)


SHOWN: Final[tuple[tuple[str, str, tuple[tuple[str, str], ...]], ...]] = (
    (
        "Clinical efficacy: mean over reports, 14 observations, uncertain as negative",
        "as the CAME-Grad paper and PromptMRG word it; flatters a writer of normal reports",
        _parts(PAPER),
    ),
    (
        "Clinical efficacy: mean over classes, 14 observations, uncertain as positive",
        "as the code released by the authors of CAME-Grad prints it",
        _parts(RELEASED_CODE),
    ),
    (
        "Clinical efficacy: counts pooled, 13 findings, uncertain as negative",
        "an all-normal writer scores 0",
        _parts(SELECTION),
    ),
    (
        "Overlap of words with the reference",
        "",
        (
            *((f"BLEU-{n}", f"nlg.bleu_{n}") for n in (1, 2, 3, 4)),
            ("ROUGE-L", "nlg.rouge_l"),
            ("METEOR", "nlg.meteor"),
            ("CIDEr-D", "nlg.cider"),
        ),
    ),
    (
        "Overlap of meaning with the reference",
        "",
        (
            *(
                (f"RadGraph F1, {kind}", f"radgraph.{kind}.f1")
                for kind in ("simple", "partial", "complete")
            ),
            ("CheXbert vectors, cosine", "chexbert_vectors.similarity"),
        ),
    ),
    (
        "Error report card: share of reports",
        "",
        (
            ("Accurate", "errors.accurate"),
            ("Minor errors only", "errors.minor"),
            ("Major hallucination", "errors.major_hallucination"),
            ("Critical omission", "errors.critical_omission"),
        ),
    ),
    (
        "Findings head",
        "",
        (
            ("AUC, macro", "classification.macro_auc"),
            ("AUC, micro", "classification.micro_auc"),
            *((f"{part.capitalize()}, macro", f"classification.macro_{part}") for part in PARTS),
            *((f"{part.capitalize()}, micro", f"classification.micro_{part}") for part in PARTS),
        ),
    ),
    (
        "The labeler itself, on the references",
        "a clinical score can't be trusted further than this",
        (("F1, counts pooled, 13 findings", SELECTION.replace("clinical.", "labeler.")),),
    ),
    (
        "Degenerate output",
        "",
        (
            ("Unique reports, share", "degenerate.unique_share"),
            ("Empty reports, share", "degenerate.empty_share"),
            ("Most frequent training report, share", "degenerate.most_frequent_training_share"),
            ("Verbatim in the training set, share", "degenerate.copied_share"),
            ("Length, times that of the reference", "degenerate.length_ratio"),
        ),
    ),
)
"""Title, note and scores of each table."""


def tables(systems: Mapping[str, Scores]) -> list[Table]:
    """Return the tables of what at least one system has.

    Args:
        systems: Scores by flat name, by name of the system; the first is the one evaluated.

    >>> [table.title for table in tables({"ours": {"nlg.bleu_1": Score(0.5, 0.4, 0.6)}})]
    ['Overlap of words with the reference']
    """
    found = []
    for title, note, entries in SHOWN:
        rows = tuple(
            Row(label, key, tuple(scores.get(key) for scores in systems.values()))
            for label, key in entries
            if any(key in scores for scores in systems.values())
        )
        if rows:
            found.append(Table(title, tuple(systems), rows, note))
    return found


def systems_of(metrics: Metrics) -> dict[str, Scores]:
    """Return the scores of the evaluated system and of its baselines, by name of the column.

    >>> list(systems_of(Metrics({})))
    ['system']
    """
    baselines = {TITLES[name]: scores for name, scores in metrics.baselines.items()}
    return {"system": metrics.flat(), **baselines}


def class_table(scores: Scores, policy: str = "negative") -> Table:
    """Return precision, recall and F1 of each observation, with its support.

    Args:
        scores: Scores by flat name.
        policy: What uncertain counts as, "negative" or "positive".

    >>> class_table({}).rows
    ()
    """
    rows = []
    for name in OBSERVATIONS:
        stem = f"clinical.per_class.{name}.uncertain_{policy}"
        support = scores.get(f"{stem}.support")
        if support is not None and support.value is not None:
            parts = tuple(scores.get(f"{stem}.{part}") for part in PARTS)
            rows.append(Row(f"{name} ({support.value:.0f})", stem, parts))
    title = f"Clinical efficacy by observation, uncertain as {policy}"
    columns = tuple(part.capitalize() for part in PARTS)
    return Table(title, columns, tuple(rows), "in brackets: references that state it")


def as_text(table: Table) -> str:
    """Return a table as aligned lines.

    >>> print(as_text(Table("Words", ("ours",), (Row("BLEU-1", "nlg.bleu_1", (Score(0.5),)),))))
    Words
              ours
      BLEU-1  .500
    """
    cells = [["", *table.columns], *([row.label, *map(cell, row.scores)] for row in table.rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    lines = [
        "  " + "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True))
        for line in cells
    ]
    heading = [table.title, *([f"  ({table.note})"] if table.note else [])]
    missing = [f"  {label}: not available: {reason}" for label, reason in _absent(table)]
    return "\n".join(line.rstrip() for line in (*heading, *lines, *missing))


def narrow(table: Table) -> Table:
    """Return the table with intervals of the first system only, for a terminal's width.

    >>> row = Row("BLEU-1", "nlg.bleu_1", (Score(0.5, 0.4, 0.6), Score(0.2, 0.1, 0.3)))
    >>> narrow(Table("Words", ("ours", "theirs"), (row,))).rows[0].scores[1].low is None
    True
    """
    rows = tuple(
        replace(
            row,
            scores=(
                row.scores[0],
                *(None if other is None else replace(other, low=None) for other in row.scores[1:]),
            ),
        )
        for row in table.rows
    )
    return replace(table, rows=rows)


def as_markdown(every: Sequence[Table]) -> str:
    """Return tables in Markdown, each below its title.

    >>> row = Row("BLEU-1", "nlg.bleu_1", (Score(0.5),))
    >>> print(as_markdown([Table("Words", ("ours",), (row,))]))
    **Words**
    <BLANKLINE>
    | | ours |
    |---|---|
    | BLEU-1 | .500 |
    <BLANKLINE>
    """
    blocks = []
    for table in every:
        note = f" ({table.note})" if table.note else ""
        lines = [
            f"**{table.title}**{note}",
            "",
            "| | " + " | ".join(_plain(name) for name in table.columns) + " |",
            "|---" * (len(table.columns) + 1) + "|",
            *(f"| {row.label} | {' | '.join(map(cell, row.scores))} |" for row in table.rows),
            "",
            *chain.from_iterable(
                (f"{label}: not available: {reason}", "") for label, reason in _absent(table)
            ),
        ]
        blocks.append("\n".join(lines))
    return "\n".join(blocks)


def as_latex(every: Sequence[Table]) -> str:
    r"""Return tables in LaTeX, with `booktabs` rules.

    >>> row = Row("BLEU-1", "nlg.bleu_1", (Score(0.5),))
    >>> print(as_latex([Table("Words", ("a_b",), (row,))]))
    \begin{table}
      \caption{Words}
      \begin{tabular}{ll}
        \toprule
         & a\_b \\
        \midrule
        BLEU-1 & .500 \\
        \bottomrule
      \end{tabular}
    \end{table}
    <BLANKLINE>
    """
    blocks = []
    for table in every:
        note = f" ({_escape(table.note)})" if table.note else ""
        names = " & ".join(_escape(name) for name in table.columns)
        rows = [
            f"    {_escape(row.label)} & {' & '.join(_escape(cell(s)) for s in row.scores)} \\\\"
            for row in table.rows
        ]
        lines = [
            r"\begin{table}",
            rf"  \caption{{{_escape(table.title)}{note}}}",
            rf"  \begin{{tabular}}{{l{'l' * len(table.columns)}}}",
            r"    \toprule",
            rf"     & {names} \\",
            r"    \midrule",
            *rows,
            r"    \bottomrule",
            r"  \end{tabular}",
            r"\end{table}",
            "",
        ]
        blocks.append("\n".join(lines))
    return "\n".join(blocks)


def cell(score: Score | None) -> str:
    """Return a score with its interval, or a dash.

    >>> cell(Score(0.5, 0.41, 0.6)), cell(Score(1.2)), cell(Score(None, reason="no Java"))
    ('.500 [.410, .600]', '1.200', '–')
    """
    if score is None or score.value is None:
        return "–"
    if score.low is None or score.high is None:
        return _digits(score.value)
    return f"{_digits(score.value)} [{_digits(score.low)}, {_digits(score.high)}]"


def _digits(value: float) -> str:
    text = f"{value:.3f}"
    return text.replace("0.", ".", 1) if text.startswith(("0.", "-0.")) else text


def _absent(table: Table) -> list[tuple[str, str]]:
    """Return the rows whose first system has no value, where it says why."""
    firsts = [(row.label, row.scores[0]) for row in table.rows if row.scores]
    return [(label, first.reason) for label, first in firsts if first is not None and first.reason]


def _plain(name: str) -> str:
    return name.replace("|", r"\|")


_LATEX: Final = {mark: f"\\{mark}" for mark in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "–": "--",
}


def _escape(text: str) -> str:
    return "".join(_LATEX.get(mark, mark) for mark in text)
