"""Histograms of cosines: one filled, others as outlines over it, in one drawing."""

from dataclasses import dataclass
from typing import Final, final

import numpy as np
from jaxtyping import Float
from markupsafe import Markup

from gradtruce.viewer.frame.axes import Frame, axes, drawing
from gradtruce.viewer.frame.chart import Binned
from gradtruce.viewer.frame.score_text import percent

BINS: Final = 20
"""Over [−1, 1], so that no bin lies on both sides of 0."""

Cosines = Float[np.ndarray, " values"]


@final
@dataclass(frozen=True, eq=False)
class CosineSet:
    r"""Cosines of one kind.

    Attributes:
        label: What they are between.
        css: Class that sets colour and dash.
        values: In [−1, 1]; NaN where one of the two gradients was zero.
        is_filled: Whether it is drawn as bars; otherwise as an outline.

    >>> CosineSet("report and findings", "arm-0", np.array([-0.1, 0.2, np.nan])).note
    '2 values, 50\xa0% below 0'
    """

    label: str
    css: str
    values: Cosines
    is_filled: bool = False

    @property
    def known(self) -> Cosines:
        """The values that are numbers."""
        known: Cosines = self.values[np.isfinite(self.values)]
        return known

    @property
    def below_zero(self) -> float | None:
        """Share below 0; `None` without a value."""
        return float((self.known < 0).mean()) if len(self.known) else None

    @property
    def note(self) -> str:
        """How many there are, and how many lie below 0."""
        if self.below_zero is None:
            return "not measured"
        return f"{len(self.known):,} values, {percent(self.below_zero)} below 0"


@final
@dataclass(frozen=True, eq=False)
class Histogram:
    """Cosines of several kinds on one scale; each kind's bars add up to 1."""

    title: str
    caption: str
    series: tuple[CosineSet, ...]


def histogram(panel: Histogram) -> Markup:
    """Return the drawing; a sentence instead where nothing was measured.

    >>> values = np.array([-0.2, 0.1, 0.1])
    >>> "<path" in histogram(Histogram("a", "b", (CosineSet("c", "arm-0", values),)))
    True
    """
    shown = [each for each in panel.series if len(each.known)]
    if not shown:
        return Markup('<p class="empty">No value was recorded.</p>')
    heights = {id(each): _shares(each.known) for each in shown}
    top = max(float(shares.max()) for shares in heights.values())
    frame = Frame((-1.0, 1.0), (0.0, top * 1.08), is_log=False)
    filled = [_drawn(frame, each, heights[id(each)]) for each in shown if each.is_filled]
    outlines = [_drawn(frame, each, heights[id(each)]) for each in shown if not each.is_filled]
    zero = Markup('<path class="zero" d="M{}V{}"/>').format(
        frame.point(0.0, 0.0), f"{frame.up(frame.y[1]):.1f}"
    )
    words = "; ".join(f"{each.label}, {each.note}" for each in shown)
    return drawing(f"{panel.title}: {words}", [axes(frame), *filled, zero, *outlines])


def _shares(values: Cosines) -> Binned:
    return np.histogram(values, bins=BINS, range=(-1.0, 1.0))[0] / len(values)


def _drawn(frame: Frame, each: CosineSet, shares: Binned) -> Markup:
    edges = np.linspace(-1.0, 1.0, BINS + 1)
    corners = [
        frame.point(float(x), float(share))
        for left, right, share in zip(edges[:-1], edges[1:], shares, strict=True)
        for x in (left, right)
    ]
    if not each.is_filled:
        return Markup('<path class="line {}" d="M{}"/>').format(each.css, "L".join(corners))
    around = "L".join([frame.point(-1.0, 0.0), *corners, frame.point(1.0, 0.0)])
    return Markup('<path class="bars {}" d="M{}Z"/>').format(each.css, around)
