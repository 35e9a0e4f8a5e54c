"""How far two sets of labels of the same reports agree, observation by observation."""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, final

import numpy as np
from jaxtyping import Bool

from gradtruce.data.observations import MISSING, OBSERVATIONS, LabelState
from gradtruce.evaluation.clinical import UncertainPolicy, binarise

Labels = Mapping[str, Sequence[float]]
"""States of the 14 observations by report id: 1, 0, -1, NaN, in the order of `OBSERVATIONS`."""

_NAMED: Final = 3


class ClassAgreement(NamedTuple):
    """Agreement on one observation.

    Attributes:
        observation: Which of the fourteen.
        support: Reports that the reference calls positive.
        stated: Reports that the labels call positive.
        precision: Share of the stated that the reference states too; 0 where none is stated.
        recall: Share of the support that is stated; 0 without support.
        f1: Harmonic mean of the two; 0 where both sides state none.
        kappa: Cohen's κ, the agreement beyond chance; NaN where one state is all there is.
    """

    observation: str
    support: int
    stated: int
    precision: float
    recall: float
    f1: float
    kappa: float


@final
@dataclass(frozen=True)
class Agreement:
    """Agreement of labels with a reference, made by `compare_labels`.

    Attributes:
        reports: How many reports both have labelled.
        uncertain: What an uncertain state counts as, on both sides.
        classes: The fourteen observations in their order.
    """

    reports: int
    uncertain: UncertainPolicy
    classes: tuple[ClassAgreement, ...]

    def frequent(self, least: int = 10) -> tuple[str, ...]:
        """Return the observations that both sides call positive in at least `least` reports."""
        return tuple(
            one.observation for one in self.classes if min(one.support, one.stated) >= least
        )

    def macro(self, observations: Collection[str]) -> ClassAgreement:
        """Return the mean over the observations named, under the name "macro".

        Raises:
            ValueError: If no observation is named, or one is not among the fourteen.
        """
        unknown = set(observations) - set(OBSERVATIONS)
        if unknown or not observations:
            raise ValueError(
                "the macro mean needs at least one of the 14 observations, got"
                f" {sorted(observations)}"
            )
        chosen = [one for one in self.classes if one.observation in observations]
        means = np.array([one[3:] for one in chosen]).mean(axis=0).tolist()
        support, stated = sum(one.support for one in chosen), sum(one.stated for one in chosen)
        return ClassAgreement("macro", support, stated, *means)

    def table(self, observations: Collection[str] | None = None) -> str:
        """Return a Markdown table: a line an observation, then the macro mean.

        Args:
            observations: What the mean is taken over; without it, those with at least 10 positives
                on both sides. They carry a star.
        """
        averaged = self.frequent() if observations is None else observations
        lines = [
            "| observation | support | stated | precision | recall | F1 | κ |",
            "|---|---:|---:|---:|---:|---:|---:|",
            *(_line(one, "*" if one.observation in averaged else "") for one in self.classes),
        ]
        if averaged:
            lines.append(_line(self.macro(averaged), f" of {len(averaged)}*"))
        return "\n".join(lines)


def compare_labels(
    labels: Labels, reference: Labels, *, uncertain: UncertainPolicy = "positive"
) -> Agreement:
    """Return how far `labels` agree with `reference`; neither is taken to be the truth.

    Args:
        labels: States by report id.
        reference: States of the same reports.
        uncertain: What an uncertain state counts as, on both sides; blank counts as not stated.

    Raises:
        ValueError: If there is no report, or the ids differ, or a row has not 14 states.

    >>> blank = [float("nan")] * 12
    >>> ours = {"a": [1.0, 0.0, *blank], "b": [0.0, -1.0, *blank]}
    >>> theirs = {"b": [0.0, 1.0, *blank], "a": [1.0, 1.0, *blank]}
    >>> agreement = compare_labels(ours, theirs)
    >>> cardiomegaly = agreement.classes[1]
    >>> cardiomegaly.support, cardiomegaly.stated, cardiomegaly.precision, cardiomegaly.recall
    (2, 1, 1.0, 0.5)
    """
    _require_same_ids(labels, reference)
    one = _stated(labels, labels, uncertain)
    two = _stated(reference, labels, uncertain)
    classes = [
        _compare(name, one[:, column], two[:, column]) for column, name in enumerate(OBSERVATIONS)
    ]
    return Agreement(len(labels), uncertain, tuple(classes))


def as_rows(states: Mapping[str, Mapping[str, LabelState]]) -> dict[str, list[float]]:
    """Return labels kept by name, as `LabelFile` has them, as rows; what is missing is NaN.

    >>> as_rows({"a": {"Cardiomegaly": 1}})["a"][:3]
    [nan, 1.0, nan]
    """
    return {
        key: [float(known.get(name, MISSING)) for name in OBSERVATIONS]
        for key, known in states.items()
    }


def _require_same_ids(labels: Labels, reference: Labels) -> None:
    pairs = ((labels, reference), (reference, labels))
    ours, theirs = (sorted(set(one) - set(two)) for one, two in pairs)
    if ours or theirs or not labels:
        raise ValueError(
            "both label sets must hold the same reports, at least one:"
            f" {len(ours)} of {len(labels)} are in the labels alone ({', '.join(ours[:_NAMED])}),"
            f" {len(theirs)} of {len(reference)} in the reference alone"
            f" ({', '.join(theirs[:_NAMED])}); keep the shared ones in both"
        )


def _stated(
    labels: Labels, ids: Iterable[str], uncertain: UncertainPolicy
) -> Bool[np.ndarray, "reports observations"]:
    for key, row in labels.items():
        if len(row) != len(OBSERVATIONS):
            raise ValueError(f"report {key!r} must have {len(OBSERVATIONS)} states, has {len(row)}")
    return binarise(np.array([labels[key] for key in ids], dtype=np.float64), uncertain)


def _compare(
    name: str, labels: Bool[np.ndarray, " reports"], reference: Bool[np.ndarray, " reports"]
) -> ClassAgreement:
    both, stated, support = (int(one.sum()) for one in (labels & reference, labels, reference))
    count = len(labels)
    same = float((labels == reference).mean())
    chance = (stated * support + (count - stated) * (count - support)) / count**2
    return ClassAgreement(
        name,
        support,
        stated,
        both / stated if stated else 0.0,
        both / support if support else 0.0,
        2 * both / (stated + support) if stated + support else 0.0,
        (same - chance) / (1 - chance) if chance < 1 else math.nan,
    )


def _line(one: ClassAgreement, mark: str) -> str:
    numbers = " | ".join("–" if math.isnan(value) else f"{value:.3f}" for value in one[3:])
    return f"| {one.observation}{mark} | {one.support} | {one.stated} | {numbers} |"
