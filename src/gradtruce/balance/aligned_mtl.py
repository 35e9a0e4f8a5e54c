"""Aligned-MTL: replace the task gradients by the nearest orthogonal ones of equal length."""

from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from gradtruce.gradients.balancer import Balancer, TaskStatistics
from gradtruce.gradients.solvers.spectrum import spectrum

SCALES = ("min", "median", "rmse")


@final
class AlignedMTL(
    Balancer,
    name="aligned_mtl",
    source="Senushkin et al. 2023, algorithm 1",
    degree=0.0,
    synchronises="eigenvalues: torch checks on the host whether they were found",
):
    """Align the principal components of the task gradients: a = Bλ, B = σ·V Λ^(−½) Vᵀ.

    With G = VΛVᵀ, the rows of BJ are the orthogonal gradients of one length σ that lie nearest to
    the task gradients; the update is their sum, weighted by λ (1 in the paper). With σ² the
    smallest eigenvalue ("min") the system keeps its weakest component: ‖update‖² = λ_min·‖λ‖² where
    the gradients are independent. A task may be worked against, though: g_k·d can be negative.

    Eigenvalues below K·1.2e-7 of the largest are taken for zero and their directions dropped, as in
    the paper's code. The rank jumps where a gradient becomes a combination of others, and with
    "min" the length of the update jumps with it. LibMTL calls a function that torch 2 removed.

    Args:
        scale: σ² as "min", "median" (the lower of two) or mean ("rmse") of the kept eigenvalues;
            the paper takes "min".

    Raises:
        ValueError: If `scale` is none of these.

    >>> gramian = torch.tensor([[1.0, 0.0], [0.0, 4.0]], dtype=torch.float64)
    >>> AlignedMTL().coefficients(TaskStatistics(gramian))
    tensor([1.0000, 0.5000], dtype=torch.float64)
    """

    def __init__(self, scale: str = "min") -> None:
        super().__init__()
        if scale not in SCALES:
            raise ValueError(f"scale must be one of {', '.join(SCALES)}; got {scale!r}")
        self.scale = scale

    def coefficients(self, step: TaskStatistics) -> Float[Tensor, "*blocks tasks"]:
        """Return a; λ where all gradients are zero."""
        active = step.active.unsqueeze(-1) & step.active.unsqueeze(-2)
        values, vectors, kept = spectrum(step.gramian.masked_fill(~active, 0.0), step.active)
        weights = step.weights.to(values)
        roots = torch.where(kept, self._square(values, kept).unsqueeze(-1) / values, 0.0).sqrt()
        along = vectors.transpose(-1, -2) @ weights.unsqueeze(-1)
        a = (vectors @ (roots.unsqueeze(-1) * along)).squeeze(-1)
        return torch.where(values[..., -1:] == 0, weights, a + 0 * values[..., -1:])

    def _square(
        self, values: Float[Tensor, "*blocks tasks"], kept: Tensor
    ) -> Float[Tensor, "*blocks"]:
        """Return σ²."""
        rank = kept.sum(-1, keepdim=True).clamp_min(1)
        if self.scale == "rmse":
            return torch.where(kept, values, 0.0).sum(-1) / rank.squeeze(-1)
        lowest = values.shape[-1] - rank  # eigenvalues rise, so the kept ones come last
        place = lowest if self.scale == "min" else lowest + (rank - 1) // 2
        return values.gather(-1, place).squeeze(-1)
