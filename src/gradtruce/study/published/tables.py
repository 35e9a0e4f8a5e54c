"""The paper's tables in the form of a study's, every row marked as published."""

import math

from gradtruce.study.published.paper import STAGE_ARMS, PublishedTable, published_tables
from gradtruce.study.tables.model import Entry, RowGroup, StudyTable, TableRow


def published_study_tables() -> list[StudyTable]:
    """Return the paper's twelve tables.

    >>> published_study_tables()[0].title
    'Published: Table 1 of the CAME-Grad paper, CAME-Grad on eight methods, MIMIC-CXR'
    """
    return [_table(table) for table in published_tables().values()]


def _table(table: PublishedTable) -> StudyTable:
    return StudyTable(
        f"published-{table.name.lower().replace('.', '-')}",
        f"Published: Table {table.name} of the CAME-Grad paper, {table.title}, {table.data}",
        "Arm",
        table.columns,
        tuple(
            RowGroup(
                model,
                tuple(
                    TableRow(
                        _label(row.arm) + (f", {row.note}" if row.note else ""),
                        tuple(Entry(None if math.isnan(value) else value) for value in row.values),
                        is_published=True,
                    )
                    for row in table.rows
                    if row.model == model
                ),
            )
            for model in table.models()
        ),
        ("Not measured here: other data, single runs; no spread was printed.",),
    )


def _label(arm: str) -> str:
    """Return what an arm of the paper is called.

    >>> _label("without_s2"), _label("cagrad")
    ('CAME-Grad, S1 + S3', 'cagrad')
    """
    stages = STAGE_ARMS.get(arm)
    if arm in ("linear", "came_grad"):
        return {"linear": "Linear scalarization", "came_grad": "CAME-Grad"}[arm]
    if stages:
        return f"CAME-Grad, {' + '.join(stage.upper() for stage in stages)}"
    return arm
