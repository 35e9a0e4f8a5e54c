"""Label lists in JSON, as public repositories have them: an id, and 14 numbers without names."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from gradtruce.data.label_states import OTHER_NAMES, Labels, states_from_cells
from gradtruce.data.observations import FINDINGS, NO_FINDING, OBSERVATIONS
from gradtruce.data.text_file import read_text

_LIMIT: Final = 200_000_000

LABEL_ORDERS: Final[Mapping[str, tuple[str, ...]]] = {
    "chexbert": OBSERVATIONS,
    "chexpert": (NO_FINDING, *FINDINGS),
    "chexpert_labeler": (NO_FINDING, *FINDINGS[:2], "Lung Lesion", "Lung Opacity", *FINDINGS[4:]),
    "alphabetical": tuple(sorted(OBSERVATIONS)),
}
"""Orders in use: CheXbert's output, the CheXpert data set, its labeler, and PhysioNet's files."""

_SYNONYMS: Final = {other: name for name, others in OTHER_NAMES.items() for other in others}


def named_order(order: str | Sequence[str] | None, path: Path) -> tuple[str, ...]:
    """Return the 14 names that an order stands for.

    Raises:
        ValueError: If none is given, it is unknown, or it is not the 14 names.

    >>> named_order("alphabetical", Path("labels.json"))[:2]
    ('Atelectasis', 'Cardiomegaly')
    """
    known = ", ".join(LABEL_ORDERS)
    if order is None:
        raise ValueError(f"{path}: does not name its labels; state their order: {known}, or names")
    if isinstance(order, str):
        if order not in LABEL_ORDERS:
            raise ValueError(f"no label order is called {order!r}; known: {known}")
        return LABEL_ORDERS[order]
    names = tuple(_SYNONYMS.get(name, name) for name in order)
    if sorted(names) != sorted(OBSERVATIONS):
        wrong = sorted(set(names) ^ set(OBSERVATIONS)) or "a name twice"
        raise ValueError(f"an order must have the 14 observations, each once; see {wrong}")
    return names


def read_label_lists(
    path: Path, names: Sequence[str], faults: dict[str, str] | None = None
) -> dict[str, Labels]:
    r"""Return the labels of a JSON object that maps ids to lists of 14 numbers.

    Args:
        path: The file.
        names: The observations in the order of the lists.
        faults: Takes ids whose list can't be taken, and why; such a list is an error without.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is something else, an id occurs twice, or a number is none of the states.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "labels.json"
    ...     _ = path.write_text(json.dumps({"s1": [1, -1.0] + [None] * 12}))
    ...     read_label_lists(path, OBSERVATIONS)
    {'s1': {'Enlarged Cardiomediastinum': 1, 'Cardiomegaly': -1}}
    """
    text = read_text(path, limit=_LIMIT)
    try:
        content = json.loads(text, object_pairs_hook=_without_repeats)
    except RecursionError:
        raise ValueError(f"{path}: not a file of labels, it is nested too deep") from None
    except ValueError as error:
        raise ValueError(f"{path}: not a file of labels in JSON ({error})") from None
    if not isinstance(content, dict):  # a bad value of a file, no bad call
        raise ValueError(  # noqa: TRY004
            f"{path}: must map every id to a list of 14 numbers"
        )
    states: dict[str, Labels] = {}
    for study, values in content.items():
        where = f"{path}: {study!r}"
        try:
            states[study] = _row(values, names, where)
        except ValueError as error:
            if faults is None:
                raise
            faults[study] = str(error).replace(where, "its list")
    return states


def _without_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    content = dict(pairs)
    if len(content) < len(pairs):
        (repeated, _), *_ = Counter(key for key, _ in pairs).most_common(1)
        raise ValueError(f"{repeated!r} occurs twice")
    return content


def _row(values: object, names: Sequence[str], where: str) -> Labels:
    if not isinstance(values, list) or len(values) != len(names):
        raise ValueError(f"{where} must have a list of {len(names)} numbers")
    cells = {
        name: "" if value is None else str(value) for name, value in zip(names, values, strict=True)
    }
    return states_from_cells([cells[name] for name in OBSERVATIONS], where)
