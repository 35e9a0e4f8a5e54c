from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gradtruce.data.observations import OBSERVATIONS
from gradtruce.data.prepared import PreparedWriter
from gradtruce.data.study import Study, View
from gradtruce.training.config import RunConfig

COUNTS = {"train": 12, "val": 4, "test": 4}
MethodOptions = {
    "backbone": "compact",
    "backbone_widths": [4, 8],
    "backbone_depths": [1, 1],
    "width": 8,
    "heads": 2,
    "layers": 1,
    "hidden": 16,
    "visual_dropout": 0.1,
    "published_norm": False,
}


def made_up_study(split: str, number: int, *, labelled: bool) -> Study:
    """Return a study of noise; every second one has a bright heart, and the report says so."""
    random = np.random.default_rng(number)
    enlarged = number % 2
    views = []
    for position in ("frontal", "lateral"):
        pixels = random.integers(0, 120, (24, 24), dtype=np.uint8)
        pixels[8:16, 8:16] += np.uint8(100 * enlarged)
        views.append(View(pixels, position))
    report = "The heart is enlarged. " if enlarged else "The heart is normal. "
    labels = dict.fromkeys(OBSERVATIONS, 0) | {
        "Cardiomegaly": enlarged,
        "No Finding": 1 - enlarged,
    }
    return Study(
        f"{split}-{number}",
        f"{split}-{number}",
        split,
        tuple(views[: 1 + number % 2]),
        report + "No pleural effusion.",
        labels=labels if labelled else {},
        label_source="made up" if labelled else "",
    )


def write_set(folder: Path, *, labelled: bool = True) -> Path:
    with PreparedWriter(folder, name="made up", source="a test") as writer:
        for split, count in COUNTS.items():
            for number in range(count):
                writer.add(made_up_study(split, number, labelled=labelled))
    return folder


@pytest.fixture(scope="session")
def tiny_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_set(tmp_path_factory.mktemp("tiny") / "set")


@pytest.fixture(scope="session")
def unlabelled_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_set(tmp_path_factory.mktemp("unlabelled") / "set", labelled=False)


@pytest.fixture(scope="session")
def tiny_config(tiny_set: Path) -> Callable[..., RunConfig]:
    """Return a function that makes the configuration of a run of seconds."""

    def make(
        balance: dict | None = None, data: dict | None = None, **training: object
    ) -> RunConfig:
        return RunConfig(
            data={
                "path": str(tiny_set),
                "image_size": 16,
                "max_tokens": 12,
                "min_frequency": 1,
                **(data or {}),
            },
            method={"name": "r2gen", "options": MethodOptions},
            balance={"name": "came_grad"} if balance is None else balance,
            training={
                "steps": 4,
                "batch_size": 4,
                "validation": {"every": 2},
                "null_every": 2,
                "decoding": {"beams": 1},
                **training,
            },
        )

    return make
