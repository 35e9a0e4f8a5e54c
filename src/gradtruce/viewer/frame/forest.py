"""One row of a forest plot: a difference with its interval, each seed, and what could be seen."""

from collections.abc import Sequence
from typing import Final

from markupsafe import Markup

WIDTH: Final = 360.0
EDGE: Final = 8.0
MIDDLE: Final = 13.0
_HEIGHT: Final = 26


def difference_bar(
    value: float | None,
    low: float | None,
    high: float | None,
    *,
    reach: float,
    css: str,
    detectable: float | None = None,
    points: Sequence[float] = (),
) -> Markup:
    """Return a dot with its interval on a line through 0, over a shade of what can't be seen.

    Args:
        value: The difference; no dot where it is `None`.
        low: Lower end of the interval; `None` for a dot alone.
        high: Upper end.
        reach: Largest distance from 0 that the drawing shows, above 0; what is beyond lies on the
            edge.
        css: Class that sets the colour.
        detectable: Smallest difference that could be told from 0: shaded on both sides of it.
        points: The difference of each seed.

    >>> "detectable" in difference_bar(0.1, 0.0, 0.2, reach=0.3, css="better", detectable=0.05)
    True
    """
    parts = []
    if detectable is not None:
        left, right = (_across(sign * detectable, reach) for sign in (-1, 1))
        parts.append(
            Markup('<rect class="detectable" x="{}" y="1" width="{}" height="{}"/>').format(
                left, f"{float(right) - float(left):.1f}", _HEIGHT - 2
            )
        )
    rail = Markup('<path class="grid" d="M{} {}H{}"/><path class="zero" d="M{} 1V{}"/>')
    parts.append(rail.format(EDGE, MIDDLE, WIDTH - EDGE, _across(0.0, reach), _HEIGHT - 1))
    if low is not None and high is not None:
        parts.append(
            Markup('<path class="interval {}" d="M{} {}H{}"/>').format(
                css, _across(low, reach), MIDDLE, _across(high, reach)
            )
        )
    parts += [_circle("seed", css, point, reach, 2.6) for point in points]
    if value is not None:
        parts.append(_circle("dot", css, value, reach, 5.0))
    return Markup(
        '<svg class="bar difference-bar" viewBox="0 0 {} {}" aria-hidden="true">{}</svg>'
    ).format(f"{WIDTH:.0f}", _HEIGHT, Markup("").join(parts))


def _across(value: float, reach: float) -> str:
    share = min(max(value / reach, -1.0), 1.0)
    return f"{WIDTH / 2 + share * (WIDTH / 2 - EDGE):.1f}"


def _circle(kind: str, css: str, value: float, reach: float, radius: float) -> Markup:
    return Markup('<circle class="{} {}" cx="{}" cy="{}" r="{}"/>').format(
        kind, css, _across(value, reach), MIDDLE, radius
    )
