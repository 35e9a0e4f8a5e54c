"""MIMIC-CXR by the annotation file of R2Gen, PromptMRG or DDaTR: their studies and their splits."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, final

from gradtruce.data.observations import LabelState
from gradtruce.data.physionet import read_metadata
from gradtruce.data.preparing.disk import file_sha256
from gradtruce.data.sources.base import (
    Built,
    Problem,
    Record,
    Settings,
    Source,
    ViewFile,
    fingerprint_of,
)
from gradtruce.data.sources.mimic_cxr_files import prefix_of
from gradtruce.data.sources.mimic_cxr_json import AnnotatedItem, checked_item, read_items
from gradtruce.data.sources.mimic_cxr_study import LICENCE, study_of
from gradtruce.data.study import SPLITS, Split, ViewPosition


@final
class MimicCxrAnnotation(Source):
    """What an annotation file lists, one record an item, with its splits, reports and labels.

    The file has the lists train, val and test of objects with `report` and `image_path`, and maybe
    `id`, `study_id`, `subject_id`, `labels` (0 blank, 1 positive, 2 negative, 3 uncertain, in our
    order of the 14; PromptMRG's four further ones are left out), `has_progress` and
    `context_image`. The prior of an item is the one whose first image is its `context_image`; what
    the file repeats of it (`context_report`, `context_label`) is not read.

    Args:
        annotation: Such as `annotation.json` or `mimic_annotation_promptmrg.json`.
        images: Folder with `p10` or `files/p10`, which the paths of the file are below.
        metadata: `mimic-cxr-2.0.0-metadata.csv.gz` for view positions; unknown without it.

    >>> MimicCxrAnnotation("annotation.json", "images").name
    'mimic_cxr'
    """

    def __init__(
        self, annotation: str | Path, images: str | Path, *, metadata: str | Path | None = None
    ) -> None:
        self._annotation, self._images = Path(annotation), Path(images)
        self._metadata = Path(metadata) if metadata else None
        self._notes: Mapping[str, Any] = {}  # any JSON value

    @property
    def name(self) -> str:
        """The name of the set."""
        return "mimic_cxr"

    @property
    def description(self) -> str:
        """Where the studies come from."""
        return f"MIMIC-CXR (PhysioNet), studies, reports and splits of {self._annotation.name}"

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
        """The names of the files."""
        return {
            "annotation": self._annotation.name,
            "metadata": self._metadata.name if self._metadata else None,
        }

    def fingerprint(self) -> str:
        """Return a hash of the annotation file and the metadata."""
        return fingerprint_of([json.dumps(self.parameters, sort_keys=True), *self._hashes])

    def records(self) -> Iterator[Record | Problem]:
        """Yield every item, or what is wrong with it.

        Raises:
            FileNotFoundError: If a file or the folder is not there.
            ValueError: If the file is no annotation file, or the metadata are damaged.
        """
        counts: Counter[str] = Counter()
        with_prior: Counter[Split] = Counter()
        items: list[AnnotatedItem] = []
        for split, place, content in read_items(self._annotation):
            try:
                items.append(checked_item(split, content))
            except ValueError as error:
                where = f"{split}, item {place}"
                yield Problem(str(content.get("id", "")), where, "unfit item", str(error))
        prefix, positions = prefix_of(self._images), self._positions()
        by_image = {item.images[0]: item.id for item in items}
        alike: dict[tuple[LabelState | None, ...], tuple[LabelState | None, ...]] = {}
        items.reverse()
        while items:  # each is given up as its record is made
            item = items.pop()
            prior = by_image.get(item.context)
            if item.lacks_context or (item.context and prior is None):
                reason = "the file has no item with the image of its previous study"
                yield Problem(item.id, item.context, "prior study", reason, "prior link removed")
            with_prior[item.split] += prior is not None
            counts["items with labels"] += bool(item.labels)
            labels = alike.setdefault(item.labels, item.labels)
            yield self._record(item, prior, labels, prefix, positions)
        self._notes = {**counts, "with prior": {split: with_prior[split] for split in SPLITS}}

    def build(self, record: Record, settings: Settings) -> Built:
        """Return the study of a record.

        Raises:
            OSError: If a file can't be read.
        """
        return study_of(record, record.report, {}, self._images, settings)

    def notes(self) -> Mapping[str, Any]:  # any JSON value
        """Return what was counted; asked after `records`."""
        return self._notes

    def _record(
        self,
        item: AnnotatedItem,
        prior: str | None,
        labels: tuple[LabelState | None, ...],
        prefix: str,
        positions: Mapping[str, ViewPosition],
    ) -> Record:
        known = any(state is not None for state in labels)
        return Record(
            id=item.id,
            patient=item.patient,
            split=item.split,
            views=tuple(
                ViewFile(_path(prefix, image), positions.get(Path(image).stem))
                for image in item.images
            ),
            report=item.report,
            labels=labels if known else (),
            label_source=self._label_source if known else "",
            prior=prior,
        )

    def _positions(self) -> dict[str, ViewPosition]:
        if self._metadata is None:
            return {}
        known = read_metadata(self._metadata)
        return {one.dicom_id: one.position for one in known if one.position != "unknown"}

    @cached_property
    def _label_source(self) -> str:
        return f"{self._annotation.name} (sha256 {self._hashes[0][:12]}; states 0 to 3)"

    @cached_property
    def _hashes(self) -> tuple[str, ...]:
        files = (self._annotation, self._metadata)
        return tuple(file_sha256(file) if file else "" for file in files)


def _path(prefix: str, image: str) -> str:
    """Return an image path of the file below our root; the file's may begin with files/ or not."""
    return prefix + image.removeprefix("/").removeprefix("files/")
