"""Predictions of one or more systems on the same studies, told apart by how often an id comes."""

from collections import defaultdict
from collections.abc import Sequence

from gradtruce.evaluation.predictions import Prediction


def by_system(predictions: Sequence[Prediction]) -> list[list[int]]:
    """Return the places of each system's predictions: an id's first comings, its second, and so on.

    >>> both = [Prediction(study, "a", "b") for study in ("s1", "s2", "s2", "s1")]
    >>> by_system(both)
    [[0, 1], [2, 3]]
    """
    seen: defaultdict[str, int] = defaultdict(int)
    systems: list[list[int]] = []
    for place, prediction in enumerate(predictions):
        if seen[prediction.id] == len(systems):
            systems.append([])
        systems[seen[prediction.id]].append(place)
        seen[prediction.id] += 1
    return systems
