"""Multi-task radiology report generation, trained with conflict-averse gradients.

The names here are loaded on first use, so that `import gradtruce` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gradtruce.balance.came_grad import CAMEGrad
    from gradtruce.balance.linear import Linear
    from gradtruce.gradients.balancer import Balancer, TaskStatistics
    from gradtruce.gradients.engine import TaskGradients
    from gradtruce.gradients.record import StepRecord
    from gradtruce.integrations.wrap import wrap

__version__ = "0.1.0"

__all__ = [
    "Balancer",
    "CAMEGrad",
    "Linear",
    "StepRecord",
    "TaskGradients",
    "TaskStatistics",
    "__version__",
    "wrap",
]

_HOMES = {
    "Balancer": "gradtruce.gradients.balancer",
    "CAMEGrad": "gradtruce.balance.came_grad",
    "Linear": "gradtruce.balance.linear",
    "StepRecord": "gradtruce.gradients.record",
    "TaskGradients": "gradtruce.gradients.engine",
    "TaskStatistics": "gradtruce.gradients.balancer",
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
