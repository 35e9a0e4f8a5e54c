"""The kinds of finding that a phantom can show, and which attributes each has."""

from dataclasses import dataclass
from typing import Final

SIDES: Final = ("left", "right")
LUNG_ZONES: Final = ("upper", "middle", "lower")
SEVERITIES: Final = ("mild", "moderate", "severe")


@dataclass(frozen=True)
class Kind:
    """One kind of finding.

    Attributes:
        observation: The observation that it makes positive.
        name: Name of the entity, as in `Finding.kind`.
        sides: Sides it may lie on; empty where it is midline or has none.
        zones: Zones it may lie in; empty where zone has no meaning.
        severities: Degrees it may have; empty where it is only there or not.
        size: Smallest and largest extent in millimetres, where extent has a meaning.
        share: How often this kind is drawn among those of its observation; adds up to 1.
    """

    observation: str
    name: str
    sides: tuple[str, ...] = ()
    zones: tuple[str, ...] = ()
    severities: tuple[str, ...] = ()
    size: tuple[float, float] | None = None
    share: float = 1.0


BOTH: Final = (*SIDES, "bilateral")

KINDS: Final = (
    Kind("Enlarged Cardiomediastinum", "widened mediastinum", severities=SEVERITIES),
    Kind("Cardiomegaly", "enlarged heart", severities=SEVERITIES),
    Kind("Lung Opacity", "hazy opacity", BOTH, LUNG_ZONES, SEVERITIES, share=0.7),
    Kind("Lung Opacity", "interstitial opacity", ("bilateral",), (), SEVERITIES, share=0.3),
    Kind("Lung Lesion", "nodule", SIDES, LUNG_ZONES, (), (8.0, 30.0), share=0.6),
    Kind("Lung Lesion", "mass", SIDES, LUNG_ZONES, (), (30.0, 65.0), share=0.3),
    Kind("Lung Lesion", "cavitary lesion", SIDES, LUNG_ZONES, (), (20.0, 55.0), share=0.1),
    Kind("Edema", "pulmonary edema", ("bilateral",), (), SEVERITIES),
    Kind("Consolidation", "consolidation", SIDES, LUNG_ZONES, SEVERITIES),
    Kind("Pneumonia", "pneumonia", SIDES, LUNG_ZONES, SEVERITIES),
    Kind("Atelectasis", "linear atelectasis", BOTH, ("lower",), SEVERITIES, share=0.8),
    Kind("Atelectasis", "lobar collapse", SIDES, ("upper", "lower"), (), share=0.2),
    Kind("Pneumothorax", "pneumothorax", SIDES, ("upper",), SEVERITIES),
    Kind("Pleural Effusion", "pleural effusion", BOTH, ("lower",), SEVERITIES),
    Kind("Pleural Other", "pleural thickening", BOTH, ("upper", "lower"), SEVERITIES),
    Kind("Fracture", "rib fracture", SIDES, LUNG_ZONES, (), share=0.7),
    Kind("Fracture", "clavicle fracture", SIDES, (), (), share=0.15),
    Kind("Fracture", "vertebral compression fracture", (), (), SEVERITIES, share=0.15),
    Kind("Support Devices", "endotracheal tube", share=0.2),
    Kind("Support Devices", "enteric tube", share=0.15),
    Kind("Support Devices", "central venous catheter", SIDES, share=0.3),
    Kind("Support Devices", "pacemaker", SIDES, share=0.15),
    Kind("Support Devices", "chest tube", SIDES, share=0.1),
    Kind("Support Devices", "sternotomy wires", share=0.1),
)
"""All kinds; every observation but No Finding has at least one."""
