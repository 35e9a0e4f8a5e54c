"""Tables of MIMIC-CXR-JPG as PhysioNet has them: metadata of images, and splits."""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, final

from gradtruce.data.csv_file import open_csv
from gradtruce.data.study import Split, ViewPosition

_METADATA: Final = (
    "dicom_id",
    "subject_id",
    "study_id",
    "ViewPosition",
    "StudyDate",
    "StudyTime",
)
_SPLIT: Final = ("dicom_id", "subject_id", "study_id", "split")
_SPLITS: Final[Mapping[str, Split]] = {"train": "train", "validate": "val", "test": "test"}

_FRONTAL: Final = frozenset({"AP", "PA", "AP AXIAL", "AP LLD", "AP RLD", "PA LLD", "PA RLD"})
_LATERAL: Final = frozenset({"LATERAL", "LL", "RL", "XTABLE LATERAL"})

_DIGITS: Final = re.compile(r"\d{1,12}", re.ASCII)
_DATE: Final = re.compile(r"(\d{4})(\d\d)(\d\d)(?:\.0)?", re.ASCII)
_TIME: Final = re.compile(r"(\d{1,6})(\.\d{1,20})?", re.ASCII)


@final
@dataclass(frozen=True, slots=True)
class ImageMetadata:
    """One row of the metadata: an image, by the pseudonymous ids of the data set.

    Attributes:
        dicom_id: Name of the image file without its ending.
        subject_id: The patient.
        study_id: The study; the same patient's studies follow each other by `acquired`.
        view_code: `ViewPosition` as the file has it, such as "AP"; "" where it is missing.
        position: What that means. Decubitus views are frontal; oblique ones unknown.
        acquired: Start of the study, shifted by the data set into the future; `None` if missing.
    """

    dicom_id: str
    subject_id: str
    study_id: str
    view_code: str
    position: ViewPosition
    acquired: datetime | None


def read_metadata(path: str | Path) -> Iterator[ImageMetadata]:
    r"""Yield every image of `mimic-cxr-2.0.0-metadata.csv.gz`; one row at a time is in memory.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it lacks a column or a row breaks a rule; raised where the row is reached.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "metadata.csv"
    ...     _ = path.write_text(",".join(_METADATA) + "\na-b,10,50,LL,21800506,80556.875\n")
    ...     image = next(read_metadata(path))
    >>> image.position, image.acquired.isoformat()
    ('lateral', '2180-05-06T08:05:56.875000')
    """
    with open_csv(path) as table:
        for line, cells in table.cells(_METADATA):
            image, subject, study, view, date, time = (cell.strip() for cell in cells)
            where = f"{path}, line {line}"
            _check_ids(image, subject, study, where)
            yield ImageMetadata(
                image, subject, study, view, view_position(view), _acquired(date, time, where)
            )


def read_splits(path: str | Path) -> dict[str, Split]:
    r"""Return the split of every study by `mimic-cxr-2.0.0-split.csv.gz`; "validate" is val.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it lacks a column, names another split, or a patient is in two.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "split.csv"
    ...     _ = path.write_text("dicom_id,study_id,subject_id,split\na-b,50,10,validate\n")
    ...     read_splits(path)
    {'50': 'val'}
    """
    of_study: dict[str, Split] = {}
    of_patient: dict[str, Split] = {}
    with open_csv(path) as table:
        for line, cells in table.cells(_SPLIT):
            image, subject, study, name = (cell.strip() for cell in cells)
            where = f"{path}, line {line}"
            _check_ids(image, subject, study, where)
            split = _SPLITS.get(name)
            if split is None:
                raise ValueError(f"{where}: split must be train, validate or test, is {name!r}")
            if (
                of_patient.setdefault(subject, split) != split
                or of_study.setdefault(study, split) != split
            ):
                raise ValueError(
                    f"{where}: patient {subject}, study {study}, is in {split} and in another "
                    "split; every patient must be in one"
                )
    return of_study


def view_position(code: str) -> ViewPosition:
    """Return what a DICOM view position means.

    >>> [view_position(code) for code in ("PA", "LL", "LAO", "")]
    ['frontal', 'lateral', 'unknown', 'unknown']
    """
    code = code.strip().upper()
    if code in _FRONTAL:
        return "frontal"
    return "lateral" if code in _LATERAL else "unknown"


def _check_ids(image: str, subject: str, study: str, where: str) -> None:
    if not image or not _DIGITS.fullmatch(subject) or not _DIGITS.fullmatch(study):
        raise ValueError(
            f"{where}: needs a dicom_id, and digits for subject_id and study_id, found "
            f"{image[:80]!r}, {subject[:40]!r} and {study[:40]!r}"
        )


def _acquired(date: str, time: str, where: str) -> datetime | None:
    """Read a date such as 21800506 and a time such as 80556.875, whose leading zero is lost."""
    if not date:
        return None
    day, clock = _DATE.fullmatch(date), _TIME.fullmatch(time or "0")
    if day and clock:
        hours, minutes = divmod(int(clock[1]) // 100, 100)
        seconds = int(clock[1]) % 100 + float(f"0{clock[2] or ''}")
        if hours < 24 and minutes < 60 and seconds < 61:
            try:
                start = datetime(int(day[1]), int(day[2]), int(day[3]))
                return start + timedelta(
                    hours=hours, minutes=minutes, microseconds=math.floor(seconds * 1e6 + 0.5)
                )
            except (ValueError, OverflowError):
                pass
    raise ValueError(
        f"{where}: StudyDate and StudyTime must be like 21800506 and 80556.875, are "
        f"{date[:40]!r} and {time[:40]!r}"
    )
