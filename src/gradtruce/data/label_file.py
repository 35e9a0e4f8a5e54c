"""Read a CSV of labels: an id column and the 14 observations, mapped by name."""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast, final

from gradtruce.data.observations import OBSERVATIONS, LabelState
from gradtruce.data.prepared_writer import file_sha256

_STATES: Mapping[str, LabelState | None] = {
    "1": 1,
    "1.0": 1,
    "0": 0,
    "0.0": 0,
    "-1": -1,
    "-1.0": -1,
    "": None,
    "nan": None,
}


@final
@dataclass(frozen=True)
class LabelFile:
    """Labels of many studies.

    Attributes:
        source: File name and the start of its SHA-256, as a prepared set keeps it.
        states: For every id the known observations.
    """

    source: str
    states: Mapping[str, Mapping[str, LabelState]]

    @classmethod
    def read(cls, path: str | Path) -> "LabelFile":
        r"""Return the labels of a CSV file; columns may have any order, others are not read.

        A cell is 1, 0, -1 (uncertain) or empty (missing).

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If a column is missing, an id occurs twice or a cell is something else.

        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "labels.csv"
        ...     cells = ",".join("1" if name == "Edema" else "" for name in OBSERVATIONS)
        ...     _ = path.write_text(f"id,{','.join(OBSERVATIONS)}\ns1,{cells}\n")
        ...     LabelFile.read(path).states["s1"]
        {'Edema': 1}
        """
        path = Path(path)
        states: dict[str, Mapping[str, LabelState]] = {}
        for where, row in read_csv(path, ("id", *OBSERVATIONS)):
            if row["id"] in states:
                raise ValueError(f"{where}: study {row['id']!r} occurs twice; keep one row a study")
            states[row["id"]] = _row_states(row, where)
        return cls(f"{path.name} (sha256 {file_sha256(path)[:12]})", states)


def read_csv(path: Path, columns: tuple[str, ...]) -> list[tuple[str, dict[str, str]]]:
    r"""Return every row of a CSV file as text by column, with a name of its place for messages.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is no CSV in UTF-8, lacks a column, or a row lacks a cell.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "a.csv"
    ...     _ = path.write_text("id,side\n7,left\n")
    ...     [row for _, row in read_csv(path, ("id",))]
    [{'id': '7', 'side': 'left'}]
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such file")
    try:
        reader = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline=""))
        rows = [(reader.line_num, row) for row in reader]
    except UnicodeDecodeError:
        raise ValueError(f"{path}: not UTF-8 text; save it as CSV in UTF-8") from None
    except csv.Error as error:
        raise ValueError(f"{path}: not a CSV file ({error})") from None
    missing = [name for name in columns if name not in (reader.fieldnames or ())]
    if missing:
        raise ValueError(f"{path}: lacks the columns {', '.join(missing)}; name them in line 1")
    for line, row in rows:
        if None in row or None in row.values():
            raise ValueError(f"{path}, line {line}: too many or too few cells for its columns")
    return [(f"{path}, line {line}", row) for line, row in rows]


def _row_states(row: Mapping[str, str], where: str) -> dict[str, LabelState]:
    states: dict[str, LabelState] = {}
    for name in OBSERVATIONS:
        cell = row[name].strip().lower()
        if cell not in _STATES:
            raise ValueError(
                f"{where}: study {row['id']!r} has {row[name]!r} for {name!r}; "
                "it must be 1, 0, -1 or empty"
            )
        if _STATES[cell] is not None:
            states[name] = cast(LabelState, _STATES[cell])
    return states
