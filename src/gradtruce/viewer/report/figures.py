"""The curves of a page: losses, conflict, gradient magnitudes, coefficients."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float

from gradtruce.viewer.frame.chart import Panel, Series, binned
from gradtruce.viewer.report.records import RunLog, RunRecord

Values = Float[np.ndarray, " lines"]
Note = Callable[[Values], str]


@final
@dataclass(frozen=True, eq=False)
class NullRow:
    """Cosines of one kind in one run, for the comparison with the null.

    Attributes:
        label: What the cosine is between.
        is_null: Whether both gradients are of the same task.
        arm: Which run, from 0.
        run: Name of the run.
        values: One a measurement.
        negative: Share below 0; `None` without measurements.
    """

    label: str
    is_null: bool
    arm: int
    run: str
    values: Values
    negative: float | None


def loss_panels(runs: Sequence[RunRecord]) -> list[Panel]:
    """Return one panel a task, and the validation score that chose the checkpoint."""
    panels = [
        Panel(
            title=f"Training loss: {task}",
            caption="Unweighted; log scale.",
            series=_series(runs, "losses", task),
            scale="log",
        )
        for task in _names(runs, "losses")
    ]
    return [*panels, _validation_panel(runs)]


def conflict_panels(runs: Sequence[RunRecord]) -> list[Panel]:
    """Return one panel a pair of tasks: the cosine between their gradients, step by step."""
    return [
        Panel(
            title=f"Cosine: {pair.replace('|', ' and ')}",
            caption="Between the two task gradients of the same batch; below 0 they conflict.",
            series=_series(runs, "cosines", pair, note=_share_negative),
            reference=0.0,
        )
        for pair in _names(runs, "cosines")
    ]


def magnitude_panels(runs: Sequence[RunRecord]) -> list[Panel]:
    """Return the norms of task gradients, joint gradient and update, and what clipping sees."""
    panels = [
        Panel(
            title=f"Gradient norm: {task}",
            caption="Of the unweighted task gradient, shared parameters; log scale.",
            series=_series(runs, "norms", task),
            scale="log",
        )
        for task in _names(runs, "norms")
    ]
    panels.append(
        Panel(
            title="Joint gradient norm",
            caption="Of the weighted sum of the task gradients; log scale.",
            series=_series(runs, "joint_norm"),
            scale="log",
        )
    )
    panels.append(
        Panel(
            title="Magnitude retained",
            caption="Norm of the update over that of the joint gradient; 1 for linear "
            "scalarization.",
            series=_ratio(runs),
            reference=1.0,
        )
    )
    panels.append(
        Panel(
            title="Angle to the joint gradient",
            caption="Between the update and the weighted sum of the task gradients, in degrees.",
            series=_angles(runs),
        )
    )
    panels.append(
        Panel(
            title="Validity",
            caption="Smallest cosine of the update to a task gradient; below 0 some loss rises.",
            series=_series(runs, "validity"),
            reference=0.0,
        )
    )
    clip = runs[0].config.training.clip
    limit = clip.limit if clip.kind == "norm" else None
    panels.append(
        Panel(
            title="Whole gradient norm before clipping",
            caption="Over all parameters; steps above the limit are clipped. Log scale.",
            series=_series(runs, "gradient_norm", note=None, notes=[clip_note(r) for r in runs]),
            scale="log",
            reference=limit,
            reference_label=f"clipped above {limit:g}" if limit is not None else "",
        )
    )
    return [panel for panel in panels if _has_values(panel)]


def coefficient_panels(runs: Sequence[RunRecord]) -> list[Panel]:
    """Return one panel a task: the number its gradient is multiplied with."""
    return [
        Panel(
            title=f"Coefficient: {task}",
            caption="What the unweighted task gradient is multiplied with.",
            series=_series(runs, "coefficients", task),
        )
        for task in _names(runs, "coefficients")
    ]


def null_rows(runs: Sequence[RunRecord]) -> list[NullRow]:
    """Return the cosines on disjoint halves of a batch, across tasks and within each task."""
    kinds = [("cross_task", pair) for pair in _names(runs, "cross_task", "nulls")]
    kinds += [("within_task", task) for task in _names(runs, "within_task", "nulls")]
    rows = []
    for kind, name in kinds:
        is_null = kind == "within_task"
        label = f"{name} and {name}" if is_null else name.replace("|", " and ")
        for arm, run in enumerate(runs):
            _, values = run.log.column(kind, name, kind="nulls")
            rows.append(NullRow(label, is_null, arm, run.label, values, share_negative(values)))
    return rows


def share_negative(values: Values) -> float | None:
    """Return the share of values below 0; `None` where there is no value.

    >>> share_negative(np.array([-0.1, 0.3, np.nan, 0.2, 0.1]))
    0.25
    """
    finite = values[np.isfinite(values)]
    return float((finite < 0).mean()) if len(finite) else None


def clipped_share(log: RunLog) -> float | None:
    """Return the share of steps whose gradient was clipped; `None` without steps.

    >>> clipped_share(RunLog(steps=[{"step": 1, "clipped": True}, {"step": 2, "clipped": False}]))
    0.5
    """
    clipped = [bool(line.get("clipped")) for line in log.steps]
    return sum(clipped) / len(clipped) if clipped else None


def clip_note(run: RunRecord) -> str:
    """Return the share of clipped steps for the legend."""
    share = clipped_share(run.log)
    return "" if share is None else f"clipped in {share:.0%} of steps"


def _series(
    runs: Sequence[RunRecord],
    *keys: str,
    note: Note | None = None,
    notes: Sequence[str] = (),
) -> tuple[Series, ...]:
    series = []
    for arm, run in enumerate(runs):
        steps, values = run.log.column(*keys)
        text = note(values) if note else notes[arm] if notes else ""
        series.append(_smooth(run.label, arm, steps, values, text))
    return tuple(series)


def _ratio(runs: Sequence[RunRecord]) -> tuple[Series, ...]:
    series = []
    for arm, run in enumerate(runs):
        steps, update = run.log.column("update_norm")
        joint = run.log.column("joint_norm")[1]
        ratio = np.divide(update, joint, out=np.full_like(update, np.nan), where=joint > 0)
        series.append(_smooth(run.label, arm, steps, ratio, ""))
    return tuple(series)


def _angles(runs: Sequence[RunRecord]) -> tuple[Series, ...]:
    series = []
    for arm, run in enumerate(runs):
        steps, cosines = run.log.column("joint_cosine")
        angles = np.degrees(np.arccos(np.clip(cosines, -1.0, 1.0)))
        series.append(_smooth(run.label, arm, steps, angles, ""))
    return tuple(series)


def _smooth(label: str, arm: int, steps: Values, values: Values, note: str) -> Series:
    x, mean, low, high = binned(steps, values)
    until = float(steps[-1]) if len(steps) else 0.0
    return Series(label, arm, x, mean, low, high, note=note, until=until)


def _validation_panel(runs: Sequence[RunRecord]) -> Panel:
    name = runs[0].config.training.select
    series = []
    for arm, run in enumerate(runs):
        x, y = run.log.column("scores", name, kind="validations")
        best = [place for place, line in enumerate(run.log.validations) if line.get("best")]
        marked = best[-1] if best and np.isfinite(y[best[-1]]) else None
        note = f"best at step {x[marked]:,.0f}" if marked is not None else ""
        series.append(Series(run.label, arm, x, y, marked=marked, note=note))
    return Panel(
        title="Validation score",
        caption=f"{name}; the dot is the checkpoint that was kept.",
        series=tuple(series),
    )


def _share_negative(values: Values) -> str:
    share = share_negative(values)
    return "" if share is None else f"negative in {share:.0%} of steps"


def _names(runs: Sequence[RunRecord], key: str, kind: str = "steps") -> list[str]:
    return list(dict.fromkeys(name for run in runs for name in run.log.names(key, kind)))


def _has_values(panel: Panel) -> bool:
    return any(np.isfinite(series.y).any() for series in panel.series)
