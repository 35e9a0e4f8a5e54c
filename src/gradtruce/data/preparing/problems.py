"""`problems.csv`: what was wrong with a source and what became of it."""

import csv
import io
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, get_args

from gradtruce.data.sources.base import Action, Problem

PROBLEMS: Final = "problems.csv"
_HEADER: Final = ("id", "file", "kind", "reason", "action")


class ProblemError(ValueError):
    """A problem of the source that stops the run; with `on_error="skip"` it would be listed."""


def problems_table(problems: Iterable[Problem]) -> str:
    r"""Return the problems as CSV.

    A field that a spreadsheet would take for a formula gets an apostrophe in front.

    >>> problems_table([Problem("s1", "a,b.png", "damaged image", "it ends early")])
    'id,file,kind,reason,action\ns1,"a,b.png",damaged image,it ends early,study skipped\n'
    """
    text = io.StringIO()
    rows = ([_harmless(getattr(problem, name)) for name in _HEADER] for problem in problems)
    csv.writer(text, lineterminator="\n").writerows([_HEADER, *rows])
    return text.getvalue()


def read_problems(folder: Path) -> tuple[Problem, ...]:
    """Return the problems of a prepared set; none where it has no such table.

    Raises:
        ValueError: If the table is not one of ours.

    >>> read_problems(Path("no/such/folder"))
    ()
    """
    path = folder / PROBLEMS
    if not path.is_file():
        return ()
    with path.open(encoding="utf-8", newline="") as stream:
        header, *rows = csv.reader(stream)
    actions = set(get_args(Action))
    if tuple(header) != _HEADER or any(len(row) != 5 or row[4] not in actions for row in rows):
        raise ValueError(f"{path}: damaged; prepare the set again")
    return tuple(
        Problem(study, file, kind, reason, next(a for a in get_args(Action) if a == action))
        for study, file, kind, reason, action in rows
    )


def count_kinds(problems: Sequence[Problem]) -> dict[str, int]:
    """Return how many problems there are of each kind, the commonest first.

    >>> count_kinds([Problem("a", "", "report", ""), Problem("b", "", "report", "")])
    {'report': 2}
    """
    counts = Counter(problem.kind for problem in problems)
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _harmless(text: str) -> str:
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t")) else text
