"""A linear map from image features to report features, and what it says of studies left out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, final

import numpy as np
from jaxtyping import Float, Int

PENALTIES: Final = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)
"""Tried in turn; times the number of studies, on features of variance 1."""


@final
@dataclass(frozen=True, eq=False)
class Ridge:
    """A linear map.

    Attributes:
        weight: Image features to report features.
        bias: Added to the report features.
        penalty: One of `PENALTIES`.
    """

    weight: Float[np.ndarray, "features inputs"]
    bias: Float[np.ndarray, " features"]
    penalty: float


@final
@dataclass(frozen=True, eq=False)
class _Sums:
    """Sums over some studies, of which those over others can be taken away."""

    count: int
    inputs: Float[np.ndarray, " inputs"]
    targets: Float[np.ndarray, " features"]
    square: Float[np.ndarray, "inputs inputs"]
    cross: Float[np.ndarray, "inputs features"]

    @classmethod
    def of(
        cls,
        inputs: Float[np.ndarray, "studies inputs"],
        targets: Float[np.ndarray, "studies features"],
    ) -> "_Sums":
        return cls(
            len(inputs),
            inputs.sum(axis=0),
            targets.sum(axis=0),
            inputs.T @ inputs,
            inputs.T @ targets,
        )

    def without(self, other: "_Sums") -> "_Sums":
        return _Sums(
            self.count - other.count,
            self.inputs - other.inputs,
            self.targets - other.targets,
            self.square - other.square,
            self.cross - other.cross,
        )


def fit_ridge(
    inputs: Float[np.ndarray, "studies inputs"],
    targets: Float[np.ndarray, "studies features"],
    folds: Int[np.ndarray, " studies"],
    penalties: Sequence[float] = PENALTIES,
) -> tuple[Ridge, Float[np.ndarray, "studies features"]]:
    """Return ridge regression on all studies, and what it says of each when its fold is left out.

    Inputs are centred and brought to variance 1, so one penalty does for all. The penalty is that
    whose predictions of the studies left out have the highest mean cosine with the targets.

    Args:
        inputs: Image features.
        targets: Report features.
        folds: Fold of each study, from 0.
        penalties: What is tried.

    Raises:
        ValueError: If there are fewer than two folds.

    >>> x = np.array([[0.0], [1.0], [2.0], [3.0]])
    >>> map, held_out = fit_ridge(x, 2 * x + 1, np.array([0, 1, 0, 1]), [1e-9])
    >>> map.weight.round(3), map.bias.round(3), held_out[:, 0].round(3)
    (array([[2.]]), array([1.]), array([1., 3., 5., 7.]))
    """
    if len(np.unique(folds)) < 2:
        raise ValueError("at least two folds are needed, so that no study is fitted on itself")
    inputs, targets = inputs.astype(np.float64), targets.astype(np.float64)
    whole = _Sums.of(inputs, targets)
    held_out = np.empty((len(penalties), *targets.shape))
    for fold in np.unique(folds):
        left = folds == fold
        kept = whole.without(_Sums.of(inputs[left], targets[left]))
        for place, (weight, bias) in enumerate(_solutions(kept, penalties)):
            held_out[place, left] = inputs[left] @ weight.T + bias
    best = int(np.argmax([_mean_cosine(each, targets) for each in held_out]))
    ((weight, bias),) = _solutions(whole, penalties[best : best + 1])
    return Ridge(weight, bias, penalties[best]), held_out[best]


def _solutions(
    sums: _Sums, penalties: Sequence[float]
) -> list[tuple[Float[np.ndarray, "features inputs"], Float[np.ndarray, " features"]]]:
    """Return weight and bias for each penalty, from one decomposition."""
    inputs, targets = sums.inputs / sums.count, sums.targets / sums.count
    covariance = sums.square / sums.count - np.outer(inputs, inputs)
    scale = np.sqrt(np.clip(np.diag(covariance), 0.0, None))
    scale = np.where(scale > 1e-6 * (1 + np.abs(inputs)), scale, np.inf)  # a constant says nothing
    cross = (sums.cross / sums.count - np.outer(inputs, targets)) / scale[:, None]
    values, vectors = np.linalg.eigh(covariance / np.outer(scale, scale))
    rotated = vectors.T @ cross
    found = []
    for penalty in penalties:
        inverse = 1.0 / (np.clip(values, 0.0, None) + penalty)
        weight = ((vectors @ (inverse[:, None] * rotated)) / scale[:, None]).T
        found.append((weight, targets - weight @ inputs))
    return found


def _mean_cosine(
    found: Float[np.ndarray, "studies features"], targets: Float[np.ndarray, "studies features"]
) -> float:
    lengths = np.linalg.norm(found, axis=1) * np.linalg.norm(targets, axis=1)
    return float(np.mean((found * targets).sum(axis=1) / np.maximum(lengths, 1e-12)))
