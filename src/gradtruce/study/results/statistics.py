"""The arms of a study against its reference arm: means, differences, tests, ranks, verdicts.

Everything is paired by seed and by test study, cell by cell; a cell is one method on one data set.
The tests of one metric, over all cells and arms, are one family and corrected together (Holm 1979).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, final

import numpy as np

from gradtruce.evaluation.comparison import holm
from gradtruce.evaluation.significance import LEVEL
from gradtruce.study.results.effects import detectable, effect
from gradtruce.study.results.measures import Measure
from gradtruce.study.results.outline import Outline
from gradtruce.study.results.record import (
    ArmScore,
    ComparisonRecord,
    FamilyRecord,
    MetricRecord,
    Outcome,
)
from gradtruce.study.results.resampling import CellScores, Key, Resampled

FEWEST: Final = 2
"""Finished seeds of both arms from which on there is a test."""


@final
@dataclass(frozen=True)
class Comparisons:
    """All comparisons of a study, and the families they are corrected in."""

    comparisons: tuple[ComparisonRecord, ...]
    families: tuple[FamilyRecord, ...]


def arm_scores(
    outline: Outline, cells: Mapping[str, CellScores], every: Sequence[Measure]
) -> tuple[ArmScore, ...]:
    """Return mean and standard deviation over seeds of every cell, arm and metric.

    Args:
        outline: The plan.
        cells: Scores by name of the cell.
        every: The metrics.
    """
    return tuple(
        _arm_score(cell, arm, measure.record.name, cells[cell])
        for cell in cells
        for arm in _arms_of(outline, cell)
        for measure in every
    )


def compare_arms(
    outline: Outline, cells: Mapping[str, CellScores], every: Sequence[Measure], *, seed: int = 0
) -> Comparisons:
    """Return every arm − the reference arm, in every cell and metric, corrected a metric at a time.

    Args:
        outline: The plan.
        cells: Scores by name of the cell.
        every: The metrics.
        seed: Of the bootstrap's draws over seeds.
    """
    found: list[ComparisonRecord] = []
    families: list[FamilyRecord] = []
    for measure in every:
        raw = [
            compare_pair(cell, arm, outline.reference, measure, cells[cell], seed=seed)
            for cell in cells
            for arm in _arms_of(outline, cell)
            if arm != outline.reference
        ]
        corrected = holm({f"{each.cell} {each.arm}": each.p for each in raw if each.p is not None})
        found += [_decided(each, corrected, measure.record) for each in raw]
        families.append(_family(outline, measure.record, len(corrected)))
    return Comparisons(tuple(found), tuple(families))


def common_seeds(table: Mapping[Key, Resampled], arms: Sequence[str]) -> list[int]:
    """Return the seeds in which all of some arms have a score, in order."""
    of_arms = [{seed for name, seed in table if name == arm} for arm in arms]
    return sorted(set.intersection(*of_arms)) if of_arms else []


def _arms_of(outline: Outline, cell: str) -> list[str]:
    planned = {run.arm for run in outline.runs if run.cell == cell}
    return [arm.name for arm in outline.arms if arm.name in planned]


def _arm_score(cell: str, arm: str, metric: str, scores: CellScores) -> ArmScore:
    table = scores.scores.get(metric, {})
    values = [table[arm, seed].observed for seed in common_seeds(table, [arm])]
    if not values:
        why = [text for (name, _), text in scores.reasons.get(metric, {}).items() if name == arm]
        return ArmScore(
            cell=cell,
            arm=arm,
            metric=metric,
            seeds=0,
            mean=None,
            std=None,
            reason=why[0] if why else "no run is finished",
        )
    return ArmScore(
        cell=cell,
        arm=arm,
        metric=metric,
        seeds=len(values),
        mean=float(np.mean(values)),
        std=float(np.std(values, ddof=1)) if len(values) > 1 else None,
    )


def compare_pair(
    cell: str, arm: str, reference: str, measure: Measure, scores: CellScores, *, seed: int = 0
) -> ComparisonRecord:
    """Return arm − reference in one cell and metric, not corrected.

    Args:
        cell: Name of the cell.
        arm: Name of an arm.
        reference: Name of the other.
        measure: The metric.
        scores: Of the cell.
        seed: Of the bootstrap's draws over seeds.
    """
    metric = measure.record.name
    table = scores.scores.get(metric, {})
    seeds = common_seeds(table, [arm, reference])
    blank = ComparisonRecord(cell=cell, arm=arm, metric=metric, seeds=len(seeds))
    if not seeds:
        why = next(
            iter(scores.reasons.get(metric, {}).values()), "no seed is finished in both arms"
        )
        return blank.model_copy(update={"reason": why})
    pairs = [(table[arm, each], table[reference, each]) for each in seeds]
    observed = np.array([one.observed - other.observed for one, other in pairs])
    if len(seeds) < FEWEST:
        why = "one seed: the spread between seeds is not known"
        return blank.model_copy(update={"difference": float(observed[0]), "reason": why})
    drawn = np.stack([one.drawn - other.drawn for one, other in pairs])
    defined = drawn[:, np.isfinite(drawn).all(axis=0)]
    if defined.shape[1] < FEWEST:
        why = "not defined on draws of so few studies"
        return blank.model_copy(update={"difference": float(observed.mean()), "reason": why})
    found = effect(observed, defined, studies=scores.studies, seed=seed)
    fields = {name: getattr(found, name) for name in _FIELDS}
    return blank.model_copy(update=fields)


_FIELDS: Final = (
    *("difference", "std", "low", "high", "p", "p_signs"),
    *("bootstrap_low", "bootstrap_high", "error", "freedom"),
)
"""Numbers of a comparison that `effect` gives."""


def _decided(
    each: ComparisonRecord, corrected: Mapping[str, float], metric: MetricRecord
) -> ComparisonRecord:
    """Return the comparison with what its family adds: corrected p, outcome, detectable."""
    if each.p is None or each.error is None or each.freedom is None or each.difference is None:
        return each
    p_holm = corrected[f"{each.cell} {each.arm}"]
    outcome: Outcome = "undecided"
    if p_holm < 1 - LEVEL:
        outcome = "better" if (each.difference > 0) == metric.higher_is_better else "worse"
    return each.model_copy(
        update={
            "p_holm": p_holm,
            "outcome": outcome,
            "detectable": detectable(each.error, each.freedom),
            "detectable_holm": detectable(each.error, each.freedom, comparisons=len(corrected)),
        }
    )


def _family(outline: Outline, metric: MetricRecord, size: int) -> FamilyRecord:
    labels = {arm.name: arm.label for arm in outline.arms}
    plural = "comparison" if size == 1 else "comparisons"
    name = f"the {size} tested {plural} with {labels[outline.reference]} in {metric.label}"
    return FamilyRecord(metric=metric.name, size=size, name=name)
