"""Eigenvalues of a Gramian, and which of them are there."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

NOISE = 1.2e-7  # float32 rounding: times K, an eigenvalue in units of the largest taken for zero


class Spectrum(NamedTuple):
    """Eigenvalues and vectors of a symmetric matrix.

    Attributes:
        values: In rising order; NaN for a matrix with a number that is not finite.
        vectors: One a column.
        kept: Which values are above rounding; the others stand for directions without a gradient.
    """

    values: Float[Tensor, "*blocks tasks"]
    vectors: Float[Tensor, "*blocks tasks tasks"]
    kept: Bool[Tensor, "*blocks tasks"]


def spectrum(
    matrix: Float[Tensor, "*#blocks tasks tasks"], counted: Bool[Tensor, "*#blocks tasks"]
) -> Spectrum:
    """Return the spectrum of a positive semidefinite matrix, in float64.

    Eigenvalues below K·1.2e-7 of the largest are taken for zero, as in the public codes of the
    methods that ask: Gramians summed in float32 are not known better.

    Args:
        matrix: Zero in rows and columns of tasks that do not count.
        counted: Tasks that count, which are K.

    >>> spectrum(torch.tensor([[1.0, 1.0], [1.0, 1.0]]), torch.tensor([True, True])).kept
    tensor([False,  True])
    """
    matrix = matrix.to(torch.float64)
    is_finite = matrix.isfinite().all(-1).all(-1, keepdim=True)
    values, vectors = torch.linalg.eigh(torch.where(is_finite.unsqueeze(-1), matrix, 0.0))
    kept = values > counted.sum(-1, keepdim=True) * NOISE * values[..., -1:]
    return Spectrum(torch.where(is_finite, values, torch.nan), vectors, kept)
