"""Line charts as inline SVG, coloured by the page's style sheet."""

import math
from dataclasses import dataclass
from typing import Literal, final

import numpy as np
from jaxtyping import Float
from markupsafe import Markup

from gradtruce.viewer.frame.axes import Frame, axes, drawing, number, reference_line

FEW = 16
"""Up to so many points are shown as dots on their line."""
SMALLEST = 1e-30
"""Smallest value that a log scale shows."""

Array = Float[np.ndarray, " points"]
Binned = Float[np.ndarray, " bins"]


@final
@dataclass(frozen=True, eq=False)
class Series:
    """One line of a chart.

    Attributes:
        label: Its name in the legend.
        arm: Which of the compared runs it belongs to, from 0; sets colour and dash.
        x: Steps.
        y: Values; NaN where there is none.
        low: Lower edge of the band around the line; `None` for no band.
        high: Upper edge of the band.
        marked: Index of the point to be marked, such as the best checkpoint.
        note: A short fact beside the name in the legend.
        style: Class of the line where it is not that of its arm, such as "null" or "faint".
        until: Where its steps end, if that is after the last point.
    """

    label: str
    arm: int
    x: Array
    y: Array
    low: Array | None = None
    high: Array | None = None
    marked: int | None = None
    note: str = ""
    style: str = ""
    until: float = 0.0

    @property
    def css(self) -> str:
        """Return the class that colours it."""
        return self.style or f"arm-{self.arm}"


@final
@dataclass(frozen=True, eq=False)
class Panel:
    """One chart: one quantity, one line a run.

    Attributes:
        title: What is drawn.
        caption: How to read it; one sentence.
        series: The lines.
        scale: "log" falls back to "linear" where a value is not above `SMALLEST`.
        reference: Height of a horizontal line, such as 0 or the clipping norm.
        reference_label: What that line is.
        extent: Smallest and largest value of the vertical axis, for charts that are compared; those
            of the series where not given.
    """

    title: str
    caption: str
    series: tuple[Series, ...]
    scale: Literal["linear", "log"] = "linear"
    reference: float | None = None
    reference_label: str = ""
    extent: tuple[float, float] | None = None


def binned(steps: Array, values: Array, bins: int = 48) -> tuple[Binned, Binned, Binned, Binned]:
    """Return centre, mean, 10th and 90th percentile of equal stretches of steps.

    Values that are not finite are left out; stretches without any value are left out too.

    >>> x, mean, low, high = binned(np.arange(4.0), np.array([1.0, 3.0, 5.0, 5.0]), bins=2)
    >>> x.tolist(), mean.tolist()
    ([0.5, 2.5], [2.0, 5.0])
    """
    finite = np.isfinite(values)
    x, y = steps[finite], values[finite]
    size = max(1, math.ceil(len(x) / bins))
    groups = [slice(start, start + size) for start in range(0, len(x), size)]
    rows = [
        (x[group].mean(), y[group].mean(), *np.percentile(y[group], (10, 90))) for group in groups
    ]
    table = np.array(rows, dtype=float).reshape(len(rows), 4)
    return table[:, 0], table[:, 1], table[:, 2], table[:, 3]


def line_chart(panel: Panel) -> Markup:
    """Return the panel's drawing; a sentence instead where no value is finite.

    >>> "<path" in line_chart(Panel("a", "b", (Series("c", 0, np.arange(3.0), np.ones(3)),)))
    True
    """
    extent = [part for s in panel.series for part in (s.y, s.low, s.high) if part is not None]
    values = np.concatenate([*extent, np.array([])])
    values = values[np.isfinite(values)]
    if not len(values):
        return Markup('<p class="empty">No value was recorded.</p>')
    frame = _frame(panel, values)
    parts = [axes(frame)]
    if panel.reference is not None and frame.y[0] <= panel.reference <= frame.y[1]:
        parts.append(reference_line(frame, panel.reference, panel.reference_label))
    parts += [_band(frame, series) for series in panel.series]
    parts += [_line(frame, series) for series in panel.series]
    label = f"{panel.title}: {'; '.join(_summary(series) for series in panel.series)}"
    return drawing(label, parts)


def _frame(panel: Panel, values: Array) -> Frame:
    is_log = panel.scale == "log" and float(values.min()) > SMALLEST
    if panel.reference is not None and (panel.reference > SMALLEST or not is_log):
        values = np.append(values, panel.reference)
    low, high = panel.extent or (float(values.min()), float(values.max()))
    if is_log:
        low, high = low / 1.08, high * 1.08
    else:
        margin = 0.06 * (high - low) or abs(high) * 0.1 or 0.1
        low, high = low - margin, high + margin
    ends = [max([series.until, *series.x.tolist()]) for series in panel.series]
    return Frame((0.0, max([1.0, *ends])), (low, high), is_log)


def _band(frame: Frame, series: Series) -> Markup:
    if series.low is None or series.high is None:
        return Markup("")
    floor = frame.y[0]
    there = [frame.point(x, max(y, floor)) for x, y in zip(series.x, series.low, strict=True)]
    back = [frame.point(x, y) for x, y in zip(series.x, series.high, strict=True)][::-1]
    return Markup('<path class="band {}" d="M{}Z"/>').format(series.css, "L".join(there + back))


def _line(frame: Frame, series: Series) -> Markup:
    points = [
        frame.point(x, y) for x, y in zip(series.x, series.y, strict=True) if math.isfinite(y)
    ]
    if not points:
        return Markup("")
    drawn = Markup('<path class="line {}" d="M{}"/>').format(series.css, "L".join(points))
    if len(points) <= FEW:
        drawn += Markup("").join(_dot("point", series.css, point, 2.5) for point in points)
    if series.marked is not None:
        best = frame.point(float(series.x[series.marked]), float(series.y[series.marked]))
        drawn += _dot("dot", series.css, best, 4.5)
    return drawn


def _dot(kind: str, css: str, point: str, radius: float) -> Markup:
    x, y = point.split()
    return Markup('<circle class="{} {}" cx="{}" cy="{}" r="{}"/>').format(kind, css, x, y, radius)


def _summary(series: Series) -> str:
    finite = series.y[np.isfinite(series.y)]
    if not len(finite):
        return f"{series.label}, no value"
    return f"{series.label}, from {number(float(finite[0]))} to {number(float(finite[-1]))}"


def swatch(css: str) -> Markup:
    """Return a sample of a line, for legends.

    >>> "arm-1" in swatch("arm-1")
    True
    """
    return Markup(
        '<svg class="swatch" viewBox="0 0 26 10" aria-hidden="true">'
        '<path class="line {}" d="M1 5H25"/></svg>'
    ).format(css)
