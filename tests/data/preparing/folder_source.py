"""A small source of PNG files on disk: importable, so that worker processes find it."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
from PIL import Image

from gradtruce.data.preparing.disk import file_sha256
from gradtruce.data.sources.base import Built, Problem, Record, Settings, Source, ViewFile
from gradtruce.data.sources.views import read_views
from gradtruce.data.study import SPLITS, Study


@final
@dataclass(frozen=True)
class Folder(Source):
    """`studies.json`, a list of records as plain values, and images beside it."""

    root: Path

    @property
    def name(self) -> str:
        return "made up"

    @property
    def description(self) -> str:
        return "noise"

    @property
    def licence(self) -> str:
        return "public domain"

    @property
    def is_synthetic(self) -> bool:
        return True

    @property
    def parameters(self) -> Mapping[str, Any]:
        return {}

    def fingerprint(self) -> str:
        return file_sha256(self.root / "studies.json")

    def records(self) -> Iterator[Record | Problem]:
        for entry in json.loads((self.root / "studies.json").read_text()):
            views = tuple(ViewFile(path, "frontal") for path in entry.pop("views"))
            yield Record(
                **{"labels": (0, 1, -1), "label_source": "by hand", **entry, "views": views}
            )

    def build(self, record: Record, settings: Settings) -> Built:
        if record.report == "crash":
            raise TypeError("a bug of the source")
        if record.report == "die":
            raise SystemExit(3)
        views, problems = read_views(record, self.root, settings)
        if not views:
            return Built(None, problems)
        study = Study(
            record.id,
            record.patient,
            record.split,
            views,
            record.report,
            labels=record.label_states(),
            label_source=record.label_source,
            prior=record.prior,
            is_synthetic=True,
        )
        return Built(study, problems)

    def notes(self) -> Mapping[str, Any]:
        return {"made": "for tests"}


def entry(number: int, **changes: Any) -> dict[str, Any]:
    """Return one study of the list; every tenth is for validation, every tenth for testing."""
    split = SPLITS[{0: 1, 1: 2}.get(number % 10, 0)]
    fields = {
        "id": f"s{number}",
        "patient": f"p{number}",
        "split": split,
        "views": [f"{number}-0.png", f"{number}-1.png"],
        "report": f"Study {number} is clear.",
    }
    return fields | changes


def write_folder(root: Path, entries: list[dict[str, Any]], side: int = 40) -> Folder:
    """Write images of noise and the list of studies; return the source."""
    root.mkdir(parents=True, exist_ok=True)
    for path in sorted({path for one in entries for path in one["views"]}):
        random = np.random.default_rng(list(path.encode()))
        noise = random.integers(0, 256, (side + 4, side), dtype=np.uint8)
        Image.fromarray(noise).save(root / path)
    (root / "studies.json").write_text(json.dumps(entries))
    return Folder(root)
