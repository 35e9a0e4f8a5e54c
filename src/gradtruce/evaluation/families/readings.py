"""Labels that several families score by: given with the predictions, or read in their texts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float

from gradtruce.evaluation.labelers.base import Labeler, read_reports
from gradtruce.evaluation.predictions import Prediction, label_matrix
from gradtruce.evaluation.protocol import Protocol


@final
@dataclass(frozen=True, eq=False)
class Reading:
    """States of the observations, and where they come from.

    Attributes:
        states: 1, 0, -1 or NaN.
        source: For the protocol.
    """

    states: Float[np.ndarray, "reports observations"]
    source: str


def generated_reading(predictions: Sequence[Prediction], labeler: Labeler) -> Reading:
    """Return what the labeler reads in the generated texts."""
    texts = [prediction.generated for prediction in predictions]
    return Reading(
        read_reports(labeler, texts), f"labeler {labeler.identity}, on the generated text"
    )


def reference_reading(predictions: Sequence[Prediction], labeler: Labeler) -> Reading:
    """Return what the labeler reads in the reference texts."""
    texts = [prediction.reference for prediction in predictions]
    return Reading(
        read_reports(labeler, texts), f"labeler {labeler.identity}, on the reference text"
    )


def given_labels(predictions: Sequence[Prediction]) -> Reading | None:
    """Return the labels that come with the predictions, or `None` where none do.

    A study whose labels are all missing still has labels where a source is named.

    Raises:
        ValueError: If some predictions have labels and some have not, or sources differ.
    """
    has_labels = [prediction.labels is not None for prediction in predictions]
    if not any(has_labels):
        return None
    is_sourced = [bool(prediction.label_source) for prediction in predictions]
    labelled = np.logical_or(has_labels, is_sourced)
    if not labelled.all():
        lacking = predictions[int(np.argmin(labelled))].id
        raise ValueError(
            f"study {lacking!r} has no labels while {labelled.sum()} of {len(labelled)} have; give"
            " them for all or for none"
        )
    sources = sorted({prediction.label_source for prediction in predictions})
    if len(sources) > 1:
        raise ValueError(f"labels come from several sources, {sources}; evaluate each by itself")
    source = sources[0] or "labels of the predictions, source not named"
    return Reading(label_matrix(predictions), source)


def card(predictions: Sequence[Prediction], compares: str) -> Protocol:
    """Return the part of a protocol that every family has.

    >>> card([Prediction("s1", "clear lungs .", "")], "texts against texts").empty_generated
    1
    """
    return Protocol(
        compares=compares,
        reports=len(predictions),
        empty_generated=sum(not prediction.generated.strip() for prediction in predictions),
        told="; ".join(sorted({each.told for each in predictions if each.told})),
    )
