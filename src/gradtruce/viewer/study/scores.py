"""Tables of arms: mean ± standard deviation over seeds, ranks, stages of CAME-Grad."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, final

from gradtruce.study.results.record import (
    ArmRecord,
    ArmScore,
    CellRecord,
    ComparisonRecord,
    MetricRecord,
    RankRecord,
    StudyRecord,
)
from gradtruce.viewer.study.folder import title_of

STAGES: Final = ("s1", "s2", "s3")
GROUPS: Final = {"report": "Scores of the reports", "auxiliary": "Scores of the findings head"}


@final
@dataclass(frozen=True)
class ScoreCell:
    """One metric of one arm, and how it compares with the reference; `None` for the reference."""

    score: ArmScore | None
    comparison: ComparisonRecord | None


@final
@dataclass(frozen=True)
class ArmRow:
    """One arm: its scores, and its stages where it has some."""

    label: str
    is_reference: bool
    cells: tuple[ScoreCell, ...]
    stages: tuple[bool, ...] = ()


@final
@dataclass(frozen=True)
class ArmTable:
    """All arms of one cell in the metrics of one group.

    Attributes:
        title: Method and data set.
        group: Of metrics, in words.
        metrics: Its columns.
        rows: In the plan's order.
        detectable: Of each metric: smallest and largest difference that the comparisons could have
            shown after correction.
    """

    title: str
    group: str
    metrics: tuple[MetricRecord, ...]
    rows: tuple[ArmRow, ...]
    detectable: tuple[tuple[float, float] | None, ...]


@final
@dataclass(frozen=True)
class RankTable:
    """Average ranks: arms by metrics, the best in the headline first."""

    metrics: tuple[MetricRecord, ...]
    rows: tuple[tuple[str, tuple[RankRecord | None, ...]], ...]
    arms: int


def arm_tables(record: StudyRecord, group: str) -> list[ArmTable]:
    """Return one table a cell, of the metrics of a group that at least one run has."""
    present = {score.metric for score in record.scores if score.mean is not None}
    metrics = tuple(m for m in record.metrics if m.group == group and m.name in present)
    if not metrics:
        return []
    return [_table(record, cell, group, metrics, record.arms) for cell in record.cells]


def ablation_tables(record: StudyRecord) -> list[ArmTable]:
    """Return the tables of arms that differ in the stages of CAME-Grad; none without such arms.

    Of several arms with the same stages, the plan's first is shown.
    """
    partial = [arm for arm in record.arms if arm.stages and len(arm.stages) < len(STAGES)]
    if not partial:
        return []
    first: dict[tuple[str, ...], ArmRecord] = {}
    for arm in record.arms:
        if arm.stages is not None:
            first.setdefault(arm.stages, arm)
    arms = tuple(first.values())
    present = {score.metric for score in record.scores if score.mean is not None}
    metrics = tuple(m for m in record.metrics if m.group == "report" and m.name in present)
    return [_table(record, cell, "report", metrics, arms) for cell in record.cells]


def rank_table(record: StudyRecord) -> RankTable | None:
    """Return the ranks in the metrics of reports; `None` where there are none."""
    table = {(rank.arm, rank.metric): rank for rank in record.ranks}
    ranked = {rank.metric for rank in record.ranks}
    metrics = tuple(m for m in record.metrics if m.group == "report" and m.name in ranked)
    first = [metric for metric in metrics if metric.name == record.headline]
    if not table or not first:
        return None
    order = [*first, *(metric for metric in metrics if metric.name != record.headline)]
    found = [(arm, table.get((arm.name, record.headline))) for arm in record.arms]
    best_first = sorted(
        ((arm, rank) for arm, rank in found if rank is not None), key=lambda entry: entry[1].rank
    )
    return RankTable(
        tuple(order),
        tuple(
            (arm.label, tuple(table.get((arm.name, metric.name)) for metric in order))
            for arm, _ in best_first
        ),
        len(best_first),
    )


def _table(
    record: StudyRecord,
    cell: CellRecord,
    group: str,
    metrics: Sequence[MetricRecord],
    arms: Sequence[ArmRecord],
) -> ArmTable:
    scores = {(s.arm, s.metric): s for s in record.scores if s.cell == cell.name}
    compared = {(c.arm, c.metric): c for c in record.comparisons if c.cell == cell.name}
    rows = tuple(
        _row(record, arm, metrics, scores, compared)
        for arm in arms
        if any((arm.name, metric.name) in scores for metric in metrics)
    )
    return ArmTable(
        title=title_of(cell),
        group=GROUPS.get(group, group),
        metrics=tuple(metrics),
        rows=rows,
        detectable=tuple(_extent(compared, metric.name) for metric in metrics),
    )


def _row(
    record: StudyRecord,
    arm: ArmRecord,
    metrics: Sequence[MetricRecord],
    scores: Mapping[tuple[str, str], ArmScore],
    compared: Mapping[tuple[str, str], ComparisonRecord],
) -> ArmRow:
    return ArmRow(
        label=arm.label,
        is_reference=arm.name == record.reference,
        cells=tuple(
            ScoreCell(scores.get((arm.name, m.name)), compared.get((arm.name, m.name)))
            for m in metrics
        ),
        stages=tuple(stage in (arm.stages or ()) for stage in STAGES),
    )


def _extent(
    compared: Mapping[tuple[str, str], ComparisonRecord], metric: str
) -> tuple[float, float] | None:
    found = [c.detectable_holm for (_, name), c in compared.items() if name == metric]
    known = [value for value in found if value is not None]
    return (min(known), max(known)) if known else None
