"""What the gradients did, from the log: conflict beside its null, magnitude, angle, clipping."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, final

import numpy as np
from jaxtyping import Float, Int
from scipy.stats import binomtest

from gradtruce.analysis.estimate import Estimate, mean_estimate, share_difference
from gradtruce.viewer.frame.chart import Panel, Series
from gradtruce.viewer.frame.histogram import CosineSet, Histogram
from gradtruce.viewer.frame.score_text import percent
from gradtruce.viewer.report.figures import clipped_share, share_negative
from gradtruce.viewer.report.records import Json, RunLog, RunRecord

Values = Float[np.ndarray, " values"]
Edges = Float[np.ndarray, " edges"]
Parts = Float[np.ndarray, " parts"]

_FEW_EPOCHS: Final = 3
_STRETCHES: Final = 8


@final
@dataclass(frozen=True)
class DynamicsRow:
    """One number of the gradients, of every run.

    Attributes:
        name: What it is.
        note: How to read it.
        values: One a run; "–" where the log does not tell.
    """

    name: str
    note: str
    values: tuple[str, ...]


def conflict_by_epoch(runs: Sequence[RunRecord]) -> list[Panel]:
    """Return the share of negative cosines along the training, a panel a run, with the null."""
    return [_conflict_panel(run, arm) for arm, run in enumerate(runs) if run.log.nulls]


def cosine_histograms(runs: Sequence[RunRecord]) -> list[Histogram]:
    """Return the cosines of each pair of tasks, one drawing a pair and run, with the null."""
    return [
        _histogram(run, arm, pair, len(runs) > 1)
        for arm, run in enumerate(runs)
        for pair in run.log.names("cosines")
    ]


def dynamics_rows(runs: Sequence[RunRecord]) -> list[DynamicsRow]:
    """Return the numbers of the gradients; none where no run kept diagnostics."""
    rows = [
        ("Conflict, whole batch", "share of task pairs with a negative cosine, mean over steps",
         [percent(_mean(run.log.column("conflict_ratio")[1])) for run in runs]),
        ("Conflict, half batches", "two tasks on disjoint halves",
         [percent(share_negative(_half(run.log, "cross_task"))) for run in runs]),
        ("Null, half batches", "one task on disjoint halves: noise alone",
         [percent(share_negative(_half(run.log, "within_task"))) for run in runs]),
        ("Excess over the null", "percentage points, 95 % interval over measurements",
         [_excess_text(run.log) for run in runs]),
        ("Mean cosine, half batches", "two tasks on disjoint halves, 95 % interval; "
         "below 0 they oppose each other",
         [_cosine_text(run.log) for run in runs]),
        ("Magnitude retained", "norm of the update over that of the joint gradient; "
         "median, 10th to 90th percentile",
         [_spread(run.log.column("gain")[1], "{:.2f}") for run in runs]),
        ("Angle to the joint gradient", "median, 10th to 90th percentile",
         [_spread(_angles(run.log), "{:.0f}°") for run in runs]),
        ("Valid steps", "the update raises no task's loss, to first order",
         [percent(_valid_share(run.log)) for run in runs]),
        ("Clipped steps", "the whole gradient was longer than the limit",
         [percent(clipped_share(run.log)) for run in runs]),
    ]  # fmt: skip
    shown = [DynamicsRow(name, note, tuple(values)) for name, note, values in rows]
    return [row for row in shown if any(value != "–" for value in row.values)]


def excess_over_null(log: RunLog) -> Estimate:
    """Return how much more often two tasks point apart than one task does, on disjoint halves.

    >>> line = {"step": 1, "cross_task": {"a|b": -0.5}, "within_task": {"a": 0.5, "b": 0.1}}
    >>> excess_over_null(RunLog(nulls=[line, line])).value
    1.0
    """
    return share_difference(
        [_share(line, "cross_task") - _share(line, "within_task") for line in log.nulls]
    )


def mean_cosine(log: RunLog) -> Estimate:
    """Return the mean cosine of two tasks on disjoint halves, over all pairs of tasks.

    Below 0 the tasks oppose each other: the halves share no noise.

    >>> line = {"step": 1, "cross_task": {"a|b": -0.5, "a|c": 0.1}}
    >>> mean_cosine(RunLog(nulls=[line, line])).value
    -0.2
    """
    means = [
        _mean(np.array(list((line.get("cross_task") or {}).values()), float)) for line in log.nulls
    ]
    return mean_estimate([np.nan if mean is None else mean for mean in means])


def verdict(log: RunLog) -> str:
    """Return what may be said of the conflict in a run, in one sentence; "" without measurements.

    >>> line = {"step": 1, "cross_task": {"a|b": -0.5}, "within_task": {"a": 0.5, "b": 0.1}}
    >>> verdict(RunLog(nulls=[line, line]))
    'The tasks oppose each other: their mean cosine on disjoint halves is below 0.'
    """
    cosine = mean_cosine(log)
    if cosine.count < 2:
        return ""
    if cosine.is_below(0.0):
        return "The tasks oppose each other: their mean cosine on disjoint halves is below 0."
    if cosine.is_above(0.0):
        return "The tasks help each other: their mean cosine on disjoint halves is above 0."
    return (
        "The tasks neither oppose nor help each other, as far as these measurements tell: the"
        " interval of their mean cosine on disjoint halves holds 0."
    )


def _conflict_panel(run: RunRecord, arm: int) -> Panel:
    edges, unit = _stretches(run.log)
    last = float(edges[-1])
    steps, ratios = run.log.column("conflict_ratio")
    measured = np.array([float(line["step"]) for line in run.log.nulls])
    cross = np.array([_share(line, "cross_task") for line in run.log.nulls])
    within = np.array([_share(line, "within_task") for line in run.log.nulls])
    tasks = max(len(run.log.names("within_task", "nulls")), 1)
    middles = (edges[:-1] + edges[1:]) / 2
    null = _means(measured, within, edges)
    low, high = _wilson(measured, within, edges, tasks)
    return Panel(
        title=f"Conflict by {unit}: {run.label}",
        caption="Share of negative cosines. Band: 95 % interval of the null.",
        series=(
            Series("one task, half batches: the null", arm, middles, null, low, high, style="null",
                   until=last),
            Series("two tasks, half batches", arm, middles, _means(measured, cross, edges),
                   style="cross"),
            Series("two tasks, whole batch", arm, middles, _means(steps, ratios, edges)),
        ),
        reference=0.0,
    )  # fmt: skip


def _histogram(run: RunRecord, arm: int, pair: str, several: bool) -> Histogram:
    tasks = pair.split("|")
    nulls = [run.log.column("within_task", task, kind="nulls")[1] for task in tasks]
    cross = run.log.column("cross_task", pair, kind="nulls")[1]
    name = pair.replace("|", " and ")
    return Histogram(
        title=f"Cosines: {name}{f', {run.label}' if several else ''}",
        caption="Share of the measurements in each tenth; left of the line they conflict.",
        series=(
            CosineSet("two tasks, whole batch", f"arm-{arm}", run.log.column("cosines", pair)[1],
                      is_filled=True),
            CosineSet("two tasks, half batches", "cross", cross),
            CosineSet("one task, half batches: the null", "null", np.concatenate(nulls)),
        ),
    )  # fmt: skip


def _stretches(log: RunLog) -> tuple[Edges, str]:
    """Return the steps that part the training: epochs, or equal stretches where those are few."""
    first: dict[int, float] = {}
    for line in log.steps:
        first.setdefault(int(line.get("epoch", 0)), float(line["step"]))
    last = max(float(line["step"]) for line in [*log.steps, *log.nulls])
    if len(first) >= _FEW_EPOCHS:
        return np.array([*[step - 1 for step in first.values()], last]), "epoch"
    return np.linspace(0.0, last, _STRETCHES + 1), "stretch of steps"


def _places(steps: Values, edges: Edges) -> Int[np.ndarray, " values"]:
    places: Int[np.ndarray, " values"] = np.digitize(steps, edges[1:-1], right=True)
    return places


def _means(steps: Values, values: Values, edges: Edges) -> Parts:
    places = _places(steps, edges)
    inside = [values[places == place] for place in range(len(edges) - 1)]
    return np.array([_mean(part) if len(part) else np.nan for part in inside], dtype=float)


def _wilson(steps: Values, shares: Values, edges: Edges, each: int) -> tuple[Parts, Parts]:
    """Return the interval of each stretch's share of `each` cosines a measurement."""
    places = _places(steps, edges)
    bounds = []
    for place in range(len(edges) - 1):
        known = shares[(places == place) & np.isfinite(shares)]
        if not len(known):
            bounds.append((np.nan, np.nan))
            continue
        number = round(float(known.sum()) * each), len(known) * each
        interval = binomtest(*number).proportion_ci(method="wilson")
        bounds.append((interval.low, interval.high))
    table = np.array(bounds, dtype=float)
    return table[:, 0], table[:, 1]


def _share(line: Json, kind: str) -> float:
    values = [value for value in (line.get(kind) or {}).values() if value is not None]
    return sum(value < 0 for value in values) / len(values) if values else np.nan


def _half(log: RunLog, kind: str) -> Values:
    columns = [log.column(kind, name, kind="nulls")[1] for name in log.names(kind, "nulls")]
    return np.concatenate([*columns, np.array([])])


def _excess_text(log: RunLog) -> str:
    return _interval_text(excess_over_null(log), "{:+.0f}", 100.0)


def _cosine_text(log: RunLog) -> str:
    return _interval_text(mean_cosine(log), "{:+.3f}", 1.0)


def _interval_text(found: Estimate, form: str, unit: float) -> str:
    if found.count < 2:
        return "–"
    value, low, high = (
        form.format(unit * part).replace("-", "−") for part in (found.value, found.low, found.high)
    )
    return f"{value} [{low}, {high}]"


def _mean(values: Values) -> float | None:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else None


def _angles(log: RunLog) -> Values:
    angles: Values = np.degrees(np.arccos(np.clip(log.column("joint_cosine")[1], -1.0, 1.0)))
    return angles


def _valid_share(log: RunLog) -> float | None:
    values = log.column("validity")[1]
    known = values[np.isfinite(values)]
    return float((known >= 0).mean()) if len(known) else None


def _spread(values: Values, form: str) -> str:
    known = values[np.isfinite(values)]
    if not len(known):
        return "–"
    low, median, high = (form.format(p) for p in np.percentile(known, (10, 50, 90)))
    return f"{median} ({low} to {high})"
