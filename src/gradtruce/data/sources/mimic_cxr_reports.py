"""The reports of MIMIC-CXR, unpacked in a folder or still in the archive."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import final

from gradtruce.data.preparing.disk import file_sha256
from gradtruce.data.sources.base import Record
from gradtruce.data.sources.mimic_cxr_files import prefix_of, report_path
from gradtruce.data.sources.mimic_cxr_zip import Member, list_reports, read_report
from gradtruce.data.text_file import read_text

Locate = Callable[[str, str], tuple[str, tuple[str, ...]] | None]
"""From patient and study to what a record says of the report: path and detail; `None` if absent."""


class Reports(ABC):
    """Where report texts are."""

    @abstractmethod
    def locator(self) -> Locate:
        """Return what tells where each report is.

        Raises:
            FileNotFoundError: If folder or archive is not there.
            ValueError: If the archive is damaged.
        """

    @abstractmethod
    def read(self, record: Record) -> str:
        """Return the text of a record's report.

        Raises:
            FileNotFoundError: If it is not there.
            ValueError: If it is no text, too long or damaged.
        """

    @abstractmethod
    def fingerprint(self) -> str:
        """Return a hash of the reports, as far as it is cheap."""


@final
class ReportFolder(Reports):
    """Reports as files; a missing one shows when it is read.

    Args:
        root: Folder with `files/p10` or `p10`.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     patient = Path(folder) / "files" / "p12" / "p12345678"
    ...     patient.mkdir(parents=True)
    ...     _ = (patient / "s51234567.txt").write_text("FINDINGS: Clear.")
    ...     reports = ReportFolder(Path(folder))
    ...     path, _ = reports.locator()("12345678", "51234567")
    ...     reports.read(Record("51234567", "12345678", "train", report_file=path))
    'FINDINGS: Clear.'
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def locator(self) -> Locate:
        """Return what computes paths; no file is looked at."""
        prefix = prefix_of(self._root)
        return lambda subject, study: (prefix + report_path(subject, study), ())

    def read(self, record: Record) -> str:
        """Return the text of a record's report.

        Raises:
            FileNotFoundError: If it is not there.
            ValueError: If it is no text, too long or outside the folder.
        """
        return read_text(self._root / (record.report_file or ""), root=self._root)

    def fingerprint(self) -> str:
        """Return a fixed text: 227,835 files are not read twice."""
        return "folder"


@final
class ReportArchive(Reports):
    """Reports in `mimic-cxr-reports.zip`, which is not unpacked.

    Args:
        path: The archive.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def locator(self) -> Locate:
        """Return what looks a report up in the archive's list.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If it is no whole zip archive.
        """
        members = list_reports(self._path)

        def locate(subject: str, study: str) -> tuple[str, tuple[str, ...]] | None:
            member = members.get(f"{subject}/{study}")
            return (member.name, (member.place,)) if member else None

        return locate

    def read(self, record: Record) -> str:
        """Return the text of a record's report.

        Raises:
            FileNotFoundError: If the archive is not there.
            ValueError: If the member is damaged, too long or no text.
        """
        return read_report(self._path, Member(record.report_file or "", record.detail[0]))

    def fingerprint(self) -> str:
        """Return the hash of the archive."""
        return file_sha256(self._path)


def open_reports(path: Path) -> Reports:
    """Return the reports of a folder or an archive.

    >>> type(open_reports(Path("mimic-cxr-reports.zip"))).__name__
    'ReportArchive'
    """
    return ReportArchive(path) if path.suffix.lower() == ".zip" else ReportFolder(path)
