"""Studies of one's own that a CSV file lists: one row a study, or one row a view."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, final

from gradtruce.data.csv_file import open_csv
from gradtruce.data.label_states import states_from_cells
from gradtruce.data.observations import OBSERVATIONS, LabelState
from gradtruce.data.physionet import view_position
from gradtruce.data.sources.base import Problem, ViewFile
from gradtruce.data.sources.folder_columns import Columns
from gradtruce.data.sources.folder_study import OwnStudy
from gradtruce.data.study import Split, ViewPosition

_SPLITS: Final[Mapping[str, Split]] = {
    "train": "train",
    "training": "train",
    "test": "test",
    **dict.fromkeys(("val", "valid", "validate", "validation", "dev"), "val"),
}
_POSITIONS: Final[Mapping[str, ViewPosition]] = {"frontal": "frontal", "lateral": "lateral"}


def read_table(path: Path) -> tuple[tuple[OwnStudy | Problem, ...], tuple[str, ...]]:
    r"""Return the studies of a CSV file, what is wrong with them, and the columns not read.

    Rows with one id are views of one study; what they say of it must not differ, and may be left
    blank but once.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no CSV file, or lacks a column.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "mine.csv"
    ...     _ = path.write_text("id,image,position,report\ns1,a.png,PA,Clear.\ns1,b.png,LL,\n")
    ...     (study,), _ = read_table(path)
    >>> study.report, study.views[1]
    ('Clear.', ViewFile(path='b.png', position='lateral'))
    """
    gathered: dict[str, _Gathered] = {}
    found: list[OwnStudy | Problem] = []
    with open_csv(path) as table:
        columns = Columns.find(table.columns, path)
        for line, cells in table.rows():
            study = cells[columns.single["id"]].strip()
            if study:
                one = gathered.setdefault(study, _Gathered(study, path.name))
                one.take(line, cells, columns)
            else:
                reason = f"line {line} has no id; fill it in"
                found.append(Problem("", path.name, "missing id", reason))
    for one in gathered.values():
        found += one.problems
        if not any(problem.action == "study skipped" for problem in one.problems):
            found.append(one.study(columns))
    return tuple(found), columns.unread


@final
@dataclass(slots=True)
class _Gathered:
    """All rows of one study."""

    id: str
    file: str
    values: dict[str, str] = field(default_factory=dict)
    sections: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    views: list[ViewFile] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def take(self, line: int, cells: Sequence[str], columns: Columns) -> None:
        """Add one row."""
        for known, places in (
            (self.values, columns.single),
            (self.sections, columns.sections),
            (self.labels, columns.labels),
        ):
            for name, place in places.items():
                text = cells[place].strip()
                if text and known.setdefault(name, text) != text:
                    self._note(line, "rows disagree", f"{name!r} differs from an earlier row")
        for image, position in columns.images:
            text = cells[image].strip()
            if text:
                code = "" if position is None else cells[position].strip()
                self.views.append(ViewFile(text, self._position(line, code)))

    def study(self, columns: Columns) -> OwnStudy | Problem:
        """Return the study, or what is wrong with it."""
        values = self.values
        if not self.views:
            return Problem(self.id, self.file, "missing image", "no row of it names an image")
        split = values.get("split", "")
        if split and split.lower() not in _SPLITS:
            reason = f"split must be train, val or test, is {split[:40]!r}"
            return Problem(self.id, self.file, "unknown split", reason)
        try:
            labels = self._labels() if columns.labels else ()
        except ValueError as error:
            return Problem(self.id, self.file, "label value", str(error))
        return OwnStudy(
            id=self.id,
            views=tuple(self.views),
            patient=values.get("patient") or self.id,
            split=_SPLITS[split.lower()] if split else None,
            report=values.get("report", ""),
            report_file=values.get("report_file", ""),
            sections=self.sections,
            labels=labels,
            prior=values.get("prior"),
        )

    def _labels(self) -> tuple[LabelState | None, ...]:
        cells = [self.labels.get(name, "") for name in OBSERVATIONS]
        states = states_from_cells(cells, f"{self.file}: study {self.id!r}")
        return tuple(states.get(name) for name in OBSERVATIONS) if states else ()

    def _position(self, line: int, code: str) -> ViewPosition | None:
        if not code or code.lower() == "unknown":
            return None
        position = _POSITIONS.get(code.lower()) or view_position(code)
        if position == "unknown":
            reason = f"{code[:40]!r} is taken as unknown; known are frontal, lateral, PA, AP, LL …"
            self._note(line, "unknown position", reason, noted=True)
        return position

    def _note(self, line: int, kind: str, reason: str, *, noted: bool = False) -> None:
        action: Final = "noted" if noted else "study skipped"
        self.problems.append(Problem(self.id, self.file, kind, f"line {line}: {reason}", action))
