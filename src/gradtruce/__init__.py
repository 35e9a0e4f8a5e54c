"""Multi-task radiology report generation, trained with conflict-averse gradients.

The names here are loaded on first use, so that `import gradtruce` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gradtruce.balance.cagrad import CAGrad
    from gradtruce.balance.came_grad import CAMEGrad
    from gradtruce.balance.dualproj import DualProj
    from gradtruce.balance.dwa import DWA
    from gradtruce.balance.ema import EMA
    from gradtruce.balance.famo import FAMO
    from gradtruce.balance.gradnorm import GradNorm
    from gradtruce.balance.imtlg import IMTLG
    from gradtruce.balance.linear import Linear
    from gradtruce.balance.mgda import MGDA
    from gradtruce.balance.nmt import NMT
    from gradtruce.balance.pcgrad import PCGrad
    from gradtruce.balance.rlw import RLW
    from gradtruce.balance.stch import STCH
    from gradtruce.balance.uncertainty_weighting import UncertaintyWeighting
    from gradtruce.balance.upgrad import UPGrad
    from gradtruce.gradients.balancer import Balancer, TaskStatistics
    from gradtruce.gradients.engine import TaskGradients
    from gradtruce.gradients.record import StepRecord
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
    "STCH",
    "Balancer",
    "CAGrad",
    "CAMEGrad",
    "DualProj",
    "GradNorm",
    "Linear",
    "PCGrad",
    "StepRecord",
    "TaskGradients",
    "TaskStatistics",
    "UPGrad",
    "UncertaintyWeighting",
    "__version__",
    "wrap",
]

_HOMES = {
    "Balancer": "gradtruce.gradients.balancer",
    "CAGrad": "gradtruce.balance.cagrad",
    "CAMEGrad": "gradtruce.balance.came_grad",
    "DWA": "gradtruce.balance.dwa",
    "DualProj": "gradtruce.balance.dualproj",
    "EMA": "gradtruce.balance.ema",
    "FAMO": "gradtruce.balance.famo",
    "GradNorm": "gradtruce.balance.gradnorm",
    "IMTLG": "gradtruce.balance.imtlg",
    "Linear": "gradtruce.balance.linear",
    "MGDA": "gradtruce.balance.mgda",
    "NMT": "gradtruce.balance.nmt",
    "PCGrad": "gradtruce.balance.pcgrad",
    "RLW": "gradtruce.balance.rlw",
    "STCH": "gradtruce.balance.stch",
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
