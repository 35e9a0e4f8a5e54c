"""Multi-task radiology report generation, trained with conflict-averse gradients.

The names here are loaded on first use, so that `import gradtruce` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gradtruce.balance.aligned_mtl import AlignedMTL
    from gradtruce.balance.cagrad import CAGrad
    from gradtruce.balance.came_grad import CAMEGrad
    from gradtruce.balance.con_fig import ConFIG
    from gradtruce.balance.dualproj import DualProj
    from gradtruce.balance.dwa import DWA
    from gradtruce.balance.ema import EMA
    from gradtruce.balance.fairgrad import FairGrad
    from gradtruce.balance.famo import FAMO
    from gradtruce.balance.graddrop import GradDrop
    from gradtruce.balance.gradnorm import GradNorm
    from gradtruce.balance.gradvac import GradVac
    from gradtruce.balance.imtlg import IMTLG
    from gradtruce.balance.linear import Linear
    from gradtruce.balance.mgda import MGDA
    from gradtruce.balance.mmpareto import MMPareto
    from gradtruce.balance.nash_mtl import NashMTL
    from gradtruce.balance.nmt import NMT
    from gradtruce.balance.pcgrad import PCGrad
    from gradtruce.balance.rlw import RLW
    from gradtruce.balance.rotograd import RotoGrad
    from gradtruce.balance.sgld import SGLD
    from gradtruce.balance.stch import STCH
    from gradtruce.balance.stgu import STGU
    from gradtruce.balance.uncertainty_weighting import UncertaintyWeighting
    from gradtruce.balance.upgrad import UPGrad
    from gradtruce.gradients.balancer import Balancer, TaskStatistics
    from gradtruce.gradients.engine import TaskGradients
    from gradtruce.gradients.record import StepRecord
    from gradtruce.gradients.recorder import Recorder
    from gradtruce.gradients.rotations import Rotations
    from gradtruce.integrations.wrap import wrap

__version__ = "0.1.0"

__all__ = [
    "DWA",
    "EMA",
    "FAMO",
    "IMTLG",
    "MGDA",
    "NMT",
    "RLW",
    "SGLD",
    "STCH",
    "STGU",
    "AlignedMTL",
    "Balancer",
    "CAGrad",
    "CAMEGrad",
    "ConFIG",
    "DualProj",
    "FairGrad",
    "GradDrop",
    "GradNorm",
    "GradVac",
    "Linear",
    "MMPareto",
    "NashMTL",
    "PCGrad",
    "Recorder",
    "Rotations",
    "RotoGrad",
    "StepRecord",
    "TaskGradients",
    "TaskStatistics",
    "UPGrad",
    "UncertaintyWeighting",
    "__version__",
    "wrap",
]

_HOMES = {
    "AlignedMTL": "gradtruce.balance.aligned_mtl",
    "Balancer": "gradtruce.gradients.balancer",
    "CAGrad": "gradtruce.balance.cagrad",
    "CAMEGrad": "gradtruce.balance.came_grad",
    "ConFIG": "gradtruce.balance.con_fig",
    "DWA": "gradtruce.balance.dwa",
    "DualProj": "gradtruce.balance.dualproj",
    "EMA": "gradtruce.balance.ema",
    "FAMO": "gradtruce.balance.famo",
    "FairGrad": "gradtruce.balance.fairgrad",
    "GradDrop": "gradtruce.balance.graddrop",
    "GradNorm": "gradtruce.balance.gradnorm",
    "GradVac": "gradtruce.balance.gradvac",
    "IMTLG": "gradtruce.balance.imtlg",
    "Linear": "gradtruce.balance.linear",
    "MGDA": "gradtruce.balance.mgda",
    "MMPareto": "gradtruce.balance.mmpareto",
    "NMT": "gradtruce.balance.nmt",
    "NashMTL": "gradtruce.balance.nash_mtl",
    "PCGrad": "gradtruce.balance.pcgrad",
    "RLW": "gradtruce.balance.rlw",
    "Recorder": "gradtruce.gradients.recorder",
    "Rotations": "gradtruce.gradients.rotations",
    "RotoGrad": "gradtruce.balance.rotograd",
    "SGLD": "gradtruce.balance.sgld",
    "STCH": "gradtruce.balance.stch",
    "STGU": "gradtruce.balance.stgu",
    "StepRecord": "gradtruce.gradients.record",
    "TaskGradients": "gradtruce.gradients.engine",
    "TaskStatistics": "gradtruce.gradients.balancer",
    "UPGrad": "gradtruce.balance.upgrad",
    "UncertaintyWeighting": "gradtruce.balance.uncertainty_weighting",
    "wrap": "gradtruce.integrations.wrap",
}


def __getattr__(name: str) -> object:
    """Load a public name when it is asked for (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module 'gradtruce' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """Return the public names."""
    return sorted(__all__)
