"""Writers that never look at an image: what a score has to beat.

Three of them write what any system could without eyes: the report of a normal study, the most
frequent one, one drawn at random. The fourth, *nearest training text*, is no competitor: it sees
the reference, and copies the training report most like it. It is a ceiling: what a system that
retrieves whole training reports could reach if it always picked the right one.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from jaxtyping import Float

from gradtruce.data.observations import NO_FINDING, OBSERVATIONS, POSITIVE, UNCERTAIN
from gradtruce.evaluation.labelers.base import Labeler, read_reports
from gradtruce.evaluation.nlg.text import squeeze
from gradtruce.evaluation.predictions import Prediction
from gradtruce.evaluation.training_texts import TrainingTexts

ALL_NORMAL: Final = "all_normal"
MOST_FREQUENT: Final = "most_frequent"
NEAREST_TRAINING: Final = "nearest_training"
RANDOM_TRAINING: Final = "random_training"

TITLES: Final = {
    ALL_NORMAL: "All-normal report",
    MOST_FREQUENT: "Most frequent",
    NEAREST_TRAINING: "Nearest, oracle",
    RANDOM_TRAINING: "Random",
}
"""What tables call the baselines, in their order."""

CELLS_AT_ONCE: Final = 20_000_000
"""References × training reports compared at a time."""


def baseline_predictions(
    predictions: Sequence[Prediction],
    training: TrainingTexts,
    labeler: Labeler,
    *,
    seed: int = 0,
) -> dict[str, list[Prediction]]:
    """Return what each baseline writes for the studies of some predictions, by name.

    Args:
        predictions: Of any system: they bring ids, references and labels.
        training: Reports to copy, in the form that the references have.
        labeler: Tells which training reports are normal, where the training texts have no labels.
        seed: Of the random reports.

    Raises:
        ValueError: If the training reports are not cleaned as the references are, or none of them
            is normal.

    >>> from gradtruce.evaluation.labelers.rules import RulesLabeler
    >>> training = TrainingTexts(("clear lungs .", "a large mass ."), "by hand")
    >>> given = [Prediction("s1", "there is a mass .", "")]
    >>> baseline_predictions(given, training, RulesLabeler())["nearest_training"][0].generated
    'a large mass .'
    """
    references = [prediction.reference for prediction in predictions]
    require_same_form(references, training)
    reports = [squeeze(report) for report in training.reports]
    labels = training.labels if training.labels is not None else read_reports(labeler, reports)
    drawn = np.random.default_rng(seed).integers(len(reports), size=len(predictions))
    return {
        ALL_NORMAL: constant_predictions(predictions, all_normal_report(reports, labels)),
        MOST_FREQUENT: constant_predictions(predictions, most_frequent(reports)),
        NEAREST_TRAINING: _written(predictions, nearest_reports(references, reports)),
        RANDOM_TRAINING: _written(predictions, [reports[place] for place in drawn.tolist()]),
    }


def require_same_form(references: Sequence[str], training: TrainingTexts) -> None:
    """Refuse training reports with capital letters where the references have none, or the reverse.

    A baseline would else lose to any system by its capitals and punctuation alone.

    Raises:
        ValueError: If most texts of one have capitals, and none of the other.

    >>> require_same_form(["clear ."], TrainingTexts(("Clear.",), "train.csv, as it is"))
    Traceback (most recent call last):
    ValueError: train.csv, as it is: most training reports have capital letters, no reference has;
    clean them as the references were, with --cleaning clean or another
    """
    ours, theirs = _share_with_capitals(training.reports), _share_with_capitals(references)
    if ours > 0.5 and theirs == 0:  # most
        raise ValueError(
            f"{training.source}: most training reports have capital letters, no reference has;"
            " clean them as the references were, with --cleaning clean or another"
        )
    if theirs > 0.5 and ours == 0:  # most
        raise ValueError(
            f"{training.source}: no training report has capital letters, most references have;"
            " give training reports as the references are: cleaning=None"
        )


def nearest_reports(texts: Sequence[str], training: Sequence[str]) -> list[str]:
    """Return for each text the training report that is most like it.

    Most like: the highest cosine of TF-IDF vectors of words, of two letters or more, that occur in
    the training reports (scikit-learn's `TfidfVectorizer` as it comes, fitted on each training
    report once); of equals the first. A text that shares no word gets the first training report.

    Raises:
        ValueError: If no training report has a word.

    >>> nearest_reports(["a mass on the left ."], ["clear lungs .", "large mass ."])
    ['large mass .']
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    known = list(dict.fromkeys(training))
    vectorizer = TfidfVectorizer(dtype=np.float32)
    vectors = vectorizer.fit_transform(known).T.tocsr()
    sought = vectorizer.transform(texts)
    rows = max(1, CELLS_AT_ONCE // len(known))
    nearest: list[str] = []
    for start in range(0, len(texts), rows):
        cosines = (sought[start : start + rows] @ vectors).toarray()
        nearest += [known[place] for place in cosines.argmax(axis=1).tolist()]
    return nearest


def _written(predictions: Sequence[Prediction], texts: Sequence[str]) -> list[Prediction]:
    return [
        replace(prediction, generated=text, findings=None)
        for prediction, text in zip(predictions, texts, strict=True)
    ]


def constant_predictions(predictions: Sequence[Prediction], text: str) -> list[Prediction]:
    """Return the predictions of a writer that gives every study the same report.

    >>> constant_predictions([Prediction("s1", "a mass .", "")], "clear lungs .")[0].generated
    'clear lungs .'
    """
    return [replace(prediction, generated=text, findings=None) for prediction in predictions]


def most_frequent(reports: Sequence[str]) -> str:
    """Return the most frequent report, of equally frequent ones the first.

    Raises:
        ValueError: If there is no report.

    >>> most_frequent(["a mass .", "clear lungs .", "clear  lungs ."])
    'clear lungs .'
    """
    if not reports:
        raise ValueError("there is no report to take the most frequent of")
    return Counter(squeeze(report) for report in reports).most_common(1)[0][0]


def all_normal_report(
    reports: Sequence[str], labels: Float[np.ndarray, "reports observations"]
) -> str:
    """Return the most frequent report among those of studies with no finding at all.

    Args:
        reports: Training reports.
        labels: Their labels: 1, 0, -1 or NaN for each observation.

    Raises:
        ValueError: If reports and labels differ in number, or every study has a finding.

    >>> states = np.zeros((2, 14))
    >>> states[0, 3] = 1
    >>> all_normal_report(["a mass .", "clear lungs ."], states)
    'clear lungs .'
    """
    if len(reports) != len(labels):
        raise ValueError(f"{len(reports)} reports, but labels of {len(labels)}")
    findings = labels[:, [name != NO_FINDING for name in OBSERVATIONS]]
    has_finding = np.isin(findings, (POSITIVE, UNCERTAIN)).any(axis=1)
    normal = [reports[row] for row in np.flatnonzero(~has_finding).tolist()]
    if not normal:
        raise ValueError("every study has a finding: there is no normal report to take")
    return most_frequent(normal)


def _share_with_capitals(texts: Sequence[str]) -> float:
    return sum(text != text.lower() for text in texts) / max(1, len(texts))
