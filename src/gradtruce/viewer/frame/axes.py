"""The frame of a drawing: its scales, ticks, rules and reference lines, as inline SVG.

Drawn by hand rather than by a plotting library so that one drawing serves light, dark and print:
the SVG holds classes, the style sheet holds colours. All text is escaped by `Markup.format`.
"""

import math
from dataclasses import dataclass
from typing import final

from markupsafe import Markup

WIDTH, HEIGHT = 400.0, 220.0
LEFT, RIGHT, TOP, BOTTOM = 50.0, 10.0, 12.0, 30.0


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
class Frame:
    """Maps data to places in the drawing.

    Attributes:
        x: Values at the left and right edge.
        y: Values at the bottom and top edge; above 0 where the scale is logarithmic.
        is_log: Whether the vertical scale is logarithmic.

    >>> Frame((0.0, 1.0), (0.0, 1.0), False).point(0.0, 0.0)
    '50.0 190.0'
    """

    x: tuple[float, float]
    y: tuple[float, float]
    is_log: bool

    def across(self, value: float) -> float:
        """Return how far right a value lies."""
        low, high = self.x
        return LEFT + (value - low) / (high - low) * (WIDTH - LEFT - RIGHT)

    def up(self, value: float) -> float:
        """Return how far down a value lies."""
        low, high = self.y
        if self.is_log:
            low, high, value = math.log10(low), math.log10(high), math.log10(value)
        share = (value - low) / (high - low)
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)

    def point(self, x: float, y: float) -> str:
        """Return a place as SVG writes it."""
        return f"{self.across(x):.1f} {self.up(y):.1f}"


def axes(frame: Frame) -> Markup:
    """Return rules and labels of both axes."""
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


def reference_line(frame: Frame, value: float, label: str) -> Markup:
    """Return a horizontal line with its name."""
    y = frame.up(value)
    text = Markup('<text class="tick end over" x="{}" y="{}">{}</text>').format(
        WIDTH - RIGHT - 2, f"{y - 8:.1f}", label
    )
    line = Markup('<path class="reference" d="M{} {}H{}"/>')
    return line.format(LEFT, f"{y:.1f}", WIDTH - RIGHT) + (text if label else Markup(""))


def drawing(label: str, parts: list[Markup]) -> Markup:
    """Return the parts as one drawing that a screen reader reads as one sentence."""
    return Markup(
        '<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>'
    ).format(f"{WIDTH:.0f}", f"{HEIGHT:.0f}", label, Markup("").join(parts))
