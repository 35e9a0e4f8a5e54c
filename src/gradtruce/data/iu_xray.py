"""IU X-Ray (Open-i): the annotation file of R2Gen with the radiographs that the user has."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gradtruce.data.images.film import SHORT_SIDE
from gradtruce.data.images.read import read_grey
from gradtruce.data.iu_xray_files import ImageFiles, ImageKey, image_key, read_projections
from gradtruce.data.label_file import LabelFile
from gradtruce.data.observations import LabelState
from gradtruce.data.prepared_manifest import Manifest, first_problem
from gradtruce.data.prepared_writer import PreparedWriter, file_sha256
from gradtruce.data.study import SPLITS, Split, Study, View, ViewPosition


@final
class _Record(BaseModel):
    """One study of the annotation file."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)

    id: str
    report: str
    image_path: list[str] = Field(min_length=1)
    split: Split

    @property
    def key(self) -> str:
        """The id as label files have it: 136 ids carry a further `-0001`, they do not."""
        return "-".join(self.id.split("-")[:2])


@final
@dataclass(frozen=True)
class _Film:
    path: Path
    position: ViewPosition


@final
class IUXRay:
    """The studies of an annotation file, and which of their images are there.

    Images are looked for in R2Gen's form (`<id>/0.png`, view positions unknown) and, for studies
    without any of these, by Open-i file names (`CXR54_IM-2145-1001.png`, or Kaggle's
    `54_IM-2145-1001.dcm.png`), anywhere below the folder. The patient is the number after `CXR`.

    Args:
        annotation: `annotation.json` as R2Gen has it.
        images: Folder with the images.
        projections: `indiana_projections.csv` of the Kaggle copy: which image is frontal.
        labels: CSV with an `id` column and the 14 observations.

    Raises:
        FileNotFoundError: If a file or folder is not there.
        ValueError: If a file is damaged, a record breaks a rule, or no label is of these studies.

    >>> import tempfile
    >>> from PIL import Image
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     root = Path(folder)
    ...     record = {"id": "CXR54_IM-2145", "report": "Clear.", "split": "train",
    ...               "image_path": ["CXR54_IM-2145/0.png", "CXR54_IM-2145/1.png"]}
    ...     content = {"train": [record], "val": [], "test": []}
    ...     _ = (root / "annotation.json").write_text(json.dumps(content))
    ...     Image.new("L", (64, 64)).save(root / "CXR54_IM-2145-1001.png")
    ...     source = IUXRay(root / "annotation.json", root)
    ...     [(study.patient, len(study.views)) for study in source.studies()]
    [('54', 1)]
    >>> list(source.missing())
    [('CXR54_IM-2145', 'train', '2', '1')]
    """

    def __init__(
        self,
        annotation: str | Path,
        images: str | Path,
        *,
        projections: str | Path | None = None,
        labels: str | Path | None = None,
    ) -> None:
        self._annotation, self._images = Path(annotation), Path(images)
        self._records = _read_annotation(self._annotation)
        self._labels = LabelFile.read(labels) if labels is not None else LabelFile("", {})
        if labels is not None and not any(map(self._states, self._records)):
            raise ValueError(f"{labels}: has none of the studies of {annotation}; check its ids")
        positions = read_projections(projections) if projections is not None else {}
        files = ImageFiles.find(images)
        self._films = {record.id: _films(record, files, positions) for record in self._records}

    def __len__(self) -> int:
        """Return the number of studies that have an image."""
        return sum(bool(films) for films in self._films.values())

    def studies(self, short_side: int = SHORT_SIDE) -> Iterator[Study]:
        """Yield the studies that have an image; one with one of two images has one view.

        Raises:
            ValueError: If an image is damaged; the message names study and file.
        """
        for record in self._records:
            if self._films[record.id]:
                yield self._study(record, short_side)

    def missing(self) -> Iterator[tuple[str, Split, str, str]]:
        """Yield id, split, images listed and images found, where fewer are found than listed."""
        for record in self._records:
            listed, found = len(record.image_path), len(self._films[record.id])
            if found < listed:
                yield record.id, record.split, str(listed), str(found)

    def counts(self) -> dict[str, int]:
        """Return how many studies have images, in all and by split."""
        return {
            "studies": len(self._records),
            "with_images": len(self),
            "with_fewer_images_than_listed": sum(found != "0" for *_, found in self.missing()),
            "without_images": len(self._records) - len(self),
            **{f"{split}_studies": self._listed(split) for split in SPLITS},
            **{f"{split}_with_images": self._with_images(split) for split in SPLITS},
        }

    def summary(self) -> str:
        """Return in one line how many studies have images."""
        splits = ", ".join(
            f"{split} {self._with_images(split):,} of {self._listed(split):,}" for split in SPLITS
        )
        return f"{len(self):,} of {len(self._records):,} studies have images ({splits})"

    def check_splits(self) -> None:
        """Refuse a source of which some split would be empty.

        Raises:
            ValueError: Naming the split and the folder of images.
        """
        for split in SPLITS:
            if not self._listed(split):
                raise ValueError(f"split {split!r}: the annotation file lists no study of it")
            if not self._with_images(split):
                raise ValueError(
                    f"split {split!r}: none of its {self._listed(split):,} studies has an image "
                    f"in {self._images}; add some, named <id>/0.png or CXR54_IM-2145-1001.png"
                )

    def _with_images(self, split: Split) -> int:
        return sum(bool(self._films[r.id]) for r in self._records if r.split == split)

    def _listed(self, split: Split) -> int:
        return sum(record.split == split for record in self._records)

    def _states(self, record: _Record) -> Mapping[str, LabelState]:
        return self._labels.states.get(record.id) or self._labels.states.get(record.key) or {}

    def _study(self, record: _Record, short_side: int) -> Study:
        try:
            views = tuple(
                View(read_grey(film.path, short_side), film.position)
                for film in self._films[record.id]
            )
        except ValueError as error:
            raise ValueError(f"study {record.id!r}: {error}") from None
        labels = self._states(record)
        return Study(
            id=record.id,
            patient=_number(record.id),
            split=record.split,
            views=views,
            report=record.report,
            labels=labels,
            label_source=self._labels.source if labels else "",
        )


def prepare_iu_xray(
    folder: str | Path,
    *,
    annotation: str | Path,
    images: str | Path,
    projections: str | Path | None = None,
    labels: str | Path | None = None,
    short_side: int = SHORT_SIDE,
    progress: Callable[[int, int], None] | None = None,
) -> Manifest:
    """Write a prepared set of the IU X-Ray studies whose images are there, and return its manifest.

    `missing.csv` in the folder lists every study that lacks an image; the counts are in the
    manifest's notes.

    Args:
        folder: The prepared data set; must not exist.
        annotation: `annotation.json` as R2Gen has it.
        images: Folder with the images.
        projections: `indiana_projections.csv` of the Kaggle copy.
        labels: CSV with an `id` column and the 14 observations.
        short_side: Short side of the views in pixels; smaller images stay as they are.
        progress: Called after every study with how many are done and how many there are.

    Raises:
        FileExistsError: If `folder` exists.
        FileNotFoundError: If a source is not there.
        ValueError: If a source is damaged, or a split would be empty.
        OSError: If the set can't be written.

    >>> prepare_iu_xray("prepared", annotation="no/annotation.json", images="no/images")
    Traceback (most recent call last):
    FileNotFoundError: no/annotation.json: there is no such annotation file
    """
    studies = IUXRay(annotation, images, projections=projections, labels=labels)
    studies.check_splits()
    parameters = {"short_side": short_side, "annotation_sha256": file_sha256(Path(annotation))}
    source = "IU X-Ray (Open-i), annotation file of R2Gen"
    with PreparedWriter(folder, name="iu_xray", source=source, parameters=parameters) as writer:
        for done, study in enumerate(studies.studies(short_side), start=1):
            writer.add(study)
            if progress is not None:
                progress(done, len(studies))
        writer.notes.update({"summary": studies.summary(), "images": studies.counts()})
        header = ("id", "split", "images_listed", "images_found")
        writer.write_table("missing.csv", header, studies.missing())
    return Manifest.read(Path(folder))


def _read_annotation(path: Path) -> list[_Record]:
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such annotation file")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: not valid JSON ({error}); download it again") from None
    if not isinstance(content, dict) or not all(isinstance(content.get(s), list) for s in SPLITS):
        raise ValueError(f"{path}: must be an object with the lists train, val and test")
    records = [
        _record(entry, split, f"{path}: {split} entry {place}")
        for split in SPLITS
        for place, entry in enumerate(content[split])
    ]
    seen: set[str] = set()
    for record in records:
        if record.id in seen:
            raise ValueError(f"{path}: study {record.id!r} occurs twice; make ids unique")
        seen.add(record.id)
    return records


def _record(entry: object, split: Split, where: str) -> _Record:
    if isinstance(entry, dict) and isinstance(entry.get("id"), str):
        where += f", study {entry['id']!r}"
    try:
        record = _Record.model_validate(entry)
    except ValidationError as error:
        raise ValueError(f"{where}: {first_problem(error)}") from None
    for ok, problem in (
        (record.split == split, f"field 'split' says {record.split!r}; it must say {split!r}"),
        (image_key(record.id), "field 'id' must look like CXR54_IM-2145"),
        (record.report.strip(), "field 'report' is empty; give it a report or leave it out"),
    ):
        if not ok:
            raise ValueError(f"{where}: {problem}")
    return record


def _films(
    record: _Record, files: ImageFiles, positions: Mapping[ImageKey, ViewPosition]
) -> tuple[_Film, ...]:
    listed = ("/".join(Path(image).parts[-2:]) for image in record.image_path)
    r2gen = tuple(
        _Film(files.in_folders[name], "unknown") for name in listed if name in files.in_folders
    )
    if r2gen:
        return r2gen
    number = int(_number(record.id))
    films = [
        _Film(path, positions.get((number, name), "unknown"))
        for name, path in files.of_study.get(number, {}).items()
    ]
    return tuple(sorted(films, key=lambda film: film.position != "frontal"))


def _number(study_id: str) -> str:
    key = image_key(study_id)
    return str(key[0]) if key else study_id
