"""Read a file of labels, CSV or JSON, and bring its observations to their names."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, final

from gradtruce.data.csv_file import CsvTable, open_csv
from gradtruce.data.csv_file import read_csv as read_csv
from gradtruce.data.label_json import named_order, read_label_lists
from gradtruce.data.label_states import OTHER_NAMES, Labels, states_from_cells
from gradtruce.data.observations import OBSERVATIONS
from gradtruce.data.prepared_writer import file_sha256

_CHEXPERT_PATH: Final = re.compile(r"(?:^|/)(patient\d+/study\d+)/[^/]+$", re.ASCII)


@final
@dataclass(frozen=True)
class LabelFile:
    """Labels of many studies.

    Attributes:
        source: File name, the start of its SHA-256, and the order of the columns where the file
            does not name them; as a prepared set keeps it.
        states: For every id the known observations.
        faults: For every id whose row can't be taken, why; such an id has no states.
    """

    source: str
    states: Mapping[str, Labels]
    faults: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(
        cls,
        path: str | Path,
        *,
        order: str | Sequence[str] | None = None,
        keeps_faults: bool = False,
    ) -> "LabelFile":
        r"""Return the labels of a CSV file, gzipped or not, or of a JSON file.

        A CSV file has the 14 observations as columns, in any order; others are not read. The study
        is in the column `id`, or `study_id` (PhysioNet's files of MIMIC-CXR), or `Path`
        (CheXpert: `patient00001/study1`; one row an image, all rows of a study alike). A cell is
        1, 0, -1 (uncertain) or empty (missing). "Airspace Opacity" is Lung Opacity.

        A JSON file has for every id a list of 14 numbers, `null` for missing. It does not say
        which is which, so `order` must: "chexbert", "chexpert", "chexpert_labeler",
        "alphabetical", or the 14 names.

        Args:
            path: The file.
            order: Which observation is which in a JSON file.
            keeps_faults: Whether an id that occurs twice or has another value goes to `faults`,
                rather than end the reading.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If a column is missing, an id occurs twice, a value is something else, or
                an order is needed and missing, or given and not needed.

        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "labels.csv"
        ...     cells = ",".join("1" if name == "Edema" else "" for name in OBSERVATIONS)
        ...     _ = path.write_text(f"id,{','.join(OBSERVATIONS)}\ns1,{cells}\n")
        ...     LabelFile.read(path).states["s1"]
        {'Edema': 1}
        """
        path = Path(path)
        faults: dict[str, str] = {}
        kept = faults if keeps_faults else None
        if path.suffix.lower() == ".json":
            names = named_order(order, path)
            stated = order if isinstance(order, str) else ", ".join(names)
            states, remark = read_label_lists(path, names, kept), f"; order {stated}"
        elif order is not None:
            raise ValueError(f"{path}: a CSV file names its columns; leave the order out")
        else:
            states, remark = _read_table(path, kept), ""
        for study in faults:
            states.pop(study, None)
        return cls(f"{path.name} (sha256 {file_sha256(path)[:12]}{remark})", states, faults)


def _read_table(path: Path, faults: dict[str, str] | None) -> dict[str, Labels]:
    states: dict[str, Labels] = {}
    alike: dict[tuple[str, ...], Labels] = {}  # 227,827 studies share some thousand rows
    with open_csv(path) as table:
        id_column, study_of = _id_column(table, path)
        columns = (id_column, *_observation_columns(table, path))
        is_unique = id_column != "Path"
        for line, (identifier, *cells) in table.cells(columns):
            where = f"{path}, line {line}"
            study, key = study_of(identifier, where), tuple(cells)
            fault = ""
            if key not in alike:
                try:
                    alike[key] = states_from_cells(cells, f"{where}: study {study!r}")
                except ValueError as error:
                    fault = str(error)
            if not fault and study in states and (is_unique or states[study] != alike[key]):
                fault = f"{where}: study {study!r} occurs twice; keep one row a study"
            if fault:
                if faults is None:
                    raise ValueError(fault)
                faults[study] = fault.replace(f"{where}: study {study!r}", f"line {line}")
                continue
            states[study] = alike[key]
    return states


def _id_column(table: CsvTable, path: Path) -> tuple[str, Callable[[str, str], str]]:
    if "id" in table.columns:
        return "id", _as_it_is
    if "study_id" in table.columns:
        return "study_id", _as_it_is
    if "Path" in table.columns:
        return "Path", _chexpert_study
    raise ValueError(
        f"{path}: lacks the columns id, study_id or Path, one of which says which study a row is of"
    )


def _as_it_is(identifier: str, where: str) -> str:
    if not identifier.strip():
        raise ValueError(f"{where}: the study has no id; fill it in")
    return identifier.strip()


def _chexpert_study(identifier: str, where: str) -> str:
    found = _CHEXPERT_PATH.search(identifier)
    if not found:
        raise ValueError(
            f"{where}: Path must end in patient<number>/study<number>/<file>, is {identifier!r}"
        )
    return found[1]


def _observation_columns(table: CsvTable, path: Path) -> Iterator[str]:
    """Yield what the file calls each observation, in our order."""
    for name in OBSERVATIONS:
        called = [text for text in (name, *OTHER_NAMES.get(name, ())) if text in table.columns]
        if len(called) > 1:
            raise ValueError(f"{path}: {' and '.join(called)} are one observation; keep one column")
        yield called[0] if called else name
