"""Clinical efficacy: observations stated in the generated report, against what is right."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, final

import numpy as np

from gradtruce.data.observations import OBSERVATIONS
from gradtruce.evaluation.clinical import ClinicalScores
from gradtruce.evaluation.families.readings import (
    Reading,
    card,
    generated_reading,
    given_labels,
    reference_reading,
)
from gradtruce.evaluation.family import Family, Plan
from gradtruce.evaluation.labelers.base import Labeler
from gradtruce.evaluation.predictions import Prediction

COMPARES: Final = "labels scored against reference labels"

AVERAGING: Final = (
    "in each key: micro pools counts, macro is the mean over classes (F1 the mean of F1s),"
    " weighted the mean by reference support, example the mean over reports; 0/0 is 0"
)


@final
class Clinical(Family):
    """The generated text, read by a labeler, against the labels that come with the predictions.

    Where none come, against what the same labeler reads in the reference text.

    Args:
        labeler: Reads the texts.

    >>> from gradtruce.evaluation.labelers.rules import RulesLabeler
    >>> plan = Clinical(RulesLabeler()).plan([Prediction("s1", "a mass .", "a mass .")])
    >>> plan.counts["per_class.Lung Lesion.uncertain_negative.support"]
    1
    """

    name = "clinical"

    def __init__(self, labeler: Labeler) -> None:
        self._labeler = labeler

    def plan(self, predictions: Sequence[Prediction]) -> Plan:
        """Return the scores, and labels of both sides for each report."""
        given = given_labels(predictions)
        if given is not None and np.isnan(given.states).all():
            protocol = replace(card(predictions, COMPARES), reference_labels=given.source)
            return Plan(protocol, reason="all labels that come with the predictions are missing")
        right = given or reference_reading(predictions, self._labeler)
        return _agreement(predictions, right, generated_reading(predictions, self._labeler))


@final
class ClinicalText(Family):
    """The generated text against the reference text, both read by the labeler.

    Args:
        labeler: Reads the texts.
    """

    name = "clinical_text"

    def __init__(self, labeler: Labeler) -> None:
        self._labeler = labeler

    def plan(self, predictions: Sequence[Prediction]) -> Plan:
        """Return the scores, and labels of both sides for each report."""
        right = reference_reading(predictions, self._labeler)
        return _agreement(predictions, right, generated_reading(predictions, self._labeler))


@final
class LabelerCheck(Family):
    """The labeler's reading of the reference text against the labels that come with it.

    A clinical score can't be trusted further than this.

    Args:
        labeler: Reads the texts.
    """

    name = "labeler"

    def __init__(self, labeler: Labeler) -> None:
        self._labeler = labeler

    def plan(self, predictions: Sequence[Prediction]) -> Plan:
        """Return the scores, or why there are none: no labels, or the labeler's own."""
        given = given_labels(predictions)
        reading = reference_reading(predictions, self._labeler)
        if given is None:
            why = "the predictions carry no labels to hold the labeler against"
        elif given.source == self._labeler.identity:
            why = "the labels of the predictions come from this labeler itself"
        else:
            return _agreement(predictions, given, reading)
        protocol = replace(card(predictions, COMPARES), scored_labels=reading.source)
        return Plan(protocol, reason=why)


def _agreement(predictions: Sequence[Prediction], right: Reading, scored: Reading) -> Plan:
    scores = ClinicalScores(right.states, scored.states)
    protocol = replace(
        card(predictions, COMPARES),
        reference_labels=right.source,
        scored_labels=scored.source,
        uncertain="as each key says, on both sides",
        missing="negative",
        averaging=AVERAGING,
        classes=OBSERVATIONS,
    )
    per_report = {"reference_labels": _named(right), "generated_labels": _named(scored)}
    return Plan(protocol, scores.scores, scores.counts(), per_report=per_report)


def _named(reading: Reading) -> list[dict[str, int]]:
    """Return the known states of each report by observation."""
    return [
        {name: int(state) for name, state in zip(OBSERVATIONS, row, strict=True) if state == state}
        for row in reading.states.tolist()
    ]
