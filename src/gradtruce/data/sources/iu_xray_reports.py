"""Reports of IU X-Ray with all their sections: Open-i's XML files, or Kaggle's CSV of them."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, final

from gradtruce.data.csv_file import Row, read_csv
from gradtruce.data.openi_xml import OpenIReport
from gradtruce.data.preparing.disk import file_sha256
from gradtruce.data.sources.base import Problem, fingerprint_of

_SECTIONS: Final = {
    "image": "examination",
    "comparison": "comparison",
    "indication": "indication",
    "findings": "findings",
    "impression": "impression",
}
"""Columns of `indiana_reports.csv` that are sections; `Problems` repeats the heads of `MeSH`."""


@final
@dataclass(frozen=True)
class IUReport:
    """One report.

    Attributes:
        uid: Number of the study.
        sections: Text by name: findings, impression, indication, comparison; the CSV has
            the examination too.
        mesh_major: Terms given by hand, such as "Cardiomegaly/borderline".
        mesh_automatic: Terms given by a program; the CSV has none.
        images: How many it lists; `None` in the CSV, which lists none.
    """

    uid: int
    sections: Mapping[str, str] = field(default_factory=dict)
    mesh_major: tuple[str, ...] = ()
    mesh_automatic: tuple[str, ...] = ()
    images: int | None = None


def read_reports(path: Path) -> Iterator[IUReport | Problem]:
    r"""Yield the reports of a folder of XML files, or of `indiana_reports.csv`.

    The id of a problem is "CXR" and the number of the study, where that is known.

    Raises:
        FileNotFoundError: If there is no such file or folder.
        ValueError: If the folder holds no XML file, or the CSV lacks a column.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "indiana_reports.csv"
    ...     _ = path.write_text("uid,MeSH,image,indication,comparison,findings,impression\n"
    ...                         "54,Opacity/left;Edema,PA,,,Hazy.,\n")
    ...     next(read_reports(path)).mesh_major
    ('Opacity/left', 'Edema')
    """
    read = _read_folder if path.is_dir() else _read_csv
    seen: set[int] = set()
    for entry in read(path):
        if isinstance(entry, IUReport) and entry.uid in seen:
            reason = f"study CXR{entry.uid} has two reports; delete one of them"
            yield Problem(f"CXR{entry.uid}", "", "duplicate id", reason)
            continue
        if isinstance(entry, IUReport):
            seen.add(entry.uid)
        yield entry


def reports_sha256(path: Path) -> str:
    """Return one hash of all reports, whatever folder they are in.

    Raises:
        FileNotFoundError: If there is no such file or folder.

    >>> reports_sha256(Path("no/such/reports"))
    Traceback (most recent call last):
    FileNotFoundError: no/such/reports: there is no such folder of XML reports or CSV file
    """
    if path.is_file():
        return file_sha256(path)
    parts: list[str] = []
    for file in _xml_files(path):
        is_file = file.is_file()  # not so for a broken link, or a pipe, which would never end
        parts += [file.relative_to(path).as_posix(), file_sha256(file) if is_file else "none"]
    return fingerprint_of(parts)


def _xml_files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: there is no such folder of XML reports or CSV file")
    files = [
        Path(parent, name)
        for parent, _, names in os.walk(folder)
        for name in names
        if name.lower().endswith(".xml")
    ]
    return sorted(files, key=lambda path: (len(path.name), path.name, str(path)))


def _read_folder(folder: Path) -> Iterator[IUReport | Problem]:
    files = _xml_files(folder)
    if not files:
        raise ValueError(
            f"{folder}: holds no .xml file; give the folder ecgen-radiology of NLMCXR_reports, or "
            "indiana_reports.csv"
        )
    for path in files:
        try:
            read = OpenIReport.read(path, root=folder)
        except (ValueError, OSError) as error:
            study = f"CXR{path.stem}" if path.stem.isdecimal() else ""
            kind = "missing report" if isinstance(error, FileNotFoundError) else "unreadable report"
            reason = str(error).removeprefix(f"{path}: ")
            yield Problem(study, path.relative_to(folder).as_posix(), kind, reason)
            continue
        yield IUReport(
            read.uid, dict(read.sections), read.mesh_major, read.mesh_automatic, len(read.images)
        )


def _read_csv(path: Path) -> Iterator[IUReport | Problem]:
    if not path.exists():
        raise FileNotFoundError(f"{path}: there is no such folder of XML reports or CSV file")
    for where, row in read_csv(path, ("uid", "MeSH", *_SECTIONS)):
        uid = row["uid"].strip()
        if uid.isascii() and uid.isdecimal() and len(uid) < 10:
            yield _from_row(int(uid), row)
        else:
            reason = f"{where}: uid must be the number of a study, is {uid[:40]!r}"
            yield Problem("", path.name, "bad record", reason)


def _from_row(uid: int, row: Row) -> IUReport:
    sections = {name: row[column].strip() for column, name in _SECTIONS.items()}
    terms = (term.strip() for term in row["MeSH"].split(";"))
    return IUReport(
        uid,
        {name: text for name, text in sections.items() if text},
        tuple(term for term in terms if term),
    )
