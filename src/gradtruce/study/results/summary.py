"""All numbers of a study: from its finished runs to the record that tables and pages read."""

import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, final

from gradtruce.evaluation.labelers.base import Labeler
from gradtruce.evaluation.significance import LEVEL
from gradtruce.study.claims.judgement import claim_records
from gradtruce.study.machine import machine
from gradtruce.study.results.finished import FinishedRun, StudyResults
from gradtruce.study.results.measures import Measure
from gradtruce.study.results.noise import read_noise
from gradtruce.study.results.outline import Outline, stages
from gradtruce.study.results.protocols import protocol_lines, run_config, training_settings
from gradtruce.study.results.ranks import ranks
from gradtruce.study.results.record import (
    ArmRecord,
    CellRecord,
    ComparisonRecord,
    ProtocolRecord,
    RunRecord,
    StudyRecord,
)
from gradtruce.study.results.resampling import CellScores, families, resample_cell
from gradtruce.study.results.statistics import arm_scores, compare_arms, compare_pair
from gradtruce.study.results.verdict import verdicts

RESAMPLES: Final = 1000
"""Draws of the test studies; they give a standard error to 2 %."""

Watch = Callable[[str, float], None]
"""Told what is computed, and the share that is done."""


@final
@dataclass(frozen=True)
class SummaryOptions:
    """How a study is summarised.

    Attributes:
        resamples: Draws of the test studies.
        seed: Of all draws.
        meteor: Whether METEOR is computed; it starts Java once a run.
    """

    resamples: int = RESAMPLES
    seed: int = 0
    meteor: bool = False


def summarise(
    results: StudyResults,
    every: Sequence[Measure],
    labeler: Labeler,
    options: SummaryOptions | None = None,
    *,
    watch: Watch | None = None,
) -> StudyRecord:
    """Return the record of a study, finished or not.

    Args:
        results: What its runs left.
        every: The metrics; the first is the headline.
        labeler: Reads the reports; the one that the runs were scored with.
        options: How intervals are made.
        watch: Told the progress, a cell at a time.

    Raises:
        ValueError: If runs of a cell are tested on different studies, or a run's scores are not
            those of its predictions.
    """
    chosen = options or SummaryOptions()
    outline = _resolved(results)
    scored_by = families(every, labeler, meteor=chosen.meteor)
    cells: dict[str, CellScores] = {}
    for done, cell in enumerate(outline.cells):
        if watch is not None:
            watch(cell.name, done / len(outline.cells))
        cells[cell.name] = resample_cell(
            results.in_cell(cell.name),
            every,
            scored_by,
            resamples=chosen.resamples,
            seed=chosen.seed,
        )
    found = compare_arms(outline, cells, every, seed=chosen.seed)
    record = StudyRecord(
        title=outline.title,
        question=outline.question,
        reference=outline.reference,
        headline=every[0].record.name,
        selection=outline.selection,
        seeds=outline.seeds,
        arms=outline.arms,
        cells=outline.cells,
        metrics=tuple(measure.record for measure in every),
        runs=tuple(_runs(results, every)),
        noise=read_noise(results),
        scores=arm_scores(outline, cells, every),
        comparisons=found.comparisons,
        ranks=ranks(outline, cells, every, seed=chosen.seed),
        verdicts=verdicts(outline, found.comparisons, found.families),
        families=found.families,
        protocols=_protocols(results, outline),
        claims=(),
        settings=_settings(labeler, chosen),
        machine=machine(),
    )

    def contrast(arm: str, other: str, measure: Measure) -> list[ComparisonRecord]:
        return [
            compare_pair(cell, arm, other, measure, scores, seed=chosen.seed)
            for cell, scores in cells.items()
        ]

    return record.model_copy(update={"claims": claim_records(record, every, contrast)})


def _resolved(results: StudyResults) -> Outline:
    """Return the outline with what the configurations of finished runs say of arms and cells."""
    return replace(
        results.outline,
        arms=tuple(_arm(arm, results) for arm in results.outline.arms),
        cells=tuple(_cell(cell, results) for cell in results.outline.cells),
    )


def _arm(arm: ArmRecord, results: StudyResults) -> ArmRecord:
    run = next((run for run in results.finished if run.place.arm == arm.name), None)
    balance: dict[str, Any] = {} if run is None else dict(run_config(run).get("balance", {}))
    if not balance:
        return arm
    if "auxiliary_scale" in arm.balance:
        balance["auxiliary_scale"] = arm.balance["auxiliary_scale"]
    return arm.model_copy(update={"balance": balance, "stages": stages(balance)})


def _cell(cell: CellRecord, results: StudyResults) -> CellRecord:
    run = next((run for run in results.finished if run.place.cell == cell.name), None)
    if run is None:
        return cell
    return cell.model_copy(update={"settings": training_settings(run_config(run))})


def _runs(results: StudyResults, every: Sequence[Measure]) -> list[RunRecord]:
    finished = {run.place: run for run in results.finished}
    parts = list(dict.fromkeys(part for measure in every for part in measure.parts))
    return [
        RunRecord(
            cell=place.cell,
            arm=place.arm,
            seed=place.seed,
            folder=place.folder.as_posix(),
            is_finished=place in finished,
            **(_left(finished[place], parts) if place in finished else {}),
        )
        for place in results.outline.runs
    ]


def _left(run: FinishedRun, parts: Sequence[str]) -> dict[str, Any]:
    """Return the fields of a run's record that only a finished run has."""
    scores = {name: run.scores[name].value for name in parts if name in run.scores}
    return {"scores": scores, **run.facts.model_dump()}


def _protocols(results: StudyResults, outline: Outline) -> tuple[ProtocolRecord, ...]:
    facts = machine()
    words = f"{facts['system']}, {facts['cores']} cores, Python {platform.python_version()}"
    return tuple(
        ProtocolRecord(
            cell=cell.name,
            lines=protocol_lines(
                outline, tuple(results.in_cell(cell.name).values()), cell.settings, words
            ),
        )
        for cell in outline.cells
    )


def _settings(labeler: Labeler, options: SummaryOptions) -> dict[str, str]:
    drawn = f"{options.resamples} draws of the test studies, seed {options.seed}"
    return {
        "level": f"{LEVEL:.0%}",
        "interval": f"{LEVEL:.0%}, t on the variance over seeds and studies, paired; {drawn}",
        "test": "two-sided, the same t",
        "correction": "Holm over all tested comparisons of the metric",
        "ranks": f"interval by {drawn}, and of the seeds",
        "labeler": labeler.identity,
    }
