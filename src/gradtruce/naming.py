"""What to say of a name that is not known."""

import difflib
from collections.abc import Sequence


def suggestion(wrong: str, known: Sequence[str], *, among: Sequence[str] = ()) -> str:
    """Return the end of a message about an unknown name: the nearest known one, and all of them.

    Args:
        wrong: The unknown name.
        known: The names that could stand there.
        among: More names that may have been meant, but are not listed.

    >>> suggestion("liner", ["linear", "came_grad"])
    "; did you mean 'linear'? known: linear, came_grad"
    """
    near = [name for names in (known, among) for name in difflib.get_close_matches(wrong, names, 1)]
    meant = f"; did you mean {near[0]!r}?" if near else ";"
    return f"{meant} known: {', '.join(known)}"
