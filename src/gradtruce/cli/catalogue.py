"""Names and one-line descriptions, as a table that needs no heavy import.

A test compares it with the classes and presets that are there.
"""

from typing import Final

CATALOGUE: Final[dict[str, dict[str, str]]] = {
    "balancers": {
        "linear": "Linear scalarization: the weighted sum of the losses, one backward pass",
        "came_grad": "CAME-Grad: rectify the direction, restore the magnitude, fuse",
    },
    "methods": {
        "r2gen": "R2Gen: relational memory and memory-driven layer norm, with a findings head",
    },
    "data sets": {
        "phantom": "Synthetic chest radiograph studies of which everything is known",
        "iu_xray": "Indiana University chest X-rays, from the R2Gen annotation file",
    },
    "labelers": {
        "rules": "CheXpert-style rules, offline",
    },
}
"""Kind → name → description."""
