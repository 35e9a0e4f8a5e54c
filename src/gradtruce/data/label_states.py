"""The four states of a label, as files write them."""

from collections.abc import Mapping, Sequence
from typing import Final, cast

from gradtruce.data.observations import OBSERVATIONS, LabelState

Labels = Mapping[str, LabelState]

OTHER_NAMES: Final[Mapping[str, tuple[str, ...]]] = {"Lung Opacity": ("Airspace Opacity",)}
"""The first CheXpert labeler, and the expert labels of MIMIC-CXR-JPG 2.1.0, say it so."""

_STATES: Final[Mapping[str, LabelState | None]] = {
    "1": 1,
    "1.0": 1,
    "0": 0,
    "0.0": 0,
    "-1": -1,
    "-1.0": -1,
    "": None,
    "nan": None,
}


def states_from_cells(cells: Sequence[str], where: str) -> Labels:
    """Return the known observations of 14 cells in our order.

    Raises:
        ValueError: If a cell is none of the four states.

    >>> states_from_cells(["1.0", "-1", "nan", " 0 "] + [""] * 10, "here")
    {'Enlarged Cardiomediastinum': 1, 'Cardiomegaly': -1, 'Lung Lesion': 0}
    """
    states: dict[str, LabelState] = {}
    for name, cell in zip(OBSERVATIONS, cells, strict=True):
        key = cell.strip().lower()
        if key not in _STATES:
            raise ValueError(
                f"{where} has {cell[:40]!r} for {name!r}; it must be 1, 0, -1 or empty"
            )
        if _STATES[key] is not None:
            states[name] = cast(LabelState, _STATES[key])
    return states
