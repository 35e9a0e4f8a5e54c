"""Prediction files: JSON Lines with an id, a reference and a generated report."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Prediction:
    """One generated report beside its reference.

    Attributes:
        id: Study id.
        reference: Text of the reference report; "" where there is none (one's own images).
        generated: Text of the generated report.
        findings: Probability of each observation by name, where the method has a findings head.
        labels: Known states of the observations by name, such as a phantom's truth.
        label_source: Where `labels` come from.
    """

    id: str
    reference: str
    generated: str
    findings: Mapping[str, float] | None = None
    labels: Mapping[str, int] | None = None
    label_source: str = ""
