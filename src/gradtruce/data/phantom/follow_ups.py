"""How many later studies patients of the phantom have: a number that methods with priors need."""

import math
from collections.abc import Sequence
from typing import Final

FollowUps = tuple[float, ...]
"""Shares of the patients that have no, one, two … later studies after their first; together 1."""

FOLLOW_UPS: Final[FollowUps] = (0.80, 0.16, 0.04)
"""Four of five patients come once, as in a set made to read single studies."""

_OFF = 1e-6


def checked_follow_ups(shares: Sequence[float]) -> FollowUps:
    """Return the shares as they are drawn from.

    Raises:
        ValueError: If there is none, one is not between 0 and 1, or they do not add up to 1.

    >>> checked_follow_ups([0.05, 0.15, 0.80])
    (0.05, 0.15, 0.8)
    >>> checked_follow_ups([0.5])
    Traceback (most recent call last):
    ValueError: follow-ups must be the shares of patients with no, one, two … later studies, each \
from 0 to 1 and together 1, such as 0.05,0.15,0.80, got 0.5, together 0.5
    """
    total = math.fsum(shares)
    if not all(0 <= share <= 1 for share in shares) or not math.isclose(total, 1, abs_tol=_OFF):
        given = ",".join(f"{share:g}" for share in shares) or "none"
        raise ValueError(
            "follow-ups must be the shares of patients with no, one, two … later studies, each "
            f"from 0 to 1 and together 1, such as 0.05,0.15,0.80, got {given}, together {total:g}"
        )
    return tuple(share / total for share in shares)


def read_follow_ups(text: str) -> FollowUps:
    """Return the shares that a user typed, with a comma between two.

    Raises:
        ValueError: If one is no number, or they are no shares.

    >>> read_follow_ups(".8, .16, .04") == FOLLOW_UPS
    True
    """
    try:
        shares = [float(share) for share in text.split(",")]
    except ValueError:
        raise ValueError(
            "follow-ups must be numbers with commas between them, such as 0.05,0.15,0.80: the "
            f"shares of patients with no, one, two later studies; got '{text}'"
        ) from None
    return checked_follow_ups(shares)
