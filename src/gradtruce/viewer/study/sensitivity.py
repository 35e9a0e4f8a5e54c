"""The grid over CAME-Grad's settings as heat maps, the published values marked."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Final, final

from gradtruce.study.results.record import CellRecord
from gradtruce.training.assembly import build_balancer
from gradtruce.viewer.study.folder import StudyFolder

SETTINGS: Final = ("radius", "gain", "fusion")
"""The settings of CAME-Grad that the grid is over, in the paper's order."""

_NAME: Final = "came_grad"
_SHADES: Final = 100


@final
@dataclass(frozen=True)
class HeatCell:
    """Mean score at one point of the grid.

    Attributes:
        value: Mean over seeds; `None` where it was not run.
        shade: Place between the worst (0) and the best (100) of the map.
        published: Where these settings are published; "" where nowhere.
    """

    value: float | None
    shade: int
    published: str


@final
@dataclass(frozen=True)
class HeatMap:
    """Two settings against each other, the third fixed."""

    title: str
    down: str
    across: str
    columns: tuple[float, ...]
    rows: tuple[tuple[float, tuple[HeatCell, ...]], ...]


@final
@dataclass(frozen=True)
class _Point:
    place: tuple[float, ...]
    value: float
    published: str


def heat_maps(study: StudyFolder, cell: CellRecord) -> list[HeatMap]:
    """Return a map for each two settings that vary together, at each value of the third.

    Maps of fewer than 4 points say nothing and are left out.
    """
    points = _points(study, cell)
    maps = []
    for down, across in combinations(range(len(SETTINGS)), 2):
        third = 3 - down - across
        for fixed in sorted({point.place[third] for point in points}):
            inside = {
                (point.place[down], point.place[across]): point
                for point in points
                if point.place[third] == fixed
            }
            rows, columns = ({key[side] for key in inside} for side in (0, 1))
            if len(rows) > 1 and len(columns) > 1 and len(inside) >= 4:
                title = f"{SETTINGS[third]} {fixed:g}"
                maps.append(_map(title, SETTINGS[down], SETTINGS[across], inside))
    return maps


def _map(
    title: str, down: str, across: str, inside: Mapping[tuple[float, float], _Point]
) -> HeatMap:
    rows, columns = (tuple(sorted({key[side] for key in inside})) for side in (0, 1))
    values = [point.value for point in inside.values()]
    low, reach = min(values), (max(values) - min(values)) or 1.0

    def cell(row: float, column: float) -> HeatCell:
        point = inside.get((row, column))
        if point is None:
            return HeatCell(None, 0, "")
        return HeatCell(point.value, round(_SHADES * (point.value - low) / reach), point.published)

    return HeatMap(
        title,
        down,
        across,
        columns,
        tuple((row, tuple(cell(row, column) for column in columns)) for row in rows),
    )


def _points(study: StudyFolder, cell: CellRecord) -> list[_Point]:
    record = study.record
    means = {
        score.arm: score.mean
        for score in record.scores
        if (score.cell, score.metric) == (cell.name, record.headline)
    }
    points = []
    for run in study.plan.runs(study.folder):
        mean = means.get(run.arm)
        is_first = run.seed == study.plan.seeds[0]
        if not is_first or mean is None or (run.method, run.data) != (cell.method, cell.data):
            continue
        balance = run.config.balance
        if balance.name != _NAME or not set(balance.options) <= set(SETTINGS):
            continue
        balancer = build_balancer(balance)
        place = tuple(float(getattr(balancer, setting)) for setting in SETTINGS)
        points.append(_Point(place, mean, study.plan.arms[run.arm].published or ""))
    return points
