"""Which points no other point beats in every score, and how much they dominate together.

Scores here are better when higher; losses come in with their sign changed.
"""

from collections.abc import Sequence

Point = Sequence[float]
"""One value a score, higher is better."""


def dominates(one: Point, other: Point) -> bool:
    """Return whether a point is nowhere worse than another, and somewhere better.

    >>> dominates((0.4, 0.2), (0.3, 0.2)), dominates((0.4, 0.2), (0.4, 0.2))
    (True, False)
    """
    pairs = list(zip(one, other, strict=True))
    return all(a >= b for a, b in pairs) and any(a > b for a, b in pairs)


def front(points: Sequence[Point]) -> list[int]:
    """Return the places of the points that no other dominates; equal points are all there.

    >>> front([(0.1, 0.9), (0.5, 0.5), (0.4, 0.4), (0.9, 0.1)])
    [0, 1, 3]
    """
    return [
        place
        for place, point in enumerate(points)
        if not any(dominates(other, point) for other in points)
    ]


def hypervolume(points: Sequence[Point], reference: Point) -> float:
    """Return the volume between a reference point and what the points dominate.

    By slices along the last score (Fonseca et al. 2006); meant for fronts of some dozen points.

    Args:
        points: Those that are not above the reference in every score add nothing.
        reference: A point that is worse than those of interest.

    >>> hypervolume([(3.0, 1.0), (1.0, 2.0)], (0.0, 0.0))
    4.0
    """
    above = [
        tuple(value - floor for value, floor in zip(point, reference, strict=True))
        for point in points
    ]
    return _volume([point for point in above if min(point) > 0])


def _volume(points: Sequence[tuple[float, ...]]) -> float:
    if not points:
        return 0.0
    if len(points[0]) == 1:
        return max(point[0] for point in points)
    volume, below = 0.0, 0.0
    for height in sorted({point[-1] for point in points}):
        volume += (height - below) * _volume([p[:-1] for p in points if p[-1] >= height])
        below = height
    return volume


def hypervolumes(points: Sequence[Point | None], reference: Point) -> list[float]:
    """Return the hypervolume after each of a series of points; `None` adds nothing.

    >>> hypervolumes([(1.0, 1.0), None, (2.0, 1.0)], (0.0, 0.0))
    [1.0, 1.0, 2.0]
    """
    seen: list[Point] = []
    volumes: list[float] = []
    for point in points:
        if point is not None:
            seen.append(point)
            seen = [seen[place] for place in front(seen)]
        volumes.append(hypervolume(seen, reference))
    return volumes
