"""Images and reports of one's own, in a folder or listed in a CSV file."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from posixpath import normpath
from typing import Any, final

from gradtruce.data.label_file import LabelFile
from gradtruce.data.label_states import Labels
from gradtruce.data.observations import OBSERVATIONS
from gradtruce.data.preparing.disk import file_sha256
from gradtruce.data.sources.base import (
    Built,
    Problem,
    Record,
    Settings,
    Source,
    fingerprint_of,
)
from gradtruce.data.sources.folder_study import OwnStudy, place_fault
from gradtruce.data.sources.folder_table import read_table
from gradtruce.data.sources.folder_text import read_target
from gradtruce.data.sources.folder_tree import walk_tree
from gradtruce.data.sources.patient_split import PatientSplit
from gradtruce.data.sources.views import read_views
from gradtruce.data.study import Split, Study
from gradtruce.data.text.sections import Target
from gradtruce.data.text_file import read_text


@final
class Folder(Source):
    r"""Studies of one's own: PNG, JPEG and DICOM images with reports.

    A CSV file has the columns `id`, `image` (`image2` …), `report` (or `report_file`), and, if
    known, `patient`, `split`, `position` (`position2` …), `prior`, sections such as `impression`,
    and observations such as `Edema`. A folder holds images beside texts of the same name, or one
    subfolder a study. Without a patient every study is one's own; without a split the hash of the
    patient decides. A report with headers is split into its sections, a plain one is the target.

    Args:
        path: The CSV file, or the folder.
        root: Folder that all files must lie in; that of the CSV file unless given.
        labels: File of labels by id, as `LabelFile` reads it.
        label_order: What its columns are, where a JSON file does not say.
        target: Which section is to be generated.
        split: For patients whose split is not given.
        name: What the set is called in tables and pages.
        licence: What may be done with it, in words.

    Raises:
        FileNotFoundError: If a file or folder is not there.
        ValueError: If there is a root for a folder, whose files all lie in it.

    >>> import tempfile
    >>> from PIL import Image
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in ("a", "b", "c"):
    ...         Image.new("L", (64, 64)).save(Path(folder) / f"{name}.png")
    ...     table = Path(folder) / "mine.csv"
    ...     _ = table.write_text("id,image,report,split\ns1,a.png,Clear.,train\n"
    ...                          "s2,b.png,Clear.,val\ns3,c.png,Clear.,test\n")
    ...     source = Folder(table)
    ...     [source.build(record, Settings()).study.split for record in source.records()]
    ['train', 'val', 'test']
    """

    def __init__(
        self,
        path: str | Path,
        *,
        root: str | Path | None = None,
        labels: str | Path | None = None,
        label_order: str | None = None,
        target: Target = "findings",
        split: PatientSplit | None = None,
        name: str = "folder",
        licence: str = "",
    ) -> None:
        self._path = Path(path)
        if not self._path.exists():
            raise FileNotFoundError(f"{path}: there is no such folder or CSV file")
        self._is_table = not self._path.is_dir()
        if root is not None and not self._is_table:
            raise ValueError(f"root is for the paths in a CSV file, but {path} is a folder")
        usual = self._path.parent if self._is_table else self._path
        self._root = usual if root is None else Path(root)
        self._labels = None if labels is None else Path(labels)
        for needed in (self._root, self._labels):
            if needed is not None and not needed.exists():
                raise FileNotFoundError(f"{needed}: there is no such file or folder")
        self._label_order, self._target = label_order, target
        self._split, self._name, self._licence = split or PatientSplit(), name, licence
        self._unread: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What the set is called."""
        return self._name

    @property
    def description(self) -> str:
        """Where the studies come from."""
        where = "listed in a CSV file" if self._is_table else "in a folder"
        return f"images and reports of one's own, {where}"

    @property
    def licence(self) -> str:
        """What may be done with it, as it was given."""
        return self._licence

    @property
    def is_synthetic(self) -> bool:
        """None of it, as far as is known."""
        return False

    @property
    def parameters(self) -> Mapping[str, Any]:  # any JSON value
        """Hashes of CSV and labels, target section, split."""
        return {
            "table_sha256": file_sha256(self._path) if self._is_table else None,
            "labels_sha256": file_sha256(self._labels) if self._labels else None,
            "label_order": self._label_order,
            "target": self._target,
            "split": {**self._split.parameters(), "by": "the source, else a hash of the patient"},
        }

    def fingerprint(self) -> str:
        """Return a hash of CSV, labels and arguments; texts in files are in the records."""
        return fingerprint_of([self._name, json.dumps(self.parameters, sort_keys=True)])

    def records(self) -> Iterator[Record | Problem]:
        """Yield every study that has image and target text, and what is wrong with the others.

        Raises:
            FileNotFoundError: If the source is not there.
            ValueError: If it can't be read at all, labels are given twice or are of other studies,
                or the hash leaves a split without a study.
        """
        if self._is_table:
            entries, self._unread = read_table(self._path)
        else:
            entries = tuple(walk_tree(self._root))
        studies = [entry for entry in entries if isinstance(entry, OwnStudy)]
        splits = {study.patient: study.split for study in studies if study.split}
        labels = self._label_file(studies)
        seen: dict[str, str] = {}
        found: set[Split] = set()
        for entry in entries:
            if isinstance(entry, Problem):
                yield entry
                continue
            split = entry.split or splits.get(entry.patient)
            made = self._record(replace(entry, split=split), labels, seen)
            if isinstance(made, Record):
                found.add(made.split)
            yield made
        if not all(study.split for study in studies):
            self._split.refuse_empty(found)

    def build(self, record: Record, settings: Settings) -> Built:
        """Read the images of a study."""
        views, problems = read_views(record, self._root, settings)
        problems = tuple(
            replace(problem, kind=place_fault(self._root, problem.file) or problem.kind)
            for problem in problems
        )
        if not views:
            return Built(None, problems)
        study = Study(
            id=record.id,
            patient=record.patient,
            split=record.split,
            views=tuple(sorted(views, key=lambda view: view.position != "frontal")),
            report=record.report,
            sections=json.loads(record.detail[0]),
            labels=record.label_states(),
            label_source=record.label_source,
            prior=record.prior,
        )
        return Built(study, problems)

    def notes(self) -> Mapping[str, Any]:  # any JSON value
        """Return the columns that were not read."""
        return {"columns_not_read": list(self._unread)} if self._unread else {}

    def _label_file(self, studies: list[OwnStudy]) -> LabelFile:
        if self._labels is None:
            return LabelFile(self._table_source(), {})
        if any(study.labels for study in studies):
            raise ValueError(
                f"{self._path} and {self._labels} both have labels; leave out the columns or file"
            )
        file = LabelFile.read(self._labels, order=self._label_order, keeps_faults=True)
        if not any(study.id in file.states or study.id in file.faults for study in studies):
            raise ValueError(f"{self._labels}: has none of the studies; check its ids")
        return file

    def _table_source(self) -> str:
        if not self._is_table:
            return ""
        return f"{self._path.name} (sha256 {file_sha256(self._path)[:12]})"

    def _record(self, study: OwnStudy, labels: LabelFile, seen: dict[str, str]) -> Record | Problem:
        for view in study.views:
            path = normpath(view.path)
            if path in seen:
                where = f"is study {seen[path]!r}'s already"
                where = "is listed twice by this study" if seen[path] == study.id else where
                reason = f"the image {where}; list it once"
                return Problem(study.id, view.path, "duplicate image", reason)
            seen[path] = study.id
        if self._labels is not None and study.id in labels.faults:
            return Problem(study.id, self._labels.name, "label value", labels.faults[study.id])
        text = self._text(study)
        if isinstance(text, Problem):
            return text
        chosen, sections = read_target(text, study.sections, self._target)
        if chosen.text is None:
            has_any = text.strip() or sections
            kind = "no target section" if has_any else "missing report"
            reason = chosen.reason if has_any else "its report is empty; add it or leave it out"
            return Problem(study.id, study.report_file, kind, reason)
        states: Labels = labels.states.get(study.id, {})
        known = tuple(states.get(name) for name in OBSERVATIONS) if states else study.labels
        return Record(
            id=study.id,
            patient=study.patient,
            split=study.split or self._split.of(study.patient),
            views=study.views,
            report=chosen.text,
            labels=known,
            label_source=labels.source if known else "",
            prior=study.prior,
            detail=(json.dumps(sections),),
        )

    def _text(self, study: OwnStudy) -> str | Problem:
        file = study.report_file
        if study.report or not file:
            return study.report
        path = self._root / file
        try:
            return read_text(path, root=self._root)
        except (OSError, ValueError) as error:
            kind = place_fault(self._root, file) or (
                "missing report" if isinstance(error, FileNotFoundError) else "unreadable report"
            )
            return Problem(study.id, file, kind, str(error).removeprefix(f"{path}: "))
