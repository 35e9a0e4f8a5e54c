"""Line charts as inline SVG, coloured by the page's style sheet.

Drawn by hand rather than by a plotting library so that one drawing serves light, dark and print:
the SVG holds classes, the style sheet holds colours. All text is escaped by `Markup.format`.
"""

import math
from dataclasses import dataclass
from typing import Literal, final

import numpy as np
from jaxtyping import Float
from markupsafe import Markup

WIDTH, HEIGHT = 400.0, 220.0
LEFT, RIGHT, TOP, BOTTOM = 50.0, 10.0, 12.0, 30.0
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
    """

    label: str
    arm: int
    x: Array
    y: Array
    low: Array | None = None
    high: Array | None = None
    marked: int | None = None
    note: str = ""


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
    """

    title: str
    caption: str
    series: tuple[Series, ...]
    scale: Literal["linear", "log"] = "linear"
    reference: float | None = None
    reference_label: str = ""


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


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Return about `count` round numbers from `low` to `high`.

    >>> ticks(0.0, 1.0)
    [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    """
    if not high > low:
        return [low]
    raw = (high - low) / count
    magnitude = 10.0 ** math.floor(math.log10(raw))
    step = magnitude * min((m for m in (1, 2, 5, 10) if m * magnitude >= raw * 0.999), default=10)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(place * step, 12) for place in range(first, last + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Return 1, 2 and 5 times powers of ten from `low` to `high`, over two decades powers alone.

    >>> log_ticks(0.5, 20.0), log_ticks(1.0, 1e9)
    ([0.5, 1.0, 2.0, 5.0, 10.0, 20.0], [1.0, 100.0, 10000.0, 1000000.0, 100000000.0])
    """
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    factors = (1, 2, 5) if math.log10(high / low) < 2 else (1,)
    decades = range(first, last + 1, max(1, math.ceil((last - first) / 6)))
    values = [float(f"{factor}e{decade}") for decade in decades for factor in factors]
    inside = [value for value in values if low * 0.999 <= value <= high * 1.001]
    return inside if len(inside) > 1 else [value for value in ticks(low, high) if value >= low]


def number(value: float) -> str:
    """Return a short label of an axis: no trailing zeros, a true minus sign.

    >>> number(-0.5), number(1500.0), number(0.0), number(2e-05)
    ('−0.5', '1,500', '0', '2e−05')
    """
    if value and not 1e-4 <= abs(value) < 1e6:
        text = f"{value:.0e}"
    else:
        text = f"{value:,.4f}".rstrip("0").rstrip(".")
    return text.replace("-", "−")


@final
@dataclass(frozen=True)
class _Frame:
    """Maps data to places in the drawing."""

    x: tuple[float, float]
    y: tuple[float, float]
    is_log: bool

    def across(self, value: float) -> float:
        low, high = self.x
        return LEFT + (value - low) / (high - low) * (WIDTH - LEFT - RIGHT)

    def up(self, value: float) -> float:
        low, high = self.y
        if self.is_log:
            low, high, value = math.log10(low), math.log10(high), math.log10(value)
        share = (value - low) / (high - low)
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)

    def point(self, x: float, y: float) -> str:
        return f"{self.across(x):.1f} {self.up(y):.1f}"


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
    parts = [_axes(frame)]
    if panel.reference is not None and frame.y[0] <= panel.reference <= frame.y[1]:
        parts.append(_reference(frame, panel.reference, panel.reference_label))
    parts += [_band(frame, series) for series in panel.series]
    parts += [_line(frame, series) for series in panel.series]
    label = f"{panel.title}: {'; '.join(_summary(series) for series in panel.series)}"
    return Markup(
        '<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>'
    ).format(f"{WIDTH:.0f}", f"{HEIGHT:.0f}", label, Markup("").join(parts))


def _frame(panel: Panel, values: Array) -> _Frame:
    is_log = panel.scale == "log" and float(values.min()) > SMALLEST
    if panel.reference is not None and (panel.reference > SMALLEST or not is_log):
        values = np.append(values, panel.reference)
    low, high = float(values.min()), float(values.max())
    if is_log:
        low, high = low / 1.08, high * 1.08
    else:
        margin = 0.06 * (high - low) or abs(high) * 0.1 or 0.1
        low, high = low - margin, high + margin
    steps = np.concatenate([series.x for series in panel.series])
    return _Frame((0.0, max(float(steps.max()), 1.0)), (low, high), is_log)


def _axes(frame: _Frame) -> Markup:
    rule = Markup('<path class="{}" d="M{} {}H{}"/>')
    text = Markup('<text class="tick {}" x="{}" y="{}">{}</text>')
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    parts = []
    for value in log_ticks(*frame.y) if frame.is_log else ticks(*frame.y):
        height = f"{frame.up(value):.1f}"
        parts.append(rule.format("grid", LEFT, height, right))
        parts.append(text.format("end", LEFT - 7, height, number(value)))
    for value in ticks(*frame.x, count=4):
        across = frame.across(value)
        anchor = "end" if right - across < RIGHT else "middle"  # a label must not leave the drawing
        parts.append(text.format(anchor, f"{across:.1f}", bottom + 17, number(value)))
    return Markup("").join([*parts, rule.format("axis", LEFT, bottom, right)])


def _reference(frame: _Frame, value: float, label: str) -> Markup:
    y = frame.up(value)
    text = Markup('<text class="tick end" x="{}" y="{}">{}</text>').format(
        WIDTH - RIGHT - 2, f"{y - 8:.1f}", label
    )
    line = Markup('<path class="reference" d="M{} {}H{}"/>')
    return line.format(LEFT, f"{y:.1f}", WIDTH - RIGHT) + (text if label else Markup(""))


def _band(frame: _Frame, series: Series) -> Markup:
    if series.low is None or series.high is None:
        return Markup("")
    floor = frame.y[0]
    there = [frame.point(x, max(y, floor)) for x, y in zip(series.x, series.low, strict=True)]
    back = [frame.point(x, y) for x, y in zip(series.x, series.high, strict=True)][::-1]
    return Markup('<path class="band arm-{}" d="M{}Z"/>').format(series.arm, "L".join(there + back))


def _line(frame: _Frame, series: Series) -> Markup:
    points = [
        frame.point(x, y) for x, y in zip(series.x, series.y, strict=True) if math.isfinite(y)
    ]
    if not points:
        return Markup("")
    drawn = Markup('<path class="line arm-{}" d="M{}"/>').format(series.arm, "L".join(points))
    if series.marked is not None:
        x, y = frame.point(float(series.x[series.marked]), float(series.y[series.marked])).split()
        drawn += Markup('<circle class="dot arm-{}" cx="{}" cy="{}" r="4.5"/>').format(
            series.arm, x, y
        )
    return drawn


def _summary(series: Series) -> str:
    finite = series.y[np.isfinite(series.y)]
    if not len(finite):
        return f"{series.label}, no value"
    return f"{series.label}, from {number(float(finite[0]))} to {number(float(finite[-1]))}"
