"""How each group of scores is computed from predictions, or why it can't be."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Bool, Float

from gradtruce.data.observations import NEGATIVE, OBSERVATIONS
from gradtruce.evaluation import protocol
from gradtruce.evaluation.classification import THRESHOLD, ClassificationScores
from gradtruce.evaluation.clinical import ClinicalScores
from gradtruce.evaluation.labelers.base import Labeler, read_reports
from gradtruce.evaluation.nlg import LexicalScores
from gradtruce.evaluation.predictions import Prediction, findings_matrix, label_matrix
from gradtruce.evaluation.protocol import Protocol
from gradtruce.evaluation.significance import Statistic


@dataclass(frozen=True, eq=False)
class Plan:
    """How one group is computed, or why it can't be.

    Attributes:
        protocol: How it is measured.
        statistic: Its scores under any weighting of the reports; `None` where there is a reason.
        counts: Whole numbers that stand beside the scores, without intervals.
        undefined: Why some of its scores have no value.
        reason: Why the whole group can't be computed.
    """

    protocol: Protocol
    statistic: Statistic | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    undefined: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""


def plan_groups(predictions: Sequence[Prediction], labeler: Labeler) -> dict[str, Plan]:
    """Return how each group is computed; texts are read here, once.

    Raises:
        ValueError: If labels or findings are given for some of the predictions only, or labels
            come from several sources.
    """
    card = Protocol(
        compares="labels scored against reference labels",
        reports=len(predictions),
        empty_generated=sum(not prediction.generated.strip() for prediction in predictions),
        told="; ".join(sorted({each.told for each in predictions if each.told})),
    )
    generated = _Labels(
        read_reports(labeler, [prediction.generated for prediction in predictions]),
        f"labeler {labeler.identity}, on the generated text",
    )
    reference = _Labels(
        read_reports(labeler, [prediction.reference for prediction in predictions]),
        f"labeler {labeler.identity}, on the reference text",
    )
    given = _given_labels(predictions)
    return {
        "nlg": _lexical(predictions, card),
        "clinical": _clinical(given or reference, generated, card),
        "clinical_text": _clinical(reference, generated, card),
        "labeler": _labeler_check(given, reference, card, labeler.identity),
        "classification": _classification(predictions, given, reference, card),
    }


@dataclass(frozen=True, eq=False)
class _Labels:
    """States of the observations, and where they come from."""

    states: Float[np.ndarray, "reports observations"]
    source: str


def _lexical(predictions: Sequence[Prediction], card: Protocol) -> Plan:
    card = replace(
        card,
        compares="generated texts against reference texts",
        references=protocol.REFERENCES_AS_GIVEN,
        tokens=protocol.LEXICAL_TOKENS,
    )
    scores = LexicalScores(
        [prediction.generated for prediction in predictions],
        [[prediction.reference] for prediction in predictions],
    )
    return Plan(card, scores.scores)


def _clinical(right: _Labels, scored: _Labels, card: Protocol) -> Plan:
    card = replace(
        card,
        reference_labels=right.source,
        scored_labels=scored.source,
        uncertain="negative; positive in keys that begin with uncertain_positive",
        missing="negative",
        averaging=protocol.AVERAGING,
        classes=OBSERVATIONS,
    )
    scores = ClinicalScores(right.states, scored.states)
    return Plan(card, scores.scores, scores.counts())


def _labeler_check(given: _Labels | None, reference: _Labels, card: Protocol, name: str) -> Plan:
    card = replace(card, scored_labels=reference.source)
    if given is None:
        return Plan(card, reason="the predictions carry no labels to hold the labeler against")
    if given.source == name:
        return Plan(card, reason="the labels of the predictions come from this labeler itself")
    return _clinical(given, reference, card)


def _classification(
    predictions: Sequence[Prediction], given: _Labels | None, reference: _Labels, card: Protocol
) -> Plan:
    card = replace(
        card,
        reference_labels=(given or reference).source,
        scored_labels="probabilities of the findings head",
        uncertain="negative",
        missing="left out" if given else "negative",
        averaging="in each key: micro pools all cells, macro is the mean over classes; 0/0 is 0",
        classes=OBSERVATIONS,
        threshold=THRESHOLD,
    )
    if not _have_findings(predictions):
        return Plan(card, reason="the predictions carry no probabilities of findings")
    labels = given.states if given else np.nan_to_num(reference.states, nan=NEGATIVE)
    probabilities = findings_matrix(predictions)
    if np.isnan(labels + probabilities).all():
        return Plan(card, reason="no observation has both a label and a probability")
    scores = ClassificationScores(labels, probabilities)
    card = replace(card, without_auc=scores.one_valued)
    return Plan(card, scores.scores, undefined=scores.undefined)


def _given_labels(predictions: Sequence[Prediction]) -> _Labels | None:
    """Return the labels that come with the predictions.

    A study whose labels are all missing still has labels where a source is named.
    """
    has_labels = [prediction.labels is not None for prediction in predictions]
    is_sourced = [bool(prediction.label_source) for prediction in predictions]
    if not any(has_labels):
        return None
    _require_all(predictions, np.logical_or(has_labels, is_sourced), "labels")
    sources = sorted({prediction.label_source for prediction in predictions})
    if len(sources) > 1:
        raise ValueError(f"labels come from several sources, {sources}; evaluate each by itself")
    source = sources[0] or "labels of the predictions, source not named"
    return _Labels(label_matrix(predictions), source)


def _have_findings(predictions: Sequence[Prediction]) -> bool:
    have = np.array([prediction.findings is not None for prediction in predictions])
    if have.any():
        _require_all(predictions, have, "findings")
    return bool(have.any())


def _require_all(
    predictions: Sequence[Prediction], have: Bool[np.ndarray, " reports"], what: str
) -> None:
    if not have.all():
        lacking = predictions[int(np.argmin(have))].id
        raise ValueError(
            f"study {lacking!r} has no {what} while {have.sum()} of {len(have)} have; give them"
            " for all or for none"
        )
