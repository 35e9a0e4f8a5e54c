"""One study: its views, its report, its labels, and what is known of where the findings lie."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from jaxtyping import Bool, UInt8

from gradtruce.data.observations import LabelState

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")

ViewPosition = Literal["frontal", "lateral", "unknown"]


@dataclass(frozen=True, eq=False)
class View:
    """One radiograph of a study.

    Attributes:
        pixels: 8-bit grey, 0 black (air) to 255 white (bone, metal).
        position: From which side it was taken.
        burned_in: Whether text is burned into the pixels; `None` where the source does not say.
        is_lossy: Whether the source's file was ever compressed with loss, as far as it shows.
    """

    pixels: UInt8[np.ndarray, "height width"]
    position: ViewPosition
    burned_in: bool | None = None
    is_lossy: bool = False


@dataclass(frozen=True, eq=False)
class Region:
    """Where a finding is seen in one view.

    Attributes:
        view: Index into the study's views.
        box: Left, top, right, bottom in pixels of that view; right and bottom exclusive.
        mask: True where the finding is.
    """

    view: int
    box: tuple[int, int, int, int]
    mask: Bool[np.ndarray, "height width"]


@dataclass(frozen=True, eq=False)
class Finding:
    """One thing seen, with its attributes; `None` where an attribute does not apply or is unknown.

    Attributes:
        observation: One of the 14 observations.
        kind: The entity in words, such as "nodule", "rib fracture" or "endotracheal tube".
        severity: "mild", "moderate" or "severe".
        side: "left", "right" or "bilateral", the patient's.
        zone: "upper", "middle" or "lower" third of the lung, or "base", "apex", "hilar".
        size: Largest extent in millimetres.
        certainty: "definite", or "possible" where the report hedges (its label is uncertain).
        change: Against the prior study: "new", "increased", "decreased" or "unchanged".
        regions: Where it is seen, none for a view that does not show it.
    """

    observation: str
    kind: str
    severity: str | None = None
    side: str | None = None
    zone: str | None = None
    size: float | None = None
    certainty: str = "definite"
    change: str | None = None
    regions: tuple[Region, ...] = ()


@dataclass(frozen=True, eq=False)
class Study:
    """One study of one patient.

    Attributes:
        id: Unique within a data set.
        patient: All studies of a patient are in one split.
        split: "train", "val" or "test".
        views: At least one; frontal first where there is one.
        report: The target text as the source has it (not yet cleaned); never blank.
        sections: Other sections of the report by name, such as "impression".
        labels: State of each observation that is known; a name left out is missing.
        label_source: Where the labels come from, such as "phantom truth"; "" without labels.
        findings: What is known beyond labels; empty for most real data.
        prior: Id of the patient's previous study, if any.
        is_synthetic: True for a phantom; every page that shows the study says so.
    """

    id: str
    patient: str
    split: Split
    views: tuple[View, ...]
    report: str
    sections: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, LabelState] = field(default_factory=dict)
    label_source: str = ""
    findings: tuple[Finding, ...] = ()
    prior: str | None = None
    is_synthetic: bool = False
