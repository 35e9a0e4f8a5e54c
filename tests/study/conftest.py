from pathlib import Path

import pytest

from gradtruce.data.phantom.generate import generate
from gradtruce.data.prepared import PreparedWriter
from gradtruce.study.plans.plan import StudyPlan, load_plan

SMALLER_METHOD = {
    "backbone_widths": [4, 8],
    "backbone_depths": [1, 1],
    "width": 8,
    "heads": 2,
    "layers": 1,
    "hidden": 16,
}


@pytest.fixture(scope="session")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("phantom") / "set"
    parameters = {"level": "easy", "size": 32, "seed": 0}
    with PreparedWriter(folder, name="phantom", source="a test", parameters=parameters) as writer:
        for study in generate("easy", 60, size=32):
            writer.add(study)
    return folder


@pytest.fixture(scope="session")
def small_study(phantom: Path) -> StudyPlan:
    """Return the demo on a handful of studies, in seconds."""
    options = ", ".join(f"{name} = {value}" for name, value in SMALLER_METHOD.items())
    return load_plan(
        "demo",
        [
            f"data.phantom.run.data.path={str(phantom)!r}",
            "run.data.image_size=32",
            "run.data.max_tokens=16",
            f"run.method.options={{ {options} }}",
            "run.training.steps=4",
            "run.training.batch_size=4",
            "run.training.null_every=2",
            "run.training.validation={ every = 2, studies = 3, beams = 1 }",
            "run.training.decoding={ beams = 1 }",
            "timing_steps=3",
        ],
    )
