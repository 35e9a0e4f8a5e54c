"""Labels as a CSV file: an id and the 14 observations by name."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from gradtruce.data.observations import NEGATIVE, OBSERVATIONS, POSITIVE, UNCERTAIN
from gradtruce.files import write_whole


def write_labels(
    path: Path, ids: Sequence[str], states: Float[np.ndarray, "reports observations"]
) -> None:
    """Write the labels of reports; the file is there whole or not at all.

    The columns are `id` and the observations in their order; a cell is 1 (positive), 0 (negative),
    -1 (uncertain) or empty (not mentioned). `data.label_file.LabelFile` reads it.

    Raises:
        ValueError: If ids and states differ in number, an id is empty or comes twice, or a state is
            none of these.
        OSError: If the file can't be written.

    >>> import tempfile
    >>> from gradtruce.data.label_file import LabelFile
    >>> file = Path(tempfile.mkdtemp()) / "labels.csv"
    >>> write_labels(file, ["s1"], np.array([[np.nan] * 4 + [-1.0] + [np.nan] * 9]))
    >>> LabelFile.read(file).states
    {'s1': {'Edema': -1}}
    """
    if states.shape != (len(ids), len(OBSERVATIONS)):
        raise ValueError(
            f"{len(ids)} ids need {len(ids)} × {len(OBSERVATIONS)} states, got {states.shape}"
        )
    if not (np.isnan(states) | np.isin(states, (POSITIVE, NEGATIVE, UNCERTAIN))).all():
        raise ValueError("states must be 1, 0, -1 or NaN only")
    _require_own_ids(ids)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["id", *OBSERVATIONS])
    for study, row in zip(ids, states.tolist(), strict=True):
        writer.writerow([study, *("" if np.isnan(state) else int(state) for state in row)])
    write_whole(path, text.getvalue())


def _require_own_ids(ids: Sequence[str]) -> None:
    seen: set[str] = set()
    for study in ids:
        if not study.strip():
            raise ValueError("an id is empty; every study needs its own id")
        if study in seen:
            raise ValueError(f"id {study!r} comes twice; every study may come once")
        seen.add(study)
