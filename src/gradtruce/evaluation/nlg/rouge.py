"""ROUGE-L, exact to the COCO convention."""

from collections.abc import Sequence
from typing import Final

ROUGE_BETA: Final = 1.2
"""Weight of recall against precision."""

LONGEST_PAIR: Final = 50_000
"""Tokens of which one of two texts may have more, but not both: memory grows with the square."""


def rouge_l(generated: str, references: Sequence[str]) -> float:
    """Return ROUGE-L of one report: best precision and best recall over the references, then F.

    Texts must be squeezed. An empty text is one empty token, as in coco-caption.

    Raises:
        ValueError: If both texts have more than `LONGEST_PAIR` tokens and differ throughout.

    >>> round(rouge_l("heart is normal", ["the heart is normal"]), 4)
    0.8356
    """
    tokens = generated.split(" ")
    precision = recall = 0.0
    for reference in references:
        others = reference.split(" ")
        common = longest_common_subsequence(tokens, others)
        precision = max(precision, common / len(tokens))
        recall = max(recall, common / len(others))
    if precision == 0 or recall == 0:
        return 0.0
    square = ROUGE_BETA**2
    return (1 + square) * precision * recall / (recall + square * precision)


def longest_common_subsequence(first: Sequence[str], second: Sequence[str]) -> int:
    """Return the length of the longest common subsequence.

    One row of the textbook table at a time, held as the bits of an integer (Hyyrö 2004): a bit is 0
    where the row's length steps up. What both begin and end with is counted beforehand.

    Raises:
        ValueError: If what is left of both has more than `LONGEST_PAIR` tokens.

    >>> longest_common_subsequence("a b c d".split(), "b x d".split())
    2
    """
    start = _shared_start(first, second)
    first, second = first[start:], second[start:]
    end = _shared_start(first[::-1], second[::-1])
    first, second = first[: len(first) - end], second[: len(second) - end]
    shorter, longer = sorted((first, second), key=len)
    if len(shorter) > LONGEST_PAIR:
        raise ValueError(
            f"one of two texts may have more than {LONGEST_PAIR} words that differ, not both;"
            f" found {len(first)} against {len(second)}: no reports are that long, so look for"
            " texts that were joined by mistake"
        )
    return start + end + _steps(shorter, longer)


def _steps(shorter: Sequence[str], longer: Sequence[str]) -> int:
    places: dict[str, int] = {}
    for place, token in enumerate(shorter):
        places[token] = places.get(token, 0) | 1 << place
    every = (1 << len(shorter)) - 1
    row = every
    for token in longer:
        matches = row & places.get(token, 0)
        row = ((row + matches) | (row - matches)) & every
    return len(shorter) - row.bit_count()


def _shared_start(first: Sequence[str], second: Sequence[str]) -> int:
    for place, (one, other) in enumerate(zip(first, second, strict=False)):
        if one != other:
            return place
    return min(len(first), len(second))
