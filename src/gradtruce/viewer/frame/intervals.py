"""Small drawings of a value with its interval, and of the spread of many values."""

import numpy as np
from jaxtyping import Float
from markupsafe import Markup

WIDTH, EDGE, MIDDLE = 160.0, 6.0, 10.0


def interval_bar(
    value: float | None,
    low: float | None,
    high: float | None,
    domain: tuple[float, float],
    arm: str,
) -> Markup:
    """Return a dot with its interval, and a line at 0 where 0 is in the domain.

    Args:
        value: The dot; nothing is drawn where it is `None`.
        low: Left end of the interval; `None` for a dot alone.
        high: Right end of the interval.
        domain: Values at the left and right edge of the drawing.
        arm: Class that sets the colour, such as "arm-0".

    >>> interval_bar(None, None, None, (0.0, 1.0), "arm-0")
    Markup('')
    """
    if value is None:
        return Markup("")
    parts = [_rail(domain)]
    if low is not None and high is not None:
        parts.append(_stretch("interval", arm, low, high, domain))
    return _drawing([*parts, _dot(arm, value, domain)])


def range_bar(
    values: Float[np.ndarray, " values"], domain: tuple[float, float], arm: str
) -> Markup:
    """Return the 10th to 90th percentile as a thin bar, the quartiles thick, the median as a dot.

    >>> "circle" in range_bar(np.array([-0.1, 0.0, 0.2]), (-1.0, 1.0), "arm-0")
    True
    """
    finite = values[np.isfinite(values)]
    if not len(finite):
        return Markup("")
    p10, p25, median, p75, p90 = (float(p) for p in np.percentile(finite, (10, 25, 50, 75, 90)))
    thin = _stretch("interval", arm, p10, p90, domain)
    thick = _stretch("quartiles", arm, p25, p75, domain)
    return _drawing([_rail(domain), thin, thick, _dot(arm, median, domain)])


def across(
    value: float, domain: tuple[float, float], width: float = WIDTH, edge: float = EDGE
) -> str:
    """Return where a value lies in a drawing: on its edge where it is beyond.

    >>> across(0.5, (0.0, 1.0), width=100.0, edge=10.0)
    '50.0'
    """
    left, right = domain
    share = (value - left) / (right - left) if right > left else 0.5
    return f"{edge + min(max(share, 0.0), 1.0) * (width - 2 * edge):.1f}"


def _rail(domain: tuple[float, float]) -> Markup:
    rail = Markup('<path class="grid" d="M{} {}H{}"/>').format(EDGE, MIDDLE, WIDTH - EDGE)
    if not domain[0] <= 0 <= domain[1]:
        return rail
    return rail + Markup('<path class="zero" d="M{} 1V19"/>').format(across(0.0, domain))


def _stretch(kind: str, arm: str, low: float, high: float, domain: tuple[float, float]) -> Markup:
    return Markup('<path class="{} {}" d="M{} {}H{}"/>').format(
        kind, arm, across(low, domain), MIDDLE, across(high, domain)
    )


def _dot(arm: str, value: float, domain: tuple[float, float]) -> Markup:
    return Markup('<circle class="dot {}" cx="{}" cy="{}" r="4.5"/>').format(
        arm, across(value, domain), MIDDLE
    )


def _drawing(parts: list[Markup]) -> Markup:
    return Markup('<svg class="bar" viewBox="0 0 {} 20" aria-hidden="true">{}</svg>').format(
        f"{WIDTH:.0f}", Markup("").join(parts)
    )
