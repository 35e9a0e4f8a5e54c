"""What both readers of MIMIC-CXR share: its terms, and a study from a record and its report."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from gradtruce.data.sources.base import Built, Problem, Record, Settings
from gradtruce.data.sources.views import read_views
from gradtruce.data.study import Study

LICENCE: Final = (
    "PhysioNet Credentialed Health Data License: for credentialed users only; neither this set nor "
    "any part of it may be passed on"
)

NO_IMAGES: Final = "no images"


def study_of(
    record: Record, report: str, sections: Mapping[str, str], images: Path, settings: Settings
) -> Built:
    """Return the study of a record whose report is known; none if no image can be read.

    Args:
        record: Where its images are.
        report: The text to write.
        sections: The other sections.
        images: The root of the record's image paths.
        settings: How views are kept.

    >>> built = study_of(Record("s", "p", "val"), "Clear.", {}, Path("/no"), Settings())
    >>> built.study, built.problems[0].kind
    (None, 'no images')
    """
    views, problems = read_views(record, images, settings)
    if not views:
        reason = f"none of its {len(record.views)} images can be read"
        return Built(None, (*problems, Problem(record.id, "", NO_IMAGES, reason)))
    study = Study(
        id=record.id,
        patient=record.patient,
        split=record.split,
        views=tuple(sorted(views, key=lambda view: view.position != "frontal")),
        report=report,
        sections=sections,
        labels=record.label_states(),
        label_source=record.label_source,
        prior=record.prior,
    )
    return Built(study, problems)


def image_summary(studies: int, problems: Iterable[Problem]) -> str:
    """Return how many of the prepared and the image-less studies have images, in words.

    Args:
        studies: How many were prepared.
        problems: What was wrong with the source.

    >>> image_summary(3, [Problem("s", "", "no images", "none of its 2 images can be read")])
    '3 of 4 studies with a usable report have images'
    """
    without = sum(problem.kind == NO_IMAGES for problem in problems)
    return f"{studies:,} of {studies + without:,} studies with a usable report have images"
