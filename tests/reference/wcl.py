"""The contrast of WCL in paper notation: one pair of studies at a time.

Slow on purpose; written from Yan et al. 2021, section 3, and independent of the package but for the
names of the weights.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from tests.reference.r2gen import Weights, mlp


def mean(rows: Sequence[Tensor]) -> Tensor:
    total = torch.zeros_like(rows[0])
    for row in rows:
        total = total + row
    return total / len(rows)


def vector(w: Weights, name: str, rows: Sequence[Tensor]) -> Tensor:
    """Return the projected mean of some rows, brought to length 1."""
    projected = mlp(w, name, mean(rows))
    return projected / math.sqrt(float((projected**2).sum()))


def loss(
    images: Sequence[Tensor], reports: Sequence[Tensor], clusters: Sequence[int], tau: float
) -> float:
    """Return L_con times τ; every report of the anchor's cluster but its own counts twice."""
    total = 0.0
    for i, image in enumerate(images):
        own = math.exp(float(image @ reports[i]) / tau)
        everyone = 0.0
        for j, report in enumerate(reports):
            weight = 2.0 if i != j and clusters[i] == clusters[j] else 1.0
            everyone += weight * math.exp(float(image @ report) / tau)
        total -= math.log(own / everyone)
    return tau * total / len(images)
