"""Multi-task optimizers: from the statistics of a step to its coefficients."""

from gradtruce.balance.came_grad import CAMEGrad
from gradtruce.balance.linear import Linear

__all__ = ["CAMEGrad", "Linear"]
