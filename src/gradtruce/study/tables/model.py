"""The model of a table of a study: groups of rows, entries with their spread, notes below."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar, final

_Item = TypeVar("_Item")


@final
@dataclass(frozen=True)
class Entry:
    """One cell of a table.

    Attributes:
        value: The number; `None` where there is none.
        spread: Its standard deviation.
        low: Lower end of its interval.
        high: Upper end.
        text: Words in place of a number.
        is_signed: Whether a plus is printed: it is a difference.
        is_marked: Whether it stands out: different after correction.
        is_probability: Whether it is never printed as 0.
        digits: Behind the point.

    >>> Entry(0.3125, spread=0.0125).value
    0.3125
    """

    value: float | None = None
    spread: float | None = None
    low: float | None = None
    high: float | None = None
    text: str = ""
    is_signed: bool = False
    is_marked: bool = False
    is_probability: bool = False
    digits: int = 3


@final
@dataclass(frozen=True)
class TableRow:
    """One row.

    Attributes:
        label: Its name.
        entries: One a column.
        is_published: Whether it is printed from a paper: marked so, never compared.
    """

    label: str
    entries: tuple[Entry, ...]
    is_published: bool = False


@final
@dataclass(frozen=True)
class RowGroup:
    """Rows below a heading, such as the arms of one method."""

    heading: str
    rows: tuple[TableRow, ...]


@final
@dataclass(frozen=True)
class StudyTable:
    """One table.

    Attributes:
        name: Its file's name without suffix.
        title: What it shows.
        stub: Heading of the labels.
        columns: Headings of the entries.
        groups: The rows.
        notes: What to know before believing it: protocol, power, correction.

    Raises:
        ValueError: If a row has more or fewer entries than there are columns.
    """

    name: str
    title: str
    stub: str
    columns: tuple[str, ...]
    groups: tuple[RowGroup, ...]
    notes: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        for group in self.groups:
            for row in group.rows:
                if len(row.entries) != len(self.columns):
                    raise ValueError(
                        f"table {self.name!r}, row {row.label!r}: {len(row.entries)} entries for"
                        f" {len(self.columns)} columns"
                    )

    def is_text(self, column: int) -> bool:
        """Return whether a column holds words and no number."""
        entries = [row.entries[column] for group in self.groups for row in group.rows]
        return any(entry.text for entry in entries) and all(
            entry.value is None for entry in entries
        )

    def longest(self, column: int) -> int:
        """Return the number of letters of a column's longest words."""
        return max(
            (len(row.entries[column].text) for group in self.groups for row in group.rows),
            default=0,
        )

    def without_empty_columns(self) -> "StudyTable":
        """Return the table without columns in which no row has a number or a word."""
        rows = [row for group in self.groups for row in group.rows]
        kept = [
            at for at in range(len(self.columns)) if any(_is_set(row.entries[at]) for row in rows)
        ]
        return StudyTable(
            self.name,
            self.title,
            self.stub,
            _at(self.columns, kept),
            tuple(
                RowGroup(
                    group.heading,
                    tuple(
                        TableRow(row.label, _at(row.entries, kept), row.is_published)
                        for row in group.rows
                    ),
                )
                for group in self.groups
            ),
            self.notes,
        )


def _is_set(entry: Entry) -> bool:
    return entry.value is not None or bool(entry.text)


def _at(items: Sequence[_Item], places: Sequence[int]) -> tuple[_Item, ...]:
    return tuple(items[at] for at in places)
