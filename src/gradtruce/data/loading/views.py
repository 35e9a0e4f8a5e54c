"""In which places of a batch the views of a study stand."""

from gradtruce.data.study import View


def in_reading_order(views: tuple[View, ...]) -> tuple[View, ...]:
    """Return the first frontal view, the first lateral, the first unknown, then the second of each.

    >>> import numpy as np
    >>> film = np.zeros((1, 1), dtype=np.uint8)
    >>> views = tuple(View(film, position) for position in ("lateral", "frontal", "frontal"))
    >>> [view.position for view in in_reading_order(views)]
    ['frontal', 'lateral', 'frontal']
    """
    rank = {"frontal": 0, "lateral": 1, "unknown": 2}
    seen = dict.fromkeys(rank, 0)
    keys = []
    for view in views:
        keys.append((seen[view.position], rank[view.position]))
        seen[view.position] += 1
    return tuple(
        view for _, view in sorted(zip(keys, views, strict=True), key=lambda pair: pair[0])
    )
