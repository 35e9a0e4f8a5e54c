"""R2Gen's annotation file of IU X-Ray: studies, reports, official splits."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final, final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gradtruce.data.prepared_manifest import first_problem
from gradtruce.data.sources.base import Problem
from gradtruce.data.sources.iu_xray_files import image_key
from gradtruce.data.study import SPLITS, Split
from gradtruce.data.text_file import read_text

_LIMIT: Final = 100_000_000


@final
class _Entry(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)

    id: str
    report: str
    image_path: list[str] = Field(min_length=1)
    split: Split


@final
@dataclass(frozen=True)
class AnnotatedStudy:
    """One study of the annotation file.

    Attributes:
        id: Such as "CXR54_IM-2145"; 136 ids carry a further "-0001".
        uid: The number after CXR, which is the patient's.
        split: R2Gen's.
        report: The findings.
        images: "<folder>/<file>" of each image in R2Gen's form.
    """

    id: str
    uid: int
    split: Split
    report: str
    images: tuple[str, ...]


def read_annotation(path: Path) -> Iterator[AnnotatedStudy | Problem]:
    """Yield the studies of an annotation file, and what is wrong with single ones.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not JSON, or not of R2Gen's form.

    >>> import tempfile
    >>> entry = {"id": "CXR54_IM-2145", "report": "Clear.", "split": "train",
    ...          "image_path": ["CXR54_IM-2145/0.png"]}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "annotation.json"
    ...     _ = path.write_text(json.dumps({"train": [entry], "val": [], "test": [7]}))
    ...     study, problem = read_annotation(path)
    >>> study.uid, study.images
    (54, ('CXR54_IM-2145/0.png',))
    >>> problem.kind
    'bad record'
    """
    try:
        content = json.loads(read_text(path, limit=_LIMIT))
    except FileNotFoundError:
        raise FileNotFoundError(f"{path}: there is no such annotation file") from None
    except RecursionError:
        raise ValueError(f"{path}: not valid JSON (nested too deep); download it again") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}: not valid JSON ({error}); download it again") from None
    if not isinstance(content, dict) or not all(isinstance(content.get(s), list) for s in SPLITS):
        raise ValueError(f"{path}: must be an object with the lists train, val and test")
    for split in SPLITS:
        for place, entry in enumerate(content[split]):
            study = _study(entry, split)
            if isinstance(study, AnnotatedStudy):
                yield study
            else:
                name = entry.get("id") if isinstance(entry, dict) else None
                reason = f"{path.name}: {split} entry {place}: {study}"
                yield Problem(
                    name if isinstance(name, str) else "", path.name, "bad record", reason
                )


def _study(entry: object, split: Split) -> AnnotatedStudy | str:
    """Return a study, or what is wrong with it."""
    try:
        found = _Entry.model_validate(entry)
    except ValidationError as error:
        return first_problem(error)
    key = image_key(found.id)
    if key is None:
        return "field 'id' must look like CXR54_IM-2145"
    if found.split != split:
        return f"field 'split' says {found.split!r}; it must say {split!r}"
    if not found.report.strip():
        return "field 'report' is empty; give it a report or leave it out"
    images = ("/".join(PurePosixPath(image).parts[-2:]) for image in found.image_path)
    return AnnotatedStudy(found.id, key[0], split, found.report, tuple(images))
