"""Scores of writers that look at no image, on the studies that a run was tested on."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from gradtruce.data.prepared import PreparedDataset
from gradtruce.data.text import CleaningMode, clean
from gradtruce.evaluation.baselines import all_normal_report, constant_predictions, most_frequent
from gradtruce.evaluation.labelers.base import Labeler
from gradtruce.evaluation.predictions import Prediction

ALL_NORMAL = "all_normal"
MOST_FREQUENT = "most_frequent"
RANDOM_REPORT = "random_report"

LABELS = {
    ALL_NORMAL: "All-normal report",
    MOST_FREQUENT: "Most frequent training report",
    RANDOM_REPORT: "Random training report",
}


def baseline_predictions(
    dataset: PreparedDataset,
    tested: Sequence[Prediction],
    labeler: Labeler,
    *,
    cleaning: CleaningMode,
    seed: int = 0,
) -> dict[str, list[Prediction]]:
    """Return what each baseline writes for the studies of a run's predictions.

    Args:
        dataset: Its training reports are what the baselines copy.
        tested: Predictions of any run: they bring references and labels.
        labeler: Tells which training reports are normal, where the data set has no labels.
        cleaning: As in the run.
        seed: Of the random training reports.
    """
    train = dataset.split("train")
    reports = [clean(report, cleaning) for report in train.reports]
    labels = train.labels if np.isfinite(train.labels).any() else labeler.label(reports)
    drawn = np.random.default_rng(seed).integers(len(reports), size=len(tested))
    return {
        ALL_NORMAL: constant_predictions(tested, all_normal_report(reports, labels)),
        MOST_FREQUENT: constant_predictions(tested, most_frequent(reports)),
        RANDOM_REPORT: [
            replace(prediction, generated=reports[place], findings=None)
            for prediction, place in zip(tested, drawn, strict=True)
        ],
    }
