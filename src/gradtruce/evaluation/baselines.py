"""Writers that never look at an image: what a score has to beat."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from gradtruce.data.observations import NO_FINDING, OBSERVATIONS, POSITIVE, UNCERTAIN
from gradtruce.evaluation.nlg.text import squeeze
from gradtruce.evaluation.predictions import Prediction


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
