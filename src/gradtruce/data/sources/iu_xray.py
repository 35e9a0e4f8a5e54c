"""IU X-Ray (Open-i) with the radiographs that the user has."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, final

from gradtruce.data.preparing.disk import file_sha256
from gradtruce.data.sources.base import (
    Action,
    Built,
    Problem,
    Record,
    Settings,
    Source,
    ViewFile,
    fingerprint_of,
)
from gradtruce.data.sources.iu_xray_files import ImageFiles, read_projections
from gradtruce.data.sources.iu_xray_studies import LICENCE, IUStudies, ListedStudy
from gradtruce.data.sources.patient_split import PatientSplit
from gradtruce.data.sources.views import read_views
from gradtruce.data.study import SPLITS, Study
from gradtruce.data.text.sections import Target

_HOW: Final = "add them, named <id>/0.png, CXR54_IM-2145-1001.png or 54_IM-2145-1001.dcm.png"


@final
class IUXRay(Source):
    """IU X-Ray from what was downloaded: R2Gen's annotation file, Open-i's XML, or Kaggle's CSV.

    Images are looked for anywhere below their folder: in R2Gen's form (`<id>/0.png`) and, for
    studies without any of these, by the file names of Open-i (`CXR54_IM-2145-1001.png`) or Kaggle
    (`54_IM-2145-1001.dcm.png`). The patient is the number after `CXR`.

    Few have all images, so a study without any is left out and listed as noted, which never stops
    a run; one of which some are missing is kept with the others.

    Args:
        images: Folder with the images.
        annotation: R2Gen's `annotation.json`; gives studies, findings and the official splits.
        reports: Folder of Open-i's XML reports, or Kaggle's `indiana_reports.csv`; gives the other
            sections and MeSH terms, and all studies where there is no annotation file.
        projections: Kaggle's `indiana_projections.csv`: which image is frontal.
        labels: File of labels; joined by the number of the study.
        label_order: What its columns are, where a JSON file does not say.
        target: "findings", "impression" or "findings+impression".
        split: For studies without annotation file.
        needs_all_images: Whether a missing image is a problem that can stop a run.

    Raises:
        FileNotFoundError: If a file or folder is not there.
        ValueError: If neither annotation nor reports are given, or an argument is out of range.

    >>> import tempfile
    >>> from PIL import Image
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     root = Path(folder)
    ...     entry = {"id": "CXR54_IM-2145", "report": "Clear.", "split": "train",
    ...              "image_path": ["CXR54_IM-2145/0.png", "CXR54_IM-2145/1.png"]}
    ...     content = {"train": [entry], "val": [], "test": []}
    ...     _ = (root / "annotation.json").write_text(json.dumps(content))
    ...     Image.new("L", (64, 64)).save(root / "CXR54_IM-2145-1001.png")
    ...     source = IUXRay(root, annotation=root / "annotation.json")
    ...     problem, record = source.records()
    ...     study = source.build(record, Settings()).study
    >>> study.patient, len(study.views), problem.reason
    ('54', 1, '1 of 2 images is there; kept with it')
    """

    def __init__(
        self,
        images: str | Path,
        *,
        annotation: str | Path | None = None,
        reports: str | Path | None = None,
        projections: str | Path | None = None,
        labels: str | Path | None = None,
        label_order: str | None = None,
        target: Target = "findings",
        split: PatientSplit | None = None,
        needs_all_images: bool = False,
    ) -> None:
        self._images = Path(images)
        self._projections = None if projections is None else Path(projections)
        self._studies = IUStudies.of(annotation, reports, labels, label_order, target, split)
        self._needs_all = needs_all_images
        self._counts: Counter[str] = Counter()
        if not self._images.is_dir():
            raise FileNotFoundError(f"{images}: there is no such folder of images")
        if self._projections is not None and not self._projections.is_file():
            raise FileNotFoundError(f"{projections}: there is no such list of projections")

    @property
    def name(self) -> str:
        """What the set is called."""
        return "iu_xray"

    @property
    def description(self) -> str:
        """Where the studies come from."""
        return self._studies.description

    @property
    def licence(self) -> str:
        """What may be done with it."""
        return LICENCE

    @property
    def is_synthetic(self) -> bool:
        """None of it."""
        return False

    @property
    def parameters(self) -> Mapping[str, Any]:  # any JSON value
        """Hashes of the files, target section, split."""
        projections = file_sha256(self._projections) if self._projections else None
        return {**self._studies.parameters(), "projections_sha256": projections}

    def fingerprint(self) -> str:
        """Return a hash of the files, images left out, and the arguments."""
        return fingerprint_of([self.name, json.dumps(self.parameters, sort_keys=True)])

    def records(self) -> Iterator[Record | Problem]:
        """Yield every study that has an image, and what is wrong with the others."""
        self._counts = Counter()
        files = ImageFiles.find(self._images)
        positions = read_projections(self._projections) if self._projections else {}
        listed_there = Counter(uid for uid, _ in positions)
        yield from files.problems
        for entry in self._studies.listed():
            if isinstance(entry, Problem):
                yield entry
                continue
            views = files.views(entry.uid, entry.images, positions)
            listed = entry.image_count
            if listed is None:
                listed = listed_there.get(entry.uid, len(views))
            yield from self._missing(entry, len(views), listed)
            self._count(entry, len(views), listed)
            if views:
                yield _record(entry, views)

    def build(self, record: Record, settings: Settings) -> Built:
        """Read the images of a study."""
        views, problems = read_views(record, self._images, settings)
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
        )
        return Built(study, problems)

    def notes(self) -> Mapping[str, Any]:  # any JSON value
        """Return how many studies have images, in a line and as counts."""
        counts = self._counts
        parts = (
            f"{split} {counts[f'{split}_with_images']:,} of {counts[f'{split}_studies']:,}"
            for split in SPLITS
        )
        names = ("studies", "with_images", "with_fewer_images_than_listed", "without_images")
        by_split = (f"{split}_{what}" for split in SPLITS for what in ("studies", "with_images"))
        return {
            "summary": f"{counts['with_images']:,} of {counts['studies']:,} studies have images "
            f"({', '.join(parts)})",
            "images": {name: counts[name] for name in (*names, *by_split)},
        }

    def _missing(self, entry: ListedStudy, found: int, listed: int) -> Iterator[Problem]:
        if not found:
            reason = f"none of its {listed} images is in the folder of images; {_HOW}"
            if not listed:
                reason = "neither its report nor a list of projections names an image; left out"
            action: Action = "study skipped" if self._needs_all and listed else "noted"
            yield Problem(entry.id, "", "missing image", reason, action)
        elif found < listed:
            it = "is there; kept with it" if found == 1 else "are there; kept with them"
            reason = f"{found} of {listed} images {it}"
            lost: Action = "view skipped" if self._needs_all else "noted"
            yield Problem(entry.id, "", "missing image", reason, lost)

    def _count(self, entry: ListedStudy, found: int, listed: int) -> None:
        self._counts.update(["studies", f"{entry.split}_studies"])
        if not found:
            self._counts["without_images"] += 1
            return
        self._counts.update(["with_images", f"{entry.split}_with_images"])
        self._counts["with_fewer_images_than_listed"] += found < listed


def _record(entry: ListedStudy, views: tuple[ViewFile, ...]) -> Record:
    return Record(
        id=entry.id,
        patient=str(entry.uid),
        split=entry.split,
        views=views,
        report=entry.report,
        labels=entry.labels,
        label_source=entry.label_source,
        detail=(json.dumps(entry.sections),),
    )
