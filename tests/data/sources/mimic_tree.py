"""Make a synthetic tree in the layout of MIMIC-CXR and MIMIC-CXR-JPG on PhysioNet.

Every id, report, date and label is made up here; noise stands for radiographs.
"""

import csv
import gzip
import io
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import numpy as np
from PIL import Image

METADATA_COLUMNS = (
    "dicom_id",
    "subject_id",
    "study_id",
    "PerformedProcedureStepDescription",
    "ViewPosition",
    "Rows",
    "Columns",
    "StudyDate",
    "StudyTime",
    "ProcedureCodeSequence_CodeMeaning",
    "ViewCodeSequence_CodeMeaning",
    "PatientOrientationCodeSequence_CodeMeaning",
)
LABEL_COLUMNS = (
    "Atelectasis",
    "Cardiomegaly",
    "Consolidation",
    "Edema",
    "Enlarged Cardiomediastinum",
    "Fracture",
    "Lung Lesion",
    "Lung Opacity",
    "No Finding",
    "Pleural Effusion",
    "Pleural Other",
    "Pneumonia",
    "Pneumothorax",
    "Support Devices",
)


def report(findings: str = "", impression: str = "Nothing new.") -> str:
    """Return a report in the form that the archive has them; without findings if blank."""
    parts = [
        "                                 FINAL REPORT",
        " EXAMINATION:  CHEST (PA AND LAT)",
        " ",
        " INDICATION:  ___ with a made-up cough.",
        " ",
        " COMPARISON:  None.",
        " ",
        f" FINDINGS: \n \n {findings}\n " if findings else "",
        f" IMPRESSION: \n \n {impression}\n",
    ]
    return "\n".join(part for part in parts if part)


@dataclass(frozen=True)
class MadeUp:
    """A study that never was."""

    subject: str
    study: str
    split: str
    date: str = "21500131"
    time: str = "80556.875"
    views: Sequence[str] = ("PA", "LATERAL")
    report: str | None = report("The invented lungs are clear.")
    labels: dict[str, int] | None = field(default_factory=lambda: {"No Finding": 1})

    def image(self, place: int) -> str:
        """Return the dicom_id of an image: five groups of eight hexadecimal digits."""
        digits = sha256(f"{self.study} {place}".encode()).hexdigest()
        return "-".join(digits[start : start + 8] for start in range(0, 40, 8))

    @property
    def folder(self) -> str:
        """Return where its patient's files are."""
        return f"files/p{self.subject[:2]}/p{self.subject}"

    def image_path(self, place: int, ending: str = "jpg") -> str:
        """Return where an image is."""
        return f"{self.folder}/s{self.study}/{self.image(place)}.{ending}"

    @property
    def report_path(self) -> str:
        """Return where the report is."""
        return f"{self.folder}/s{self.study}.txt"


STUDIES = (
    MadeUp("10999901", "59000003", "train", "21500101", "90000.5", ("LATERAL", "AP", "PA")),
    MadeUp("10999901", "59000001", "train", "21500301", "80556.875", ("AP",), labels={"Edema": -1}),
    MadeUp(
        "10999901", "59000002", "train", "21500301", "80556.875", ("AP",), report=report("Same.")
    ),
    MadeUp("10999902", "59000004", "train", report=report(), labels=None),
    MadeUp("13999903", "59000005", "validate", views=("AP",), labels={"Fracture": 0, "Edema": 1}),
    MadeUp("13999903", "59000006", "validate", "21510131", views=("", "LL")),
    MadeUp("19999904", "59000007", "test"),
)
"""Three studies of one patient out of order, two of them at one time; one without findings."""


@dataclass(frozen=True)
class Tree:
    """What was written: roots and tables."""

    root: Path
    archive: Path
    metadata: Path
    split: Path
    chexpert: Path
    negbio: Path


def write_tables(root: Path, studies: Iterable[MadeUp]) -> None:
    """Write metadata, split and labels into a folder, gzipped, as MIMIC-CXR-JPG has them."""
    root.mkdir(parents=True, exist_ok=True)
    studies = list(studies)
    rows = [(study, place, view) for study in studies for place, view in enumerate(study.views)]
    _write(
        root / "mimic-cxr-2.0.0-metadata.csv.gz",
        METADATA_COLUMNS,
        (
            (s.image(n), s.subject, s.study, *shape, s.date, s.time, "CHEST", "", "Erect")
            for s, n, view in rows
            for shape in [("CHEST (PA, LAT)", view, 3056, 2544)]
        ),
    )
    _write(
        root / "mimic-cxr-2.0.0-split.csv.gz",
        ("dicom_id", "study_id", "subject_id", "split"),
        ((s.image(n), s.study, s.subject, s.split) for s, n, _ in rows),
    )
    for labeler in ("chexpert", "negbio"):
        _write(
            root / f"mimic-cxr-2.0.0-{labeler}.csv.gz",
            ("subject_id", "study_id", *LABEL_COLUMNS),
            (
                (s.subject, s.study, *(_cell(s.labels.get(name)) for name in LABEL_COLUMNS))
                for s in studies
                if s.labels is not None
            ),
        )


def write_tree(root: Path, studies: Iterable[MadeUp] = STUDIES, ending: str = "jpg") -> Tree:
    """Write images, reports (unpacked and in the archive) and tables.

    Args:
        root: What is the root of MIMIC-CXR-JPG on PhysioNet; the reports lie beside it.
        studies: What to write.
        ending: "jpg" or "dcm".
    """
    studies = list(studies)
    reports = root.parent / "reports"
    for study in studies:
        for place, view in enumerate(study.views):
            path = root / study.image_path(place, ending)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(_film(study.image(place), view, ending))
        if study.report is not None:
            path = reports / study.report_path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(study.report)
    archive = root.parent / "mimic-cxr-reports.zip"
    write_archive(archive, studies)
    write_tables(root, studies)
    names = (
        f"mimic-cxr-2.0.0-{table}.csv.gz" for table in ("metadata", "split", "chexpert", "negbio")
    )
    return Tree(root, archive, *(root / name for name in names))


def write_archive(path: Path, studies: Iterable[MadeUp]) -> None:
    """Write the archive of reports, with entries for folders as the real one has."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("files/", "")
        for study in studies:
            if study.report is not None:
                archive.writestr(study.report_path, study.report)


def _write(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with gzip.open(path, "wt", compresslevel=1, newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(columns)
        writer.writerows(rows)


def _cell(state: int | None) -> str:
    return "" if state is None else f"{state}.0"


def _film(name: str, view: str, ending: str) -> bytes:
    random = np.random.default_rng(list(name.encode()))
    pixels = random.integers(0, 256, (48, 40), dtype=np.uint8)
    if ending == "dcm":
        from tests.data.images.dicom_files import dicom_bytes  # noqa: PLC0415 # needs pydicom

        return dicom_bytes(pixels.astype("<u2") * 16, ViewPosition=view or None)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=95)
    return buffer.getvalue()
