"""Reports and error cards of a few arms: the reference, and the best and the worst beside it."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from gradtruce.evaluation.labelers.cached import CachedLabeler
from gradtruce.evaluation.labelers.rules import RulesLabeler
from gradtruce.evaluation.metrics import Metrics
from gradtruce.evaluation.significance import Score
from gradtruce.study.results.record import CellRecord, gain_of
from gradtruce.viewer.report.error_card import ShownCard, shown_card
from gradtruce.viewer.report.gallery import GalleryItem, build_gallery
from gradtruce.viewer.study.differences import headline_metric
from gradtruce.viewer.study.folder import StudyFolder

_GROUP: Final = "errors."


def chosen_arms(study: StudyFolder, cell: CellRecord) -> list[str]:
    """Return the reference and, of the others, the best and the worst by the headline metric.

    All of them have a seed in common; fewer where there are fewer such arms.
    """
    record = study.record
    if not study.runs_of(cell.name, record.reference):
        return []
    found = [
        (each.difference, each.arm)
        for each in record.comparisons
        if (each.cell, each.metric) == (cell.name, record.headline)
        and each.difference is not None
        and _common(study, cell, [record.reference, each.arm])
    ]
    metric = headline_metric(record)
    ranked = [arm for _, arm in sorted(found, key=lambda entry: -gain_of(metric, entry[0]))]
    chosen = [record.reference]
    for arm in (*ranked[:1], *ranked[-1:]):
        if arm not in chosen and _common(study, cell, [*chosen, arm]):
            chosen.append(arm)
    return chosen


def error_cards(study: StudyFolder, cell: CellRecord, arms: Sequence[str]) -> list[ShownCard]:
    """Return the card of each arm, mean over its finished seeds, of those that have one.

    Raises:
        FileNotFoundError: If a run has no metrics.
        ValueError: If they can't be read.
    """
    labels = {arm.name: arm.label for arm in study.record.arms}
    cards = [
        shown_card(labels[arm], f"arm-{place}", _mean_scores(study, cell, arm))
        for place, arm in enumerate(arms)
    ]
    return [card for card in cards if card is not None]


def gallery(
    study: StudyFolder, cell: CellRecord, arms: Sequence[str], count: int
) -> tuple[int, list[GalleryItem]]:
    """Return a seed that all these arms have finished, and studies with their reports of it.

    Raises:
        FileNotFoundError: If the data set or a checkpoint is gone.
        ValueError: If the arms have no seed in common.
    """
    seeds = _common(study, cell, arms)
    if not seeds:
        raise ValueError(f"the arms {', '.join(arms)} have no finished seed in common")
    labels = {arm.name: arm.label for arm in study.record.arms}
    runs = [
        study.read(run, labels[arm])
        for arm in arms
        for run in study.runs_of(cell.name, arm)
        if run.seed == seeds[0]
    ]
    labeler = CachedLabeler(RulesLabeler())
    return seeds[0], build_gallery(runs, study.dataset(cell.data), labeler, count)


def _common(study: StudyFolder, cell: CellRecord, arms: Sequence[str]) -> list[int]:
    sets = [{run.seed for run in study.runs_of(cell.name, arm)} for arm in arms]
    return sorted(set.intersection(*sets)) if sets else []


def _mean_scores(study: StudyFolder, cell: CellRecord, arm: str) -> Mapping[str, Score]:
    values: dict[str, list[float]] = {}
    for run in study.runs_of(cell.name, arm):
        scores = Metrics.read(study.folder / run.folder / "metrics.json").flat()
        for name, score in scores.items():
            if name.startswith(_GROUP) and score.value is not None:
                values.setdefault(name, []).append(score.value)
    return {name: Score(float(np.mean(found))) for name, found in values.items()}
