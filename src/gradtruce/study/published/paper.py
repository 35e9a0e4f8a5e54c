"""The figures that the CAME-Grad paper prints, all twelve tables, for printing beside ours.

They were measured on other data, mostly as single runs, and never enter a computation here: nothing
is ever the difference between a published and a measured number.
"""

import math
import tomllib
from functools import cache
from importlib import resources
from typing import Final

from pydantic import BaseModel, ConfigDict, model_validator

_FILE: Final = "paper.toml"

STAGE_ARMS: Final = {
    "linear": (),
    "without_s1": ("s2", "s3"),
    "without_s2": ("s1", "s3"),
    "without_s3": ("s1", "s2"),
    "came_grad": ("s1", "s2", "s3"),
}
"""Stages of CAME-Grad that are on in the arms of Tables 4, D.3 and E.3."""


class PublishedRow(BaseModel):
    """One row of a published table.

    Attributes:
        model: The method, as the paper writes it.
        arm: The optimizer, by our name of it.
        note: What the paper says beside it.
        values: In the table's columns; NaN where it prints none.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str
    arm: str
    note: str = ""
    values: tuple[float, ...]


class PublishedTable(BaseModel):
    """One table of the paper.

    Attributes:
        name: Its number.
        title: What it shows, in our words.
        data: Data set that it was measured on.
        columns: Headings of its numbers.
        rows: In the paper's order.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    title: str
    data: str
    columns: tuple[str, ...]
    rows: tuple[PublishedRow, ...]

    @model_validator(mode="after")
    def _is_a_rectangle(self) -> "PublishedTable":
        for row in self.rows:
            if len(row.values) != len(self.columns):
                raise ValueError(
                    f"Table {self.name}, {row.model}, {row.arm}: {len(row.values)} numbers for"
                    f" {len(self.columns)} columns"
                )
        return self

    def values(self, model: str, arm: str) -> dict[str, float] | None:
        """Return the numbers of one row by column, without those it lacks; `None` without a row.

        >>> published_tables()["1"].values("WCL", "came_grad")["CE Avg."]
        0.364
        """
        for row in self.rows:
            if (row.model, row.arm) == (model, arm):
                pairs = zip(self.columns, row.values, strict=True)
                return {column: value for column, value in pairs if not math.isnan(value)}
        return None

    def models(self) -> tuple[str, ...]:
        """Return the methods of the table, each once."""
        return tuple(dict.fromkeys(row.model for row in self.rows))


_AUXILIARY: Final[tuple[str, ...]] = ("F.1",)
_REVTAF: Final[tuple[str, ...]] = ("3", "B.1")
_STAGES: Final[tuple[str, ...]] = ("D.3", "E.3")


@cache
def published_tables() -> dict[str, PublishedTable]:
    """Return the paper's tables by number.

    >>> list(published_tables())
    ['1', '2', '3', '4', 'B.1', 'D.1', 'D.2', 'D.3', 'E.1', 'E.2', 'E.3', 'F.1']
    """
    text = resources.files("gradtruce.study.published").joinpath(_FILE).read_text(encoding="utf-8")
    tables = [PublishedTable.model_validate(table) for table in tomllib.loads(text)["tables"]]
    return {table.name: table for table in tables}


def model_of(method: str) -> str | None:
    """Return the paper's name of a method of a plan, or `None` where the paper has it not.

    >>> model_of("promptmrg-no-clip"), model_of("r2gen")
    ('PromptMRG', None)
    """
    stem = method.replace("_", "-").partition("-")[0].casefold()
    for model in published_tables()["1"].models():
        if model.casefold() == stem:
            return model
    return None


def published_beside(
    method: str, arms: tuple[str, ...], *, auxiliary: bool = False
) -> list[tuple[PublishedTable, PublishedRow]]:
    """Return the published rows to print below a study's own of one method.

    A method that the paper has is shown with its own rows; for another one, the optimizers of
    Table 3, which are on REVTAF.

    Args:
        method: Name of the method in the plan.
        arms: Names of the study's arms; others are left out.
        auxiliary: Whether the rows are those of the auxiliary task.

    >>> [table.name for table, _ in published_beside("wcl", ("linear",))]
    ['D.3', 'E.3']
    """
    model = model_of(method)
    wanted = "REVTAF" if model is None and not auxiliary else model
    names = _AUXILIARY if auxiliary else (_REVTAF if model is None else _STAGES)
    found: dict[tuple[str, str], tuple[PublishedTable, PublishedRow]] = {}
    for name in names:
        table = published_tables()[name]
        for row in table.rows:
            if row.model == wanted and row.arm in arms:
                found.setdefault((table.data, row.arm), (table, row))
    return list(found.values())
