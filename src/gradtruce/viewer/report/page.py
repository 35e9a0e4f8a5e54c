"""The page: what the templates are given, and how they become HTML."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final, final

import jinja2
from markupsafe import Markup

from gradtruce.data.observations import NEGATIVE, POSITIVE, UNCERTAIN
from gradtruce.evaluation.significance import Score
from gradtruce.viewer.report.agreement import Piece, Verdict
from gradtruce.viewer.report.chart import Panel, line_chart
from gradtruce.viewer.report.facts import FactRow
from gradtruce.viewer.report.figures import NullRow
from gradtruce.viewer.report.gallery import GalleryItem
from gradtruce.viewer.report.intervals import interval_bar, range_bar, swatch
from gradtruce.viewer.report.results import (
    HEADLINE,
    ONE_PAIR,
    ClassRow,
    ScoreTable,
    difference_text,
    interval_text,
    score_text,
)

SIGNS: Final[Mapping[Verdict, str]] = {
    "found": "✓",
    "invented": "✗",
    "missed": "○",
    "partly": "◐",
    "unsure": "?",
}
"""A sign beside the colour of each verdict, for who can't tell the colours apart."""

TRUTHS: Final = {
    POSITIVE: "present",
    NEGATIVE: "absent",
    UNCERTAIN: "uncertain",
    None: "not stated",
}

Facts = Sequence[tuple[str, str]]


@final
@dataclass(frozen=True)
class ForestRow:
    """One line of the headline drawing."""

    label: str
    css: str
    score: Score


@final
@dataclass(frozen=True)
class ConfigText:
    """The configuration of a run, and where its file is beside the page."""

    label: str
    text: str
    link: str


@final
@dataclass(frozen=True, eq=False)
class Page:
    """Everything that a report page shows."""

    title: str
    lede: str
    is_synthetic: bool
    runs: Sequence[str]
    against: str
    forest: Sequence[ForestRow]
    table: ScoreTable
    class_rows: Sequence[ClassRow]
    difference: Score | None
    difference_label: str
    conclusion: str
    protocols: Sequence[tuple[str, str, Facts]]
    caveats: Sequence[str]
    losses: Sequence[Panel]
    conflict: Sequence[Panel]
    nulls: Sequence[NullRow]
    magnitudes: Sequence[Panel]
    coefficients: Sequence[Panel]
    items: Sequence[GalleryItem]
    facts: Sequence[FactRow]
    fact_lists: Sequence[tuple[str, Facts]]
    configs: Sequence[ConfigText]
    notes: Sequence[str]
    version: str
    headline_key: str = HEADLINE
    one_pair: str = ONE_PAIR

    @property
    def columns(self) -> int:
        """Number of columns of the table of scores."""
        extra = 1 if self.difference else 0
        return 1 + len(self.runs) + extra + len(self.table.reference_names)


def render(template: str, **values: object) -> str:
    """Return the HTML of a template, style and script inside; every text in it is escaped.

    >>> from gradtruce.viewer.report.own_images import OwnPage
    >>> "<title>gradtruce" in render("own_images.html.j2", page=OwnPage("gradtruce", ()))
    True
    """
    return _environment().get_template(template).render(**values)


def describe(piece: Piece) -> str:
    """Return what marked words state, for the tooltip and for screen readers.

    >>> from gradtruce.viewer.report.agreement import Mark
    >>> describe(Piece("no effusion", (Mark("Pleural Effusion", 0, "missed"),)))
    'Pleural Effusion denied: missed'
    """
    words = {POSITIVE: "", NEGATIVE: " denied", UNCERTAIN: " hedged"}
    parts = []
    for mark in piece.marks:
        if mark.by:
            verdict = ", ".join(
                f"{'found' if has else 'missed'} by {name}" for name, has in mark.by
            )
        else:
            verdict = mark.verdict
        parts.append(f"{mark.observation}{words[mark.state]}: {verdict}")
    return "; ".join(parts)


@cache
def _environment() -> jinja2.Environment:
    folder = resources.files("gradtruce.viewer.report") / "templates"
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(lambda name: (folder / name).read_text(encoding="utf-8")),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        css=Markup((folder / "style.css").read_text(encoding="utf-8")),  # our own file
        script=Markup((folder / "page.js").read_text(encoding="utf-8")),  # our own file
        line_chart=line_chart,
        swatch=swatch,
        interval_bar=interval_bar,
        range_bar=range_bar,
        score_text=score_text,
        difference_text=difference_text,
        interval_text=interval_text,
        describe=describe,
        signs=SIGNS,
        truths=TRUTHS,
    )
    return environment
