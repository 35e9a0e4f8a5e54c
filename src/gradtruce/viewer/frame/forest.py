"""One row of a forest plot: a difference with its interval, each seed, and what could be seen."""

from collections.abc import Sequence
from typing import Final

from markupsafe import Markup

from gradtruce.viewer.frame.intervals import across
from gradtruce.viewer.frame.score_text import difference_text

WIDTH: Final = 360.0
EDGE: Final = 8.0
MIDDLE: Final = 13.0
_HEIGHT: Final = 26


def difference_bar(
    value: float | None,
    low: float | None,
    high: float | None,
    *,
    domain: tuple[float, float],
    css: str,
    detectable: float | None = None,
    points: Sequence[float] = (),
) -> Markup:
    """Return a dot with its interval on a line through 0, over a shade of what can't be seen.

    Args:
        value: The difference; no dot where it is `None`.
        low: Lower end of the interval; `None` for a dot alone.
        high: Upper end.
        domain: Values at the left and right edge, with 0 inside; what is beyond lies on the edge.
        css: Class that sets the colour.
        detectable: Smallest difference that could be told from 0: shaded on both sides of it.
        points: The difference of each seed.

    >>> bar = difference_bar(0.1, 0.0, 0.2, domain=(-0.1, 0.3), css="better", detectable=0.05)
    >>> "detectable" in bar
    True
    """
    parts = []
    if detectable is not None:
        left, right = (_across(sign * detectable, domain) for sign in (-1, 1))
        parts.append(
            Markup('<rect class="detectable" x="{}" y="1" width="{}" height="{}"/>').format(
                left, f"{float(right) - float(left):.1f}", _HEIGHT - 2
            )
        )
    rail = Markup('<path class="grid" d="M{} {}H{}"/><path class="zero" d="M{} 1V{}"/>')
    parts.append(rail.format(EDGE, MIDDLE, WIDTH - EDGE, _across(0.0, domain), _HEIGHT - 1))
    if low is not None and high is not None:
        parts.append(
            Markup('<path class="interval {}" d="M{} {}H{}"/>').format(
                css, _across(low, domain), MIDDLE, _across(high, domain)
            )
        )
    parts += [_circle("seed", css, point, domain, 2.6) for point in points]
    if value is not None:
        parts.append(_circle("dot", css, value, domain, 5.0))
    return Markup(
        '<svg class="bar difference-bar" viewBox="0 0 {} {}" aria-hidden="true">{}</svg>'
    ).format(f"{WIDTH:.0f}", _HEIGHT, Markup("").join(parts))


def domain_around_zero(values: Sequence[float]) -> tuple[float, float]:
    """Return the edges of a drawing that has all values and 0 inside.

    >>> domain_around_zero([-0.5, 0.5])
    (-0.53, 0.53)
    >>> domain_around_zero([])
    (-0.1, 0.1)
    """
    low, high = min([0.0, *values]), max([0.0, *values])
    if low == high:
        return -0.1, 0.1
    margin = 0.03 * (high - low)
    return low - margin, high + margin


def difference_axis(domain: tuple[float, float]) -> Markup:
    """Return the labels above such rows: both edges, and 0 where it is not too near to one.

    >>> difference_axis((-0.1, 0.3)).count("<span>")
    2
    """
    zero = float(_across(0.0, domain)) / WIDTH
    middle = Markup('<span class="zero-label" style="left: {:.1%}">0</span>').format(zero)
    return Markup(
        '<span class="ends" aria-hidden="true"><span>{}</span>{}<span>{}</span></span>'
    ).format(
        difference_text(domain[0]), middle if 0.15 < zero < 0.85 else "", difference_text(domain[1])
    )


def _across(value: float, domain: tuple[float, float]) -> str:
    return across(value, domain, WIDTH, EDGE)


def _circle(
    kind: str, css: str, value: float, domain: tuple[float, float], radius: float
) -> Markup:
    return Markup('<circle class="{} {}" cx="{}" cy="{}" r="{}"/>').format(
        kind, css, _across(value, domain), MIDDLE, radius
    )
