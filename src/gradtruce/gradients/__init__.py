"""The engine: from K losses to one update. Knows nothing of images or text."""

from gradtruce.gradients.balancer import Balancer, TaskStatistics
from gradtruce.gradients.engine import TaskGradients
from gradtruce.gradients.record import StepRecord

__all__ = ["Balancer", "StepRecord", "TaskGradients", "TaskStatistics"]
