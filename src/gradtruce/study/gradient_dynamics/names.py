"""Where an analysis lies in a run, and the names of gradients in it."""

from typing import Final

FOLDER: Final = "analysis"
"""In the first run's folder, unless another is asked for."""

FILE: Final = "analysis.json"

JOINT: Final = "joint"
"""The weighted sum of the task gradients."""

UPDATE: Final = "update"
"""What the balancer makes of them."""
