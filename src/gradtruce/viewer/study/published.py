"""Figures that the paper prints, below ours and marked as published."""

import math
from dataclasses import dataclass
from typing import final

from gradtruce.study.published.paper import PublishedRow, PublishedTable, published_beside
from gradtruce.study.results.record import StudyRecord


@final
@dataclass(frozen=True)
class PublishedRows:
    """Rows of one published table.

    Attributes:
        title: Number and title of the table.
        data: Data set that it was measured on.
        columns: Headings.
        rows: Method and arm, and a number a column; `None` where the paper prints none.
    """

    title: str
    data: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[float | None, ...]], ...]


def published_rows(record: StudyRecord) -> list[PublishedRows]:
    """Return what the paper prints for the methods and arms of a study, table by table."""
    arms = {arm.name: arm.label for arm in record.arms}
    found: dict[str, tuple[PublishedTable, dict[tuple[str, str], PublishedRow]]] = {}
    for method in dict.fromkeys(cell.method for cell in record.cells):
        for table, row in published_beside(method, tuple(arms)):
            _, rows = found.setdefault(table.name, (table, {}))
            rows[row.model, row.arm] = row
    return [
        PublishedRows(
            title=f"Table {table.name}: {table.title}",
            data=table.data,
            columns=table.columns,
            rows=tuple(
                (
                    ", ".join(word for word in (row.model, arms[row.arm], row.note) if word),
                    tuple(None if math.isnan(value) else value for value in row.values),
                )
                for row in rows.values()
            ),
        )
        for table, rows in found.values()
    ]
