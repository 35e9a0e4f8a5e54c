"""Scores of every run of a cell, as they are and under draws of the test studies.

All runs of a cell are tested on the same studies and get the same draws, so that any difference
between them is paired. A draw costs one product of matrices a score, for all draws at once.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, final

import numpy as np
from jaxtyping import Float

from gradtruce.evaluation.comparison import require_same_studies
from gradtruce.evaluation.families.lexical import Lexical
from gradtruce.evaluation.families.standard import final_families
from gradtruce.evaluation.family import Family, Plan
from gradtruce.evaluation.labelers.base import Labeler
from gradtruce.evaluation.nlg.meteor import Meteor
from gradtruce.evaluation.predictions import Prediction
from gradtruce.evaluation.significance import Score, draws
from gradtruce.naming import suggestion
from gradtruce.study.results.finished import FinishedRun
from gradtruce.study.results.measures import Measure, families_of

Key = tuple[str, int]
"""Arm and seed."""

_CLOSE: Final = 1e-9


@final
@dataclass(frozen=True, eq=False)
class Resampled:
    """One score of one run.

    Attributes:
        observed: On all studies.
        drawn: On each draw of studies; NaN where a draw has no such score.
    """

    observed: float
    drawn: Float[np.ndarray, " draws"]


@final
@dataclass(frozen=True, eq=False)
class CellScores:
    """The scores of one cell.

    Attributes:
        scores: By flat name of the measure, then by arm and seed.
        reasons: Why a measure has no score in a run, by the same.
        studies: Number of test studies.
    """

    scores: Mapping[str, Mapping[Key, Resampled]] = field(default_factory=dict)
    reasons: Mapping[str, Mapping[Key, str]] = field(default_factory=dict)
    studies: int = 0


def families(every: Iterable[Measure], labeler: Labeler, *, meteor: bool = False) -> list[Family]:
    """Return the families of scores that the measures need.

    Args:
        every: The measures.
        labeler: Reads the texts.
        meteor: Whether METEOR is computed; it starts Java once a run.

    >>> from gradtruce.evaluation.labelers.rules import RulesLabeler
    >>> from gradtruce.study.results.measures import MEASURES
    >>> [family.name for family in families(MEASURES, RulesLabeler())]
    ['nlg', 'clinical', 'classification']
    """
    needed = set(families_of(every))
    found = [family for family in final_families(labeler) if family.name in needed]
    unknown = needed - {family.name for family in found}
    if unknown:
        raise ValueError(
            f"no group of scores that a study can compute is called {min(unknown)!r}; known:"
            f" {', '.join(family.name for family in final_families(labeler))}"
        )
    if not meteor:
        return found
    return [Lexical(meteor=Meteor()) if each.name == Lexical.name else each for each in found]


def resample_cell(
    runs: Mapping[Key, FinishedRun],
    every: Sequence[Measure],
    scored_by: Sequence[Family],
    *,
    resamples: int,
    seed: int,
) -> CellScores:
    """Return the scores of a cell's runs on all studies and on draws of them.

    Args:
        runs: Finished runs by arm and seed.
        every: What is measured.
        scored_by: The families that the measures need.
        resamples: Number of draws.
        seed: Of the draws; cells with as many studies get the same draws.

    Raises:
        ValueError: If two runs are tested on different studies, or a score is not what the run's
            metrics.json says.
    """
    if not runs:
        return CellScores()
    tables: dict[str, dict[Key, Resampled]] = {measure.record.name: {} for measure in every}
    reasons: dict[str, dict[Key, str]] = {measure.record.name: {} for measure in every}
    first: list[Prediction] = []
    for key, run in runs.items():
        predictions = run.predictions()
        first = first or predictions
        require_same_studies(first, {run.place.folder.as_posix(): predictions})
        by_id = {prediction.id: prediction for prediction in predictions}
        ordered = [by_id[prediction.id] for prediction in first]
        plans = {family.name: family.plan(ordered) for family in scored_by}
        values = _values(plans, every, len(ordered), resamples=resamples, seed=seed)
        _require_agreement(run, values)
        for measure in every:
            name = measure.record.name
            why = _reason(measure, plans, values, len(ordered))
            if why:
                reasons[name][key] = why
            else:
                parts = np.stack([values[part] for part in measure.parts]).mean(axis=0)
                tables[name][key] = Resampled(float(parts[0]), parts[1:])
    return CellScores(tables, reasons, len(first))


def _values(
    plans: Mapping[str, Plan], every: Sequence[Measure], studies: int, *, resamples: int, seed: int
) -> dict[str, Float[np.ndarray, " all_and_draws"]]:
    """Return each score on all studies, and after it on the draws."""
    wanted = {part for measure in every for part in measure.parts}
    chunks = [np.ones((1, studies)), *draws(studies, resamples, seed)]
    found: dict[str, Float[np.ndarray, " all_and_draws"]] = {}
    for group, plan in plans.items():
        if plan.statistic is None:
            continue
        parts = [plan.statistic(weights) for weights in chunks]
        found |= {
            f"{group}.{key}": np.concatenate([part[key] for part in parts])
            for key in parts[0]
            if f"{group}.{key}" in wanted
        }
    return found


def _reason(
    measure: Measure, plans: Mapping[str, Plan], values: Mapping[str, np.ndarray], studies: int
) -> str:
    for part in measure.parts:
        group, _, key = part.partition(".")
        plan = plans[group]
        if plan.statistic is None:
            return plan.reason
        if part not in values:
            known = [f"{group}.{name}" for name in plan.statistic(np.ones((1, studies)))]
            raise ValueError(
                f"no score with an interval is called {part!r}{suggestion(part, known)}"
            )
        if np.isnan(values[part][0]):
            return plan.undefined.get(key, "not defined on these reports")
    return ""


def _require_agreement(run: FinishedRun, values: Mapping[str, np.ndarray]) -> None:
    """Refuse scores that are not those of metrics.json: another labeler, or other predictions."""
    for name, found in values.items():
        written = run.scores.get(name, Score(None)).value
        if written is None or np.isnan(found[0]):
            continue
        if abs(written - found[0]) > _CLOSE:
            raise ValueError(
                f"{run.folder}: {name} is {written:.6f} in metrics.json, and {found[0]:.6f} by"
                " predictions.jsonl as scored here; evaluate the run again, or choose the labeler"
                " that it was evaluated with"
            )
