r"""Tables of a study as Markdown, LaTeX (booktabs) and CSV."""

import csv
import io
from collections.abc import Callable, Iterator
from typing import Final

from gradtruce.study.tables.model import Entry, RowGroup, StudyTable, TableRow

ABSENT: Final = "–"
PUBLISHED: Final = " (published)"

_WRAPPED: Final = 60
"""Letters from which on words are wrapped."""

_LATEX: Final = str.maketrans(
    {
        **{sign: f"\\{sign}" for sign in "&%$#_{}"},
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "\\": r"\textbackslash{}",
        "−": "$-$",
        "±": r"$\pm$",
        "✓": r"$\checkmark$",
        "κ": r"$\kappa$",
        "ρ": r"$\rho$",
        "ν": r"$\nu$",
        "λ": r"$\lambda$",
        "σ": r"$\sigma$",
        "Σ": r"$\Sigma$",
        "²": "$^2$",
        "√": r"$\surd$",
        "≥": r"$\geq$",
        "≤": r"$\leq$",
        "×": r"$\times$",
        "·": r"$\cdot$",
        "→": r"$\to$",
        "“": "``",
        "”": "''",
        "–": "--",
        "…": r"\ldots{}",
        "<": "$<$",
        ">": "$>$",
    }
)


def entry_text(entry: Entry) -> str:
    """Return an entry as people write it.

    >>> entry_text(Entry(0.3125, spread=0.01)), entry_text(Entry(-0.02, low=-0.03, high=0.01))
    ('0.312 ± 0.010', '−0.020 [−0.030, 0.010]')
    >>> entry_text(Entry(0.02, is_signed=True, is_marked=True)), entry_text(Entry())
    ('+0.020*', '–')
    """
    if entry.text:
        return entry.text
    if entry.value is None:
        return ABSENT
    if entry.is_probability and entry.value < 10**-entry.digits:
        return f"< {10**-entry.digits:.{entry.digits}f}"
    text = _number(entry.value, entry.digits, is_signed=entry.is_signed)
    if entry.is_marked:
        text += "*"
    if entry.spread is not None:
        text += f" ± {_number(entry.spread, entry.digits)}"
    if entry.low is not None and entry.high is not None:
        ends = (
            _number(end, entry.digits, is_signed=entry.is_signed) for end in (entry.low, entry.high)
        )
        text += f" [{', '.join(ends)}]"
    return text


def _number(value: float, digits: int, *, is_signed: bool = False) -> str:
    text = f"{value:{'+' if is_signed else ''}.{digits}f}"
    zero = f"{0:.{digits}f}"
    return zero if text.lstrip("+-") == zero else text.replace("-", "−")


def as_markdown(table: StudyTable) -> str:
    """Return a table in Markdown, its notes below.

    >>> from gradtruce.study.tables.model import RowGroup, TableRow
    >>> group = RowGroup("R2Gen", (TableRow("Linear", (Entry(0.5),)),))
    >>> print(as_markdown(StudyTable("results", "Scores", "Arm", ("F1",), (group,), ("5 seeds",))))
    **Scores**
    <BLANKLINE>
    | Arm | F1 |
    |---|---:|
    | **R2Gen** | |
    | Linear | 0.500 |
    <BLANKLINE>
    - 5 seeds
    <BLANKLINE>
    """
    lines = [f"**{table.title}**", ""]
    lines.append(_markdown_line([table.stub, *table.columns]))
    places = range(len(table.columns))
    lines.append("|---|" + "".join("---|" if table.is_text(at) else "---:|" for at in places))
    for group in table.groups:
        if group.heading:
            lines.append(f"| **{_bars(group.heading)}** |" + " |" * len(table.columns))
        for row in group.rows:
            label = f"*{row.label}{PUBLISHED}*" if row.is_published else row.label
            lines.append(_markdown_line([label, *(entry_text(entry) for entry in row.entries)]))
    if table.notes:
        lines += ["", *(f"- {note}" for note in table.notes)]
    return "\n".join(lines) + "\n"


def _markdown_line(cells: list[str]) -> str:
    return f"| {' | '.join(_bars(cell) for cell in cells)} |"


def _bars(text: str) -> str:
    return text.replace("|", "\\|")


def as_latex(table: StudyTable) -> str:
    r"""Return a table in LaTeX; needs the packages booktabs, amssymb and graphicx.

    >>> from gradtruce.study.tables.model import RowGroup, TableRow
    >>> group = RowGroup("R2Gen", (TableRow("Linear", (Entry(0.5, spread=0.1),)),))
    >>> print(as_latex(StudyTable("results", "Scores", "Arm", ("F1",), (group,))))
    % needs \usepackage{booktabs,amssymb,graphicx}
    \begin{table}
    \centering
    \caption{Scores}
    \label{tab:results}
    \resizebox{\linewidth}{!}{%
    \begin{tabular}{lr}
    \toprule
    Arm & F1 \\
    \midrule
    \multicolumn{2}{l}{\textbf{R2Gen}} \\
    Linear & 0.500 $\pm$ 0.100 \\
    \bottomrule
    \end{tabular}}
    \end{table}
    <BLANKLINE>
    """
    return "\n".join(_latex_lines(table)) + "\n"


def _latex_lines(table: StudyTable) -> Iterator[str]:
    width = len(table.columns) + 1
    yield r"% needs \usepackage{booktabs,amssymb,graphicx}"
    yield r"\begin{table}"
    yield r"\centering"
    yield rf"\caption{{{escape(table.title)}}}"
    yield rf"\label{{tab:{table.name}}}"
    yield r"\resizebox{\linewidth}{!}{%"
    yield rf"\begin{{tabular}}{{{_latex_columns(table)}}}"
    yield r"\toprule"
    yield _latex_line([table.stub, *table.columns])
    for group in table.groups:
        yield r"\midrule"
        if group.heading:
            yield rf"\multicolumn{{{width}}}{{l}}{{\textbf{{{escape(group.heading)}}}}} \\"
        yield from (_latex_row(row) for row in group.rows)
    yield r"\bottomrule"
    yield r"\end{tabular}}"
    for note in table.notes:
        yield r"\par\smallskip"
        yield rf"\parbox{{\linewidth}}{{\footnotesize {escape(note)}}}"
    yield r"\end{table}"


def _latex_columns(table: StudyTable) -> str:
    """Return the columns' kinds: numbers to the right, words to the left, long words wrapped."""
    labels = max((len(row.label) for group in table.groups for row in group.rows), default=0)
    kinds = ["l" if labels <= _WRAPPED else "p{5cm}"]
    for at in range(len(table.columns)):
        if not table.is_text(at):
            kinds.append("r")
        else:
            kinds.append("l" if table.longest(at) <= _WRAPPED else "p{7cm}")
    return "".join(kinds)


def _latex_row(row: TableRow) -> str:
    cells = _latex_line([row.label, *(entry_text(entry) for entry in row.entries)])
    if not row.is_published:
        return cells
    return rf"\textit{{{escape(row.label + PUBLISHED)}}} &" + cells.partition("&")[2]


def _latex_line(cells: list[str]) -> str:
    return " & ".join(escape(cell) for cell in cells) + r" \\"


def escape(text: str) -> str:
    r"""Return text as LaTeX prints it.

    >>> print(escape("95 % of R_2"))
    95 \% of R\_2
    """
    return text.translate(_LATEX)


def as_csv(table: StudyTable) -> str:
    """Return a table as comma-separated values, one number a field; notes are left out.

    >>> from gradtruce.study.tables.model import RowGroup, TableRow
    >>> group = RowGroup("R2Gen", (TableRow("Linear", (Entry(0.5, spread=0.1),)),))
    >>> print(as_csv(StudyTable("results", "Scores", "Arm", ("F1",), (group,))))
    group,Arm,published,F1,F1 std
    R2Gen,Linear,no,0.5,0.1
    <BLANKLINE>
    """
    entries = [row.entries for group in table.groups for row in group.rows]
    parts = [
        [name for name in _PARTS if any(_PARTS[name](row[at]) is not None for row in entries)]
        for at in range(len(table.columns))
    ]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    heads = [
        f"{column}{' ' * bool(part)}{part}"
        for column, names in zip(table.columns, parts, strict=True)
        for part in names or [""]
    ]
    writer.writerow(["group", table.stub, "published", *heads])
    for group in table.groups:
        for row in group.rows:
            writer.writerow(_csv_row(group, row, parts))
    return text.getvalue()


_PARTS: Final[dict[str, Callable[[Entry], float | str | None]]] = {
    "": lambda entry: entry.text or entry.value,
    "std": lambda entry: entry.spread,
    "low": lambda entry: entry.low,
    "high": lambda entry: entry.high,
}
"""What an entry may hold, by the end of its column's heading."""


def _csv_row(group: RowGroup, row: TableRow, parts: list[list[str]]) -> list[str]:
    cells = [group.heading, row.label, "yes" if row.is_published else "no"]
    for entry, names in zip(row.entries, parts, strict=True):
        found = (_PARTS[name](entry) for name in names or [""])
        cells += ["" if value is None else str(value) for value in found]
    return cells
