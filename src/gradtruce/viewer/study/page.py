"""The page of a study: what the templates are given, and how they become HTML."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, final

from gradtruce.study.results.record import (
    CellRecord,
    ClaimRecord,
    MetricRecord,
    ProtocolRecord,
    VerdictRecord,
)
from gradtruce.viewer.frame import environment
from gradtruce.viewer.frame.chart import Panel
from gradtruce.viewer.frame.forest import domain_around_zero
from gradtruce.viewer.report.error_card import ShownCard
from gradtruce.viewer.report.gallery import GalleryItem
from gradtruce.viewer.report.page import PARTS, Facts
from gradtruce.viewer.study.compute import ComputeRow, MissingRow
from gradtruce.viewer.study.differences import SIGNS, Forest, GridRow
from gradtruce.viewer.study.published import PublishedRows
from gradtruce.viewer.study.scores import ArmTable, RankTable
from gradtruce.viewer.study.sensitivity import HeatMap
from gradtruce.viewer.study.training import ConflictRow

_PACKAGES: Final = ("gradtruce.viewer.study", "gradtruce.viewer.report")


@final
@dataclass(frozen=True, eq=False)
class StudyPage:
    """Everything that the page of a study shows."""

    title: str
    question: str
    size: str
    is_synthetic: bool
    reference: str
    headline: MetricRecord
    sentence: str
    caveats: Sequence[str]
    forests: Sequence[Forest]
    verdicts: Sequence[tuple[str, VerdictRecord]]
    cells: Sequence[CellRecord]
    grid: Sequence[GridRow]
    tables: Sequence[ArmTable]
    auxiliary: Sequence[ArmTable]
    ranks: RankTable | None
    ablation: Sequence[ArmTable]
    published: Sequence[PublishedRows]
    heat_maps: Sequence[tuple[str, HeatMap]]
    conflict: Sequence[tuple[str, Sequence[ConflictRow]]]
    curves: Sequence[tuple[str, Sequence[Panel]]]
    selection: str
    claims: Sequence[ClaimRecord]
    runs: Sequence[str]
    cards: Sequence[ShownCard]
    items: Sequence[GalleryItem]
    gallery_note: str
    missing: Sequence[MissingRow]
    compute: Sequence[ComputeRow]
    total_time: str
    protocols: Sequence[ProtocolRecord]
    settings: Facts
    machine: Facts
    plan_text: str
    version: str
    cards_note: str = "Mean over the finished seeds of each arm."

    @property
    def conflict_domain(self) -> tuple[float, float]:
        """Cosines at the left and right edge of the drawings of conflict."""
        found = [value for _, rows in self.conflict for row in rows for value in row.cosines]
        return domain_around_zero([-0.05, 0.05, *found])

    @property
    def sections(self) -> list[tuple[str, str]]:
        """Anchors and names of the sections that the page has."""
        shown = [("result", "Result", True), ("scores", "Scores", True),
                 ("settings", "Settings", bool(self.ablation or self.heat_maps)),
                 ("conflict", "Conflict", bool(self.conflict)),
                 ("training", "Training", bool(self.curves)),
                 ("claims", "Claims", bool(self.claims)), ("errors", "Errors", bool(self.cards)),
                 ("gallery", "Studies", bool(self.items)), ("facts", "Facts", True)]  # fmt: skip
        return [(anchor, title) for anchor, title, is_there in shown if is_there]


def render(page: StudyPage) -> str:
    """Return the HTML of the page; every text in it is escaped."""
    return environment.render(_PACKAGES, "study.html.j2", page=page, outcome_signs=SIGNS, **PARTS)
