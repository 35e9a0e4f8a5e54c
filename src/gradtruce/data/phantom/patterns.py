"""Which findings go together: patterns of disease, each with the chance of every finding."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Pattern:
    """One pattern of disease.

    Attributes:
        name: What a clinician would call it.
        share: How often it is drawn among abnormal studies; relative to the others.
        chances: Chance of each finding, by observation or by kind; an observation draws one kind.
        is_bilateral: Findings that may be bilateral mostly are.
        is_one_place: Opacity, consolidation and pneumonia lie in the same side and zone.
    """

    name: str
    share: float
    chances: Mapping[str, float]
    is_bilateral: bool = False
    is_one_place: bool = False


PATTERNS: Final = (
    Pattern(
        "heart failure",
        0.16,
        {
            "Cardiomegaly": 0.85,
            "Edema": 0.75,
            "Pleural Effusion": 0.55,
            "pacemaker": 0.15,
            "interstitial opacity": 0.08,
            "Enlarged Cardiomediastinum": 0.08,
        },
        is_bilateral=True,
    ),
    Pattern(
        "pneumonia",
        0.16,
        {"Pneumonia": 1.0, "hazy opacity": 0.35, "Consolidation": 0.3, "Pleural Effusion": 0.2},
        is_one_place=True,
    ),
    Pattern(
        "airspace disease",
        0.13,
        {
            "hazy opacity": 0.55,
            "Consolidation": 0.55,
            "Atelectasis": 0.15,
            "Pleural Effusion": 0.15,
            "Cardiomegaly": 0.1,
        },
    ),
    Pattern(
        "interstitial disease", 0.04, {"interstitial opacity": 1.0, "Pleural Other": 0.25}, True
    ),
    Pattern(
        "tumour",
        0.13,
        {
            "Lung Lesion": 1.0,
            "Pleural Effusion": 0.15,
            "lobar collapse": 0.12,
            "Enlarged Cardiomediastinum": 0.25,
            "Pleural Other": 0.15,
            "central venous catheter": 0.15,
        },
    ),
    Pattern(
        "intensive care",
        0.12,
        {
            "endotracheal tube": 0.6,
            "enteric tube": 0.5,
            "central venous catheter": 0.6,
            "Atelectasis": 0.5,
            "Pleural Effusion": 0.4,
            "Edema": 0.25,
            "Consolidation": 0.25,
            "Pneumothorax": 0.15,
            "Cardiomegaly": 0.15,
        },
        is_bilateral=True,
    ),
    Pattern(
        "injury",
        0.10,
        {
            "Fracture": 0.9,
            "Pneumothorax": 0.4,
            "chest tube": 0.25,
            "Pleural Effusion": 0.12,
            "hazy opacity": 0.12,
            "Enlarged Cardiomediastinum": 0.15,
        },
    ),
    Pattern(
        "collapsed lung",
        0.08,
        {"Pneumothorax": 1.0, "chest tube": 0.35, "Atelectasis": 0.15, "Pleural Effusion": 0.1},
    ),
    Pattern(
        "old pleural disease",
        0.09,
        {"Pleural Other": 1.0, "Atelectasis": 0.2, "rib fracture": 0.12, "Cardiomegaly": 0.1},
    ),
    Pattern(
        "wide mediastinum",
        0.08,
        {"Enlarged Cardiomediastinum": 1.0, "Cardiomegaly": 0.25, "sternotomy wires": 0.1},
    ),
    Pattern(
        "after heart surgery",
        0.05,
        {
            "sternotomy wires": 1.0,
            "Cardiomegaly": 0.5,
            "Atelectasis": 0.45,
            "Pleural Effusion": 0.4,
            "central venous catheter": 0.3,
            "chest tube": 0.15,
            "Enlarged Cardiomediastinum": 0.25,
        },
    ),
    Pattern("minor atelectasis", 0.05, {"Atelectasis": 1.0, "Cardiomegaly": 0.12}),
    Pattern("large heart", 0.04, {"Cardiomegaly": 1.0, "pacemaker": 0.12}),
    Pattern("old bone injury", 0.03, {"Fracture": 1.0, "Pleural Other": 0.2}),
)
"""Patterns of an abnormal study; shares are relative."""

DEVICES_OF_A_NORMAL_STUDY: Final = {
    "central venous catheter": 0.04,
    "pacemaker": 0.02,
    "endotracheal tube": 0.02,
    "enteric tube": 0.02,
    "sternotomy wires": 0.02,
}
"""Chance of each device beside an otherwise normal chest."""
