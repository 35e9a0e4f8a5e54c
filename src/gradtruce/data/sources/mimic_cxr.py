"""MIMIC-CXR from the user's own credentialed copy, as PhysioNet ships it."""

import json
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Final, final, get_args

from gradtruce.data.physionet import read_splits
from gradtruce.data.preparing.disk import file_sha256
from gradtruce.data.sources.base import (
    Built,
    Problem,
    Record,
    Settings,
    Source,
    fingerprint_of,
)
from gradtruce.data.sources.mimic_cxr_files import ImageFormat, find_format, find_table, prefix_of
from gradtruce.data.sources.mimic_cxr_listing import Listing
from gradtruce.data.sources.mimic_cxr_records import LabelRows, RecordMaker, Unit, Views
from gradtruce.data.sources.mimic_cxr_reports import open_reports
from gradtruce.data.sources.mimic_cxr_study import LICENCE, study_of
from gradtruce.data.text.sections import Target, choose_target, split_sections

_LABELERS: Final = ("chexpert", "negbio")


@final
class MimicCxr(Source):
    """MIMIC-CXR 2.0.0 or 2.1.0, JPG or DICOM tree; reports unpacked or still in the archive.

    Studies come by patient and time. A study's prior is the last one before it that is listed; a
    patient is in one split, so it is in the same. Views come PA first, then AP, other frontal,
    lateral and unknown ones.

    Args:
        images: Folder with `files/p10` or `p10`.
        reports: Such a folder, or `mimic-cxr-reports.zip`.
        metadata: `mimic-cxr-2.0.0-metadata.csv.gz`; looked for beside `files` if left out.
        split: `mimic-cxr-2.0.0-split.csv.gz`; likewise.
        labels: "chexpert" or "negbio" for the file beside `files`, or a file; `None` for none.
        target: Which section of the report a model is to write.
        views: "frontal" leaves out lateral ones and those of unknown position.
        unit: "study" for one record a study, with its views; "image" for one record an image, as
            R2Gen has it.
        image_format: How the images end; found by one look into the tree if left out.

    Raises:
        FileNotFoundError: If a table was left out and is not in its place.
        ValueError: If an option is none of the known.

    >>> source = MimicCxr("mimic", "reports.zip", metadata="m.csv", split="s.csv", unit="image")
    >>> source.name, source.is_synthetic
    ('mimic_cxr', False)
    """

    def __init__(
        self,
        images: str | Path,
        reports: str | Path,
        *,
        metadata: str | Path | None = None,
        split: str | Path | None = None,
        labels: str | Path | None = None,
        target: Target = "findings",
        views: Views = "all",
        unit: Unit = "study",
        image_format: ImageFormat | None = None,
    ) -> None:
        _check("target", target, get_args(Target))
        _check("views", views, get_args(Views))
        _check("unit", unit, get_args(Unit))
        if image_format is not None:
            _check("image_format", image_format, get_args(ImageFormat))
        self._images = Path(images)
        self._reports = open_reports(Path(reports))
        self._metadata = Path(metadata) if metadata else find_table(self._images, "metadata")
        self._split = Path(split) if split else find_table(self._images, "split")
        self._labels = _label_file(self._images, labels)
        self._target: Target = target
        self._views: Views = views
        self._unit: Unit = unit
        self._format = image_format
        self._notes: Mapping[str, Any] = {}  # any JSON value

    @property
    def name(self) -> str:
        """The name of the set."""
        return "mimic_cxr"

    @property
    def description(self) -> str:
        """Where the studies come from."""
        return "MIMIC-CXR (PhysioNet, Johnson et al. 2019), the user's own copy"

    @property
    def licence(self) -> str:
        """Under which terms they are."""
        return LICENCE

    @property
    def is_synthetic(self) -> bool:
        """No study is drawn."""
        return False

    @property
    def parameters(self) -> Mapping[str, Any]:  # any JSON value
        """The choices that were made, and the names of the tables."""
        return {
            "target": self._target,
            "views": self._views,
            "unit": self._unit,
            "image_format": self._ending,
            "metadata": self._metadata.name,
            "split": self._split.name,
            "labels": self._labels.name if self._labels else None,
        }

    def fingerprint(self) -> str:
        """Return a hash of tables, archive of reports and choices.

        Reports in a folder are not hashed, as images are not: it would mean to read 227,835 files
        twice.
        """
        return fingerprint_of([json.dumps(self.parameters, sort_keys=True), *self._hashes])

    def records(self) -> Iterator[Record | Problem]:
        """Yield every study or image of the metadata, or what is wrong with it.

        No image and no report is opened; the archive of reports is listed.

        Raises:
            FileNotFoundError: If a table, the folder or the archive is not there.
            ValueError: If a table or the archive is damaged, a patient is in two splits, or no
                label is of these studies.
        """
        maker = RecordMaker(
            prefix=prefix_of(self._images),
            ending=self._ending,
            splits=read_splits(self._split),
            labels=LabelRows(self._labels),
            locate=self._reports.locator(),
            views=self._views,
            unit=self._unit,
        )
        yield from maker.records(Listing(self._metadata))
        if self._labels is not None and not maker.has_labelled:
            raise ValueError(f"{self._labels}: has none of the studies; ids are bare, as 50414267")
        self._notes = maker.notes()

    def build(self, record: Record, settings: Settings) -> Built:
        """Return the study of a record; without a report to write it is left out.

        Raises:
            ValueError: If an image is a DICOM file and can't be decoded here at all.
            OSError: If a file can't be read.
        """
        file = record.report_file or ""
        try:
            sections = split_sections(self._reports.read(record))
        except FileNotFoundError:
            reason = "there is no such report; unpack the reports again, or use the archive"
            return Built(None, (Problem(record.id, file, "missing report", reason),))
        except ValueError as error:
            reason = str(error)[max(0, str(error).find(file)) :]
            return Built(None, (Problem(record.id, file, "damaged report", reason),))
        target = choose_target(sections, self._target)
        if target.text is None:
            reason = f"{target.reason}, which is the target; it is left out"
            return Built(None, (Problem(record.id, file, target.reason, reason, "noted"),))
        others = {name: text for name, text in sections.items() if name not in target.sections}
        return study_of(record, target.text, others, self._images, settings)

    def notes(self) -> Mapping[str, Any]:  # any JSON value
        """Return what was counted; asked after `records`."""
        return self._notes

    @cached_property
    def _ending(self) -> ImageFormat:
        return self._format or find_format(self._images / prefix_of(self._images))

    @cached_property
    def _hashes(self) -> tuple[str, ...]:
        tables = (self._metadata, self._split, self._labels)
        return (
            *(file_sha256(table) if table else "" for table in tables),
            self._reports.fingerprint(),
        )


def _label_file(images: Path, labels: str | Path | None) -> Path | None:
    if labels is None:
        return None
    for labeler in _LABELERS:
        if str(labels) == labeler:
            return find_table(images, labeler)
    if not Path(labels).exists():
        raise FileNotFoundError(
            f"labels must be {', '.join(_LABELERS)} or a file; there is no file {labels}"
        )
    return Path(labels)


def _check(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ValueError(f"{name} must be one of {', '.join(known)}, got {value!r}")
