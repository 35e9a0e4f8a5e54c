"""Two runs of seconds on a handful of phantom studies."""

from collections.abc import Callable
from pathlib import Path

import pytest

from gradtruce.training.config import RunConfig
from gradtruce.training.loop import train

TINY = {
    "backbone": "compact_batch",
    "backbone_widths": [4, 8],
    "backbone_depths": [1, 1],
    "width": 8,
    "heads": 2,
    "layers": 1,
    "hidden": 16,
    "visual_dropout": 0.1,
    "published_norm": False,
    "findings_token": True,
}


@pytest.fixture(scope="session")
def make_run(phantom: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Return a function that trains a tiny run and returns its folder."""
    place = tmp_path_factory.mktemp("dynamics")

    def make(name: str, balance: dict, method: dict | None = None, **training: object) -> Path:
        config = RunConfig(
            data={"path": str(phantom), "image_size": 32, "max_tokens": 16, "min_frequency": 1},
            method={"name": "r2gen", "options": TINY} | (method or {}),
            balance=balance,
            training={
                "steps": 6,
                "batch_size": 4,
                "null_every": 2,
                "validation": {"every": 6, "studies": 3},
                "decoding": {"beams": 1},
                "optimizer": "adamw",
                **training,
            },
        )
        train(config, place / name)
        return place / name

    return make


@pytest.fixture(scope="session")
def linear(make_run: Callable[..., Path]) -> Path:
    return make_run("linear", {"name": "linear", "weights": {"report": 1.0, "findings": 4.0}})


@pytest.fixture(scope="session")
def came_grad(make_run: Callable[..., Path]) -> Path:
    return make_run("came", {"name": "came_grad", "weights": {"report": 1.0, "findings": 4.0}})
