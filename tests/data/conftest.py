"""Small studies and prepared sets for the tests of this room."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gradtruce.data.prepared import PreparedDataset, PreparedWriter
from gradtruce.data.study import Finding, Region, Split, Study, View

MakeStudy = Callable[..., Study]
SHARED = Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture
def shared() -> Path:
    """Return the folder of the real data beside the repository, or skip."""
    if not (SHARED / "iu_xray" / "annotation.json").is_file():
        pytest.skip("the real data is not beside the repository")
    return SHARED


@pytest.fixture
def make_study() -> MakeStudy:
    """Return a function that makes a study of noise, all its fields from its id."""

    def make(study_id: str = "s1", split: Split = "train", views: int = 2, **changes: Any) -> Study:
        random = np.random.default_rng(list(study_id.encode()))
        positions = ("frontal", "lateral", "unknown")
        fields: dict[str, Any] = {
            "id": study_id,
            "patient": study_id,
            "split": split,
            "views": tuple(
                View(random.integers(0, 256, (20, 16), dtype=np.uint8), positions[i % 3])
                for i in range(views)
            ),
            "report": f"The heart is normal. Study {study_id} is clear.",
            "labels": {"Edema": 1, "Fracture": 0, "Pneumonia": -1},
            "label_source": "by hand",
        }
        return Study(**(fields | changes))

    return make


@pytest.fixture
def rich_study(make_study: MakeStudy) -> Study:
    """Return a study with every field filled in."""
    mask = np.zeros((20, 16), dtype=bool)
    mask[3:9, 2:5] = True
    finding = Finding(
        "Lung Lesion",
        "nodule",
        severity=None,
        side="left",
        zone="upper",
        size=12.5,
        certainty="possible",
        change="new",
        regions=(Region(1, (2, 3, 5, 9), mask),),
    )
    return make_study(
        "rich",
        patient="p",
        sections={"impression": "Nodule — new.", "indication": "XXXX"},
        findings=(finding, Finding("Edema", "pulmonary edema", severity="mild")),
        prior="before",
        is_synthetic=True,
    )


@pytest.fixture
def prepared(tmp_path: Path, make_study: MakeStudy) -> PreparedDataset:
    """Return an opened set of 10 training, 3 validation and 3 test studies, in small shards."""
    folder = tmp_path / "prepared"
    with PreparedWriter(folder, name="tiny", source="noise", shard_rows=4) as writer:
        for split, count in (("train", 10), ("val", 3), ("test", 3)):
            for number in range(count):
                writer.add(make_study(f"{split}-{number}", split, views=1 + number % 2))
    return PreparedDataset.open(folder)
