"""Which painter draws which kind of finding, and the region that it leaves on a film."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import numpy as np

from gradtruce.data.phantom.canvas import Canvas
from gradtruce.data.phantom.findings import devices, fractures, lesions, opacities, pleura
from gradtruce.data.phantom.rays import Image, floats
from gradtruce.data.study import Finding, Region

Painter = Callable[[Canvas, Finding], Image]
"""Adds a finding to a film and returns where: millimetres of soft tissue it is worth."""


def outline_heart(canvas: Canvas, finding: Finding) -> Image:  # noqa: ARG001 - a painter
    """Return the shadow of the heart, which is already enlarged."""
    heart = canvas.cut(canvas.chest.heart)
    hidden = sum(heart.overlap(canvas.cut(dome)) for dome in canvas.chest.domes.values())
    return floats(np.maximum(heart.length - hidden, 0))


def outline_mediastinum(canvas: Canvas, finding: Finding) -> Image:  # noqa: ARG001 - a painter
    """Return the shadow of the upper mediastinum, which is already widened."""
    shadow = canvas.cut(canvas.chest.mediastinum).length
    shadow = np.maximum(shadow, canvas.cut(canvas.chest.knob).length)
    scale, y = canvas.chest.scale[1], canvas.film.y
    return floats(shadow * ((y > 10 * scale) & (y < 112 * scale)))


PAINTERS: Final[Mapping[str, Painter]] = MappingProxyType(
    {
        "widened mediastinum": outline_mediastinum,
        "enlarged heart": outline_heart,
        "hazy opacity": opacities.paint_haze,
        "interstitial opacity": opacities.paint_interstitial,
        "nodule": lesions.paint_nodule,
        "mass": lesions.paint_mass,
        "cavitary lesion": lesions.paint_cavity,
        "pulmonary edema": opacities.paint_edema,
        "consolidation": opacities.paint_consolidation,
        "pneumonia": opacities.paint_pneumonia,
        "linear atelectasis": opacities.paint_bands,
        "lobar collapse": opacities.paint_collapse,
        "pneumothorax": pleura.paint_pneumothorax,
        "pleural effusion": pleura.paint_effusion,
        "pleural thickening": pleura.paint_thickening,
        "rib fracture": fractures.paint_rib_fracture,
        "clavicle fracture": fractures.paint_clavicle_fracture,
        "vertebral compression fracture": fractures.paint_vertebral_fracture,
        "endotracheal tube": devices.paint_endotracheal_tube,
        "enteric tube": devices.paint_enteric_tube,
        "central venous catheter": devices.paint_central_line,
        "pacemaker": devices.paint_pacemaker,
        "chest tube": devices.paint_chest_tube,
        "sternotomy wires": devices.paint_sternal_wires,
    }
)
"""A painter for every kind in `kinds.KINDS`, by the kind's name."""

_FAINT: Final = 2.0


def region_of(trace: Image, view: int) -> Region | None:
    """Return the region of a finding from what its painter left, or `None` where it is unseen.

    Pixels count from a quarter of the finding's strength on; less than 2 mm of tissue is unseen.

    >>> trace = np.zeros((8, 8), np.float32)
    >>> trace[2:4, 3:7] = 10.0
    >>> region_of(trace, 0).box
    (3, 2, 7, 4)
    """
    strength = float(np.percentile(trace[trace > _FAINT], 95)) if (trace > _FAINT).any() else 0.0
    if strength <= _FAINT:
        return None
    mask = trace > max(0.25 * strength, _FAINT)
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    box = (int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
    return Region(view, box, mask)
