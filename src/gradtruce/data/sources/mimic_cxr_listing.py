"""Studies of MIMIC-CXR in order of time, from the metadata of its images and the split file."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final, final

from gradtruce.data.physionet import ImageMetadata, read_metadata
from gradtruce.data.sources.base import Problem
from gradtruce.data.sources.mimic_cxr_files import DICOM, STUDY, SUBJECT
from gradtruce.data.study import ViewPosition

POSITIONS: Final[tuple[ViewPosition, ...]] = (
    "frontal",
    "frontal",
    "frontal",
    "lateral",
    "unknown",
)
"""What the ranks of images mean: PA, AP, other frontal views, lateral ones, unknown ones."""

_LAST: Final = datetime.max


@final
@dataclass(slots=True)
class ListedStudy:
    """A study as the metadata has it; small, for there are 227,835.

    Attributes:
        subject: The patient.
        study: Its number.
        acquired: When it began, shifted in time by the data set; `None` where that is missing.
        images: Rank (see `POSITIONS`) and dicom_id of each, the best view first.
    """

    subject: str
    study: str
    acquired: datetime | None
    images: list[tuple[int, str]] = field(default_factory=list)


@final
class Listing:
    """All studies of a metadata file.

    Attributes:
        studies: By patient, then by time; equal times by number; those without time last.
        problems: Rows that don't fit.

    Args:
        metadata: `mimic-cxr-2.0.0-metadata.csv.gz`, or rows of it.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it lacks a column, is damaged, or a date can't be read.
    """

    def __init__(self, metadata: Path) -> None:
        self.problems: list[Problem] = []
        self._study_of: dict[str, str] = {}
        self._studies: dict[str, ListedStudy] = {}
        self._torn: dict[str, str] = {}
        subjects: dict[str, str] = {}
        for image in read_metadata(metadata):
            problem = _unfit(image) or self._known(image)
            if problem:
                self.problems.append(problem)
            else:
                self._enter(image, subjects.setdefault(image.subject_id, image.subject_id))
        self._drop_torn()
        self.studies = sorted(self._studies.values(), key=_by_patient_and_time)
        for study in self.studies:
            study.images.sort()
        del self._study_of, self._studies, self._torn

    @property
    def images(self) -> int:
        """How many images the studies have."""
        return sum(len(study.images) for study in self.studies)

    def _known(self, image: ImageMetadata) -> Problem | None:
        owner = self._study_of.get(image.dicom_id)
        if owner is None:
            return None
        if owner == image.study_id:
            reason = "the metadata have its row twice; the first counts"
            return Problem(image.study_id, image.dicom_id, "duplicate row", reason, "noted")
        reason = f"the metadata have it in study {owner} too; it stays there"
        return Problem(image.study_id, image.dicom_id, "duplicate image", reason, "view skipped")

    def _enter(self, image: ImageMetadata, subject: str) -> None:
        study = self._studies.get(image.study_id)
        if study is None:
            study = ListedStudy(subject, image.study_id, image.acquired)
            self._studies[image.study_id] = study
        elif study.subject != subject:
            self._torn[study.study] = f"{study.subject} and {subject}"
        times = [time for time in (study.acquired, image.acquired) if time is not None]
        study.acquired = min(times) if times else None
        study.images.append((_rank(image), image.dicom_id))
        self._study_of[image.dicom_id] = study.study

    def _drop_torn(self) -> None:
        for study, patients in self._torn.items():
            del self._studies[study]
            reason = f"the metadata give it to the patients {patients}; a study has one"
            self.problems.append(Problem(study, "", "unfit id", reason))


def with_previous(studies: list[ListedStudy]) -> Iterator[tuple[ListedStudy, ListedStudy | None]]:
    """Yield every study and the one before it of the same patient, where both have a time.

    Args:
        studies: By patient, then by time, as a `Listing` has them.

    >>> day = datetime(2150, 1, 31)
    >>> first, second = ListedStudy("1", "7", day), ListedStudy("1", "5", day.replace(year=2151))
    >>> [before and before.study for _, before in with_previous([first, second])]
    [None, '7']
    """
    before: ListedStudy | None = None
    for study in studies:
        follows = before is not None and before.subject == study.subject
        yield study, before if follows and study.acquired is not None else None
        before = study if study.acquired is not None else None


def _by_patient_and_time(study: ListedStudy) -> tuple[str, datetime, str]:
    return study.subject, study.acquired or _LAST, study.study


def _rank(image: ImageMetadata) -> int:
    if image.position == "frontal":
        return {"PA": 0, "AP": 1}.get(image.view_code.upper(), 2)
    return 3 if image.position == "lateral" else 4


def _unfit(image: ImageMetadata) -> Problem | None:
    fits = (
        SUBJECT.fullmatch(image.subject_id)
        and STUDY.fullmatch(image.study_id)
        and DICOM.fullmatch(image.dicom_id)
    )
    if fits:
        return None
    reason = (
        f"patient {image.subject_id}, study {image.study_id}, image {image.dicom_id[:60]!r}: the "
        "ids of MIMIC-CXR are 1 and 7 digits, 5 and 7 digits, and five groups of 8 hexadecimal "
        "digits; correct the metadata"
    )
    return Problem(image.study_id, "", "unfit id", reason, "view skipped")
