"""How a group of scores was measured: kept with the scores, for a bare "F1" says nothing."""

import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

import gradtruce


def versions() -> dict[str, str]:
    """Return the versions of what the numbers come from.

    >>> sorted(versions())
    ['gradtruce', 'numpy', 'python']
    """
    return {
        "gradtruce": gradtruce.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }


@dataclass(frozen=True)
class Protocol:
    """The protocol of one group of scores; "" or `None` where a field has no meaning for it.

    Attributes:
        compares: What is scored against what.
        reports: Number of reports.
        empty_generated: How many generated reports are empty.
        told: What reports were generated from besides the images, where predictions say so.
        reference_labels: Where the labels counted as right come from: a data set's label source,
            or a labeler's identity.
        scored_labels: Where the labels that are scored come from.
        uncertain: What becomes of uncertain labels.
        missing: What becomes of labels that are missing or not mentioned.
        averaging: How classes and reports are pooled.
        classes: The observations scored.
        without_auc: Observations that have no AUC here, and why.
        threshold: Probability from which on a finding counts as stated.
        references: What was done to reference texts.
        tokens: What a token is.
        settings: What else decides the numbers, by name: options, model files and their hashes.
        intervals: How intervals are made.
        versions: Versions of what the numbers come from.

    >>> Protocol("generated texts against reference texts", reports=3).to_json()["reports"]
    3
    """

    compares: str
    reports: int
    empty_generated: int = 0
    told: str = ""
    reference_labels: str = ""
    scored_labels: str = ""
    uncertain: str = ""
    missing: str = ""
    averaging: str = ""
    classes: tuple[str, ...] = ()
    without_auc: Mapping[str, str] = field(default_factory=dict)
    threshold: float | None = None
    references: str = ""
    tokens: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)
    intervals: str = "none"
    versions: Mapping[str, str] = field(default_factory=versions)

    def to_json(self) -> dict[str, Any]:  # JSON values of several kinds
        """Return the fields that have a meaning, as JSON values."""
        fields = asdict(self) | {"classes": list(self.classes)}
        return {name: value for name, value in fields.items() if value not in ("", None, [], {})}

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> "Protocol":
        """Return the protocol of which these are the fields.

        Raises:
            TypeError: If a field is not known, or one that has no default is missing.
        """
        return cls(**{**fields, "classes": tuple(fields.get("classes", ()))})
