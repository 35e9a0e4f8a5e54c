r"""Tables of scores as text, Markdown or LaTeX."""

import textwrap
from collections.abc import Iterator, Sequence
from itertools import chain, zip_longest
from typing import Final

from gradtruce.evaluation.significance import Score
from gradtruce.evaluation.tables import Row, Table

_GAP: Final = "  "


def as_text(table: Table, width: int = 0) -> str:
    """Return a table as aligned lines.

    Args:
        table: The scores.
        width: Longest line, where a single column fits into it: columns that do not fit stand
            below the others, with the labels again. 0 for no limit.

    >>> print(as_text(Table("Words", ("ours",), (Row("BLEU-1", "nlg.bleu_1", (Score(0.5),)),))))
    Words
              ours
      BLEU-1  .500
    """
    first = max((len(row.label) for row in table.rows if row.scores), default=0)
    shown = [[cell(score) for score in row.scores] for row in table.rows]
    heads = _heads(table.columns, first, shown, width)
    sizes = [_size(head, at, shown) for at, head in enumerate(heads)]
    blocks = []
    for places in _folded(first, sizes, width):
        widths = [first, *(sizes[at] for at in places)]
        above = zip_longest(*(heads[at][::-1] for at in places), fillvalue="")
        lines = [["", *words] for words in above][::-1]
        for row, cells in zip(table.rows, shown, strict=True):
            lines.append([row.label, *(cells[at] for at in places if cells)])
        blocks.append("\n".join(_line(line, widths) for line in lines))
    notes = [table.note] if table.note else []
    notes += [f"{label}: not available: {reason}" for label, reason in _absent(table)]
    below = [wrapped(note, width, indent=_GAP) for note in notes]
    return "\n".join([wrapped(table.title, width), "\n\n".join(blocks), *below])


def wrapped(text: str, width: int, *, indent: str = "") -> str:
    """Return text broken into lines, all but the first indented by two blanks more.

    >>> print(wrapped("one two three", 9))
    one two
      three
    """
    if not width:
        return indent + text
    return textwrap.fill(
        text,
        width,
        initial_indent=indent,
        subsequent_indent=indent + _GAP,
        break_long_words=False,
        break_on_hyphens=False,
    )


def as_markdown(every: Sequence[Table], facts: Sequence[str] = ()) -> str:
    """Return tables in Markdown, each below its title.

    Args:
        every: The tables.
        facts: What to know before reading them, a line each.

    >>> row = Row("BLEU-1", "nlg.bleu_1", (Score(0.5),))
    >>> print(as_markdown([Table("Words", ("ours",), (row,))], ["2 reports"]))
    - 2 reports
    <BLANKLINE>
    **Words**
    <BLANKLINE>
    | | ours |
    |---|---|
    | BLEU-1 | .500 |
    <BLANKLINE>
    """
    blocks = ["".join(f"- {fact}\n" for fact in facts)] if facts else []
    for table in every:
        note = f" ({table.note})" if table.note else ""
        lines = [
            f"**{table.title}**{note}",
            "",
            "| | " + " | ".join(_plain(name) for name in table.columns) + " |",
            "|---" * (len(table.columns) + 1) + "|",
            *(_markdown_row(row, len(table.columns)) for row in table.rows),
            "",
            *chain.from_iterable(
                (f"{label}: not available: {reason}", "") for label, reason in _absent(table)
            ),
        ]
        blocks.append("\n".join(lines))
    return "\n".join(blocks)


def as_latex(every: Sequence[Table], facts: Sequence[str] = ()) -> str:
    r"""Return tables in LaTeX, with the rules of package `booktabs`.

    Args:
        every: The tables.
        facts: What to know before reading them, as comments.

    >>> row = Row("BLEU-1", "nlg.bleu_1", (Score(0.5),))
    >>> print(as_latex([Table("Words", ("a_b",), (row,))]))
    % needs \usepackage{booktabs}
    <BLANKLINE>
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
    heading = [r"% needs \usepackage{booktabs}", *(f"% {fact}" for fact in facts), ""]
    blocks = ["\n".join(heading)]
    for table in every:
        notes = [*([table.note] if table.note else [])]
        notes += [f"{label}: not available: {reason}" for label, reason in _absent(table)]
        note = f" ({_escape('; '.join(notes))})" if notes else ""
        names = " & ".join(_escape(name) for name in table.columns)
        lines = [
            r"\begin{table}",
            rf"  \caption{{{_escape(table.title)}{note}}}",
            rf"  \begin{{tabular}}{{l{'l' * len(table.columns)}}}",
            r"    \toprule",
            rf"     & {names} \\",
            r"    \midrule",
            *(_latex_row(row, len(table.columns)) for row in table.rows),
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


def _heads(
    names: Sequence[str], first: int, shown: Sequence[Sequence[str]], limit: int
) -> list[list[str]]:
    """Return the lines over each column: its name, or a word a line where the table is too wide."""
    whole = [[name] for name in names]
    sizes = (_size(head, at, shown) for at, head in enumerate(whole))
    if not limit or sum(len(_GAP) + size for size in (first, *sizes)) <= limit:
        return whole
    return [name.split() or [name] for name in names]


def _size(head: Sequence[str], at: int, shown: Sequence[Sequence[str]]) -> int:
    return max(map(len, (*head, *(cells[at] for cells in shown if cells))))


def _folded(first: int, widths: Sequence[int], limit: int) -> Iterator[list[int]]:
    """Yield which columns stand side by side; each block has one at least."""
    block: list[int] = []
    used = len(_GAP) + first
    for at, size in enumerate(widths):
        if block and limit and used + len(_GAP) + size > limit:
            yield block
            block, used = [], len(_GAP) + first
        block.append(at)
        used += len(_GAP) + size
    yield block


def _line(cells: Sequence[str], sizes: Sequence[int]) -> str:
    if len(cells) == 1:
        return _GAP + cells[0]  # a heading
    padded = (text.ljust(size) for text, size in zip(cells, sizes, strict=True))
    return (_GAP + _GAP.join(padded)).rstrip()


def _markdown_row(row: Row, columns: int) -> str:
    if not row.scores:
        return f"| *{row.label}* |{' |' * columns}"
    return f"| {row.label} | {' | '.join(map(cell, row.scores))} |"


def _latex_row(row: Row, columns: int) -> str:
    if not row.scores:
        return rf"    \multicolumn{{{columns + 1}}}{{l}}{{\emph{{{_escape(row.label)}}}}} \\"
    return f"    {_escape(row.label)} & {' & '.join(_escape(cell(s)) for s in row.scores)} \\\\"


def _digits(value: float) -> str:
    text = f"{value:.3f}"
    return text.replace("0.", ".", 1) if text.startswith(("0.", "-0.")) else text


def _absent(table: Table) -> list[tuple[str, str]]:
    """Return which rows have no value of the first system, by the reason where it is given."""
    labels: dict[str, list[str]] = {}
    for row in table.rows:
        first = row.scores[0] if row.scores else None
        if first is not None and first.reason:
            labels.setdefault(first.reason, []).append(row.label)
    return [("; ".join(each), reason) for reason, each in labels.items()]


def _plain(name: str) -> str:
    return name.replace("|", r"\|")


_LATEX: Final = {mark: f"\\{mark}" for mark in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "–": "--",
    "…": r"\ldots{}",
    "β": r"$\beta$",
}


def _escape(text: str) -> str:
    return "".join(_LATEX.get(mark, mark) for mark in text)
