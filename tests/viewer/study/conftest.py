"""The folder of a study: three arms, two seeds, one run not finished."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from gradtruce.evaluation.headline import SELECTION
from gradtruce.study.results.measures import MEASURES
from gradtruce.study.results.outline import PlannedPlace, read_outline
from gradtruce.study.results.record import (
    ArmScore,
    ClaimRecord,
    ComparisonRecord,
    ProtocolRecord,
    RankRecord,
    RunRecord,
    StudyRecord,
    VerdictRecord,
)

PLAN = """
title = "Three arms on one method"
question = "Does CAME-Grad help?"
reference = "linear"
seeds = [0, 1]

[run.training]
epochs = 1

[run.data]
path = "."

[data.phantom]
label = "Phantom"
phantom = { level = "easy", studies = 40, size = 64 }

[methods.r2gen]
label = "R2Gen"

[arms.linear]
label = "Linear scalarization"
balance = { name = "linear" }

[arms.came_grad]
label = "CAME-Grad"
balance = { name = "came_grad" }
published = "Table D.1"

[arms.without_s1]
label = "CAME-Grad without <S1>"
balance = { name = "came_grad", options = { radius = 0.0 } }
"""
CELL = "r2gen/phantom"
UNFINISHED = ("without_s1", 1)


def run_record(folder: Path, place: PlannedPlace) -> RunRecord:
    named = {"cell": place.cell, "arm": place.arm, "seed": place.seed, "folder": str(place.folder)}
    path = folder / place.folder / "metrics.json"
    if not path.is_file():
        return RunRecord(**named, is_finished=False)
    scores = json.loads(path.read_text())["scores"]
    return RunRecord(
        **named,
        is_finished=True,
        scores={m.record.name: scores.get(m.record.name, {}).get("value") for m in MEASURES},
        steps=120,
        seconds_per_step=0.12 + 0.02 * place.seed,
        conflict_share=0.2,
        cross_task_share=0.4,
        cross_task_cosine=-0.02,
        auxiliary_weight=0.25,
        within_task_share=0.38 + 0.01 * place.seed,
        clipped_share=0.1,
    )


def compared(arm: str, metric: str, difference: float) -> ComparisonRecord:
    return ComparisonRecord(
        cell=CELL,
        arm=arm,
        metric=metric,
        seeds=2,
        difference=difference,
        low=difference - 0.03,
        high=difference + 0.03,
        p=0.2,
        p_holm=0.4,
        detectable=0.05,
        detectable_holm=0.06,
        outcome="better" if difference > 0.03 else "undecided",
    )


def claim(name: str, status: str) -> ClaimRecord:
    return ClaimRecord(
        name=name,
        claim="CAME-Grad raises clinical F1.",
        where="Table 1",
        measured="the difference",
        plan="baselines",
        rule="better, worse nowhere",
        status=status,
        evidence="<b>.04</b>",
    )


def record_of(folder: Path, given: dict[str, float] | None = None) -> StudyRecord:
    outline = read_outline(folder)
    metrics = tuple(measure.record for measure in MEASURES)
    others = [arm.name for arm in outline.arms if arm.name != outline.reference]
    gains = given or dict(zip(others, (0.04, -0.02), strict=True))
    return StudyRecord(
        title=outline.title,
        question=outline.question,
        reference=outline.reference,
        headline=SELECTION,
        selection=SELECTION,
        seeds=outline.seeds,
        arms=outline.arms,
        cells=outline.cells,
        metrics=metrics,
        runs=tuple(run_record(folder, place) for place in outline.runs),
        scores=tuple(
            ArmScore(cell=CELL, arm=arm.name, metric=m.name, seeds=2, mean=0.4, std=0.01)
            for arm in outline.arms
            for m in metrics
        ),
        comparisons=tuple(compared(arm, m.name, gains[arm]) for arm in others for m in metrics),
        ranks=tuple(
            RankRecord(metric=m.name, arm=arm.name, rank=1.5, low=1.0, high=3.0, cells=1, seeds=1)
            for arm in outline.arms
            for m in metrics
        ),
        verdicts=tuple(
            VerdictRecord(
                metric=SELECTION,
                arm=arm,
                wins=0,
                losses=0,
                ties=1,
                untested=0,
                difference=gains[arm],
                low=None,
                high=None,
                line="undecided on the one method",
            )
            for arm in others
        ),
        families=(),
        protocols=(ProtocolRecord(cell=CELL, lines=("clinical: rules",)),),
        claims=(claim("Gain", "supported"), claim("Gain on MIMIC-CXR", "not testable here")),
        settings={"intervals": "95 %"},
        machine={"python": "3.11", "cores": 2},
    )


def write_study(folder: Path, comparison: Path) -> Path:
    folder.mkdir()
    (folder / "plan.toml").write_text(PLAN, encoding="utf-8")
    shutil.copytree(comparison / "data", folder / "data" / "phantom")
    for place in read_outline(folder).runs:
        source = comparison / ("linear" if place.arm == "linear" else "came_grad")
        if (place.arm, place.seed) != UNFINISHED:
            shutil.copytree(source, folder / place.folder)
    record_of(folder).write(folder / "study.json")
    return folder


@pytest.fixture(scope="session")
def study(comparison: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a study that no test may change."""
    return write_study(tmp_path_factory.mktemp("studies") / "three", comparison)


@pytest.fixture
def copy_of_study(study: Path, tmp_path: Path) -> Callable[[], Path]:
    """Return a function that copies the study's folder, to be damaged."""

    def copy() -> Path:
        return Path(shutil.copytree(study, tmp_path / "three"))

    return copy
