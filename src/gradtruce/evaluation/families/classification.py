"""The findings head: its probabilities against labels."""

from collections.abc import Sequence
from dataclasses import replace
from typing import final

import numpy as np

from gradtruce.data.observations import NEGATIVE, OBSERVATIONS
from gradtruce.evaluation.classification import THRESHOLD, ClassificationScores
from gradtruce.evaluation.families.readings import card, given_labels, reference_reading
from gradtruce.evaluation.family import Family, Plan
from gradtruce.evaluation.labelers.base import Labeler
from gradtruce.evaluation.predictions import Prediction, findings_matrix


@final
class Classification(Family):
    """AUC, precision, recall and F1 of the findings head (Table F.1 of the CAME-Grad paper).

    Args:
        labeler: Reads the references, where no labels come with the predictions.
        threshold: Probability from which on a finding counts as stated.
    """

    name = "classification"

    def __init__(self, labeler: Labeler, *, threshold: float = THRESHOLD) -> None:
        self._labeler = labeler
        self._threshold = threshold

    def plan(self, predictions: Sequence[Prediction]) -> Plan:
        """Return the scores, or why there are none."""
        given = given_labels(predictions)
        right = given or reference_reading(predictions, self._labeler)
        protocol = replace(
            card(predictions, "probabilities of the findings head against labels"),
            reference_labels=right.source,
            scored_labels="probabilities of the findings head",
            uncertain="negative",
            missing="left out" if given else "negative",
            averaging="in each key: micro pools all cells, macro is the mean of classes; 0/0 is 0",
            classes=OBSERVATIONS,
            threshold=self._threshold,
        )
        have = np.array([prediction.findings is not None for prediction in predictions])
        if not have.any():
            return Plan(protocol, reason="the predictions carry no probabilities of findings")
        if not have.all():
            lacking = predictions[int(np.argmin(have))].id
            why = f"study {lacking!r} has no findings while {have.sum()} of {len(have)} have"
            return Plan(protocol, reason=f"{why}; give them for all")
        labels = right.states if given else np.nan_to_num(right.states, nan=NEGATIVE)
        probabilities = findings_matrix(predictions)
        if np.isnan(labels + probabilities).all():
            return Plan(protocol, reason="no observation has both a label and a probability")
        scores = ClassificationScores(labels, probabilities, self._threshold)
        protocol = replace(protocol, without_auc=scores.one_valued)
        return Plan(protocol, scores.scores, undefined=scores.undefined)
