"""The page: what the templates are given, and how they become HTML."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, final

from gradtruce.data.observations import NEGATIVE, POSITIVE, UNCERTAIN
from gradtruce.evaluation.significance import Score
from gradtruce.viewer.frame import environment
from gradtruce.viewer.frame.chart import Panel
from gradtruce.viewer.frame.histogram import Histogram
from gradtruce.viewer.report.agreement import Piece, Verdict
from gradtruce.viewer.report.dynamics import DynamicsRow
from gradtruce.viewer.report.error_card import ShownCard, card_bar
from gradtruce.viewer.report.facts import FactRow
from gradtruce.viewer.report.figures import NullRow
from gradtruce.viewer.report.gallery import GalleryItem
from gradtruce.viewer.report.results import HEADLINE, ONE_PAIR, ClassRow, ScoreTable

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

PACKAGES: Final = ("gradtruce.viewer.report",)

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
    by_epoch: Sequence[Panel]
    histograms: Sequence[Histogram]
    dynamics: Sequence[DynamicsRow]
    verdicts: Sequence[tuple[str, str]]
    cards: Sequence[ShownCard]
    nulls: Sequence[NullRow]
    magnitudes: Sequence[Panel]
    coefficients: Sequence[Panel]
    items: Sequence[GalleryItem]
    facts: Sequence[FactRow]
    fact_lists: Sequence[tuple[str, Facts]]
    configs: Sequence[ConfigText]
    notes: Sequence[str]
    version: str
    gallery_note: str = ""
    cards_note: str = "Brackets: 95 % interval over test studies."
    headline_key: str = HEADLINE
    one_pair: str = ONE_PAIR

    @property
    def has_baselines(self) -> bool:
        """Whether the headline drawing shows what needs no training."""
        return any(row.css == "baseline" for row in self.forest)

    @property
    def sections(self) -> list[tuple[str, str]]:
        """Anchors and names of the sections that the page has."""
        shown = [("result", "Result", True), ("errors", "Errors", bool(self.cards)),
                 ("training", "Training", True),
                 ("gradients", "Gradients", bool(self.dynamics or self.magnitudes)),
                 ("gallery", "Studies", bool(self.items)), ("facts", "Facts", True)]  # fmt: skip
        return [(anchor, title) for anchor, title, is_there in shown if is_there]

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
    return environment.render(PACKAGES, template, **PARTS, **values)


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


PARTS: Final[Mapping[str, object]] = {
    "describe": describe,
    "signs": SIGNS,
    "truths": TRUTHS,
    "card_bar": card_bar,
}
"""What the templates of this package need besides the page; other pages borrow it with them."""
