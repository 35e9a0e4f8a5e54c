"""Tables of scores: what is shown of all numbers, and in which order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
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
    """One score of every system, or a heading over the rows below it.

    Attributes:
        label: Its name in words.
        key: Its flat name; "" of a heading.
        scores: One a column; `None` where a system has no such score; none of a heading.
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
        "Clinical efficacy",
        "the first as the CAME-Grad paper and PromptMRG word it: it flatters a writer of normal"
        " reports; the second as the code released by the authors of CAME-Grad prints it; in the"
        " third an all-normal writer scores 0",
        (
            ("Mean over reports, 14 observations, uncertain as negative", ""),
            *_parts(PAPER),
            ("Mean over classes, 14 observations, uncertain as positive", ""),
            *_parts(RELEASED_CODE),
            ("Counts pooled, 13 findings, uncertain as negative", ""),
            *_parts(SELECTION),
        ),
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
"""Title, note and scores of each table; a score without a flat name is a heading."""


def tables(systems: Mapping[str, Scores]) -> list[Table]:
    """Return the tables of what at least one system has.

    Args:
        systems: Scores by flat name, by name of the system; the first is the one evaluated.

    >>> [table.title for table in tables({"ours": {"nlg.bleu_1": Score(0.5, 0.4, 0.6)}})]
    ['Overlap of words with the reference']
    """
    found = []
    for title, note, entries in SHOWN:
        rows = _rows(entries, systems)
        if rows:
            found.append(Table(title, tuple(systems), rows, note))
    return found


def _rows(entries: Sequence[tuple[str, str]], systems: Mapping[str, Scores]) -> tuple[Row, ...]:
    """Return a row a score that some system has, below its heading."""
    rows: list[Row] = []
    heading = ""
    for label, key in entries:
        if not key:
            heading = label
        elif any(key in scores for scores in systems.values()):
            rows += [Row(heading, "", ())] if heading else []
            heading = ""
            rows.append(Row(label, key, tuple(scores.get(key) for scores in systems.values())))
    return tuple(rows)


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


def narrow(table: Table, keep: int = 0) -> Table:
    """Return the table with intervals in one column only, for a terminal's width.

    Args:
        table: Any table.
        keep: Place of the column that keeps them: by default the first, which is the system.

    >>> row = Row("BLEU-1", "nlg.bleu_1", (Score(0.5, 0.4, 0.6), Score(0.2, 0.1, 0.3)))
    >>> narrow(Table("Words", ("ours", "theirs"), (row,))).rows[0].scores[1].low is None
    True
    """
    rows = tuple(
        replace(
            row,
            scores=tuple(
                score if at == keep or score is None else replace(score, low=None)
                for at, score in enumerate(row.scores)
            ),
        )
        for row in table.rows
    )
    return replace(table, rows=rows)
