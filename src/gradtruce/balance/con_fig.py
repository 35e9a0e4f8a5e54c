"""ConFIG: the direction that makes the same angle with every task gradient."""

from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from gradtruce.gradients.balancer import Balancer, TaskStatistics
from gradtruce.gradients.solvers.spectrum import spectrum

_NO_DIRECTION = 1e-12  # share of ‖λ‖² below which no direction has the wanted cosines


@final
class ConFIG(
    Balancer,
    name="con_fig",
    source="Liu et al. 2025, the ConFIG operator",
    guarantee="⟨g_k, update⟩ > 0 for every task, where gradients are independent",
    degree=0.0,
    synchronises="eigenvalues: torch checks on the host whether they were found",
):
    """Go where every task improves at the same rate (conflict-free inverse gradients).

    With u_k = g_k/‖g_k‖ and U their matrix, the direction is that of U⁺λ, whose cosines with the
    task gradients are in the ratio of λ (1, so equal, in the paper); its length is the length of
    the joint gradient along it, Σ λ_k g_k·d̂. As coefficients: U⁺ = Uᵀ(UUᵀ)⁺, so that
    d ∝ Jᵀ D⁻¹C⁺λ, with D = diag ‖g_k‖ and C the matrix of cosines. The direction does not depend
    on the scale of any task.

    Eigenvalues of C below K·1.2e-7 of the largest are taken for zero, as the pseudo-inverse of the
    authors' code does for U in float32; equal cosines are then met in the mean square. Where no
    direction comes near them, as for two opposite gradients, the update is zero.

    The authors' code and TorchJD take the pseudo-inverse of the whole (tasks, parameters) matrix.

    >>> gramian = torch.tensor([[1.0, 0.0], [0.0, 4.0]], dtype=torch.float64)
    >>> ConFIG().coefficients(TaskStatistics(gramian))
    tensor([1.5000, 0.7500], dtype=torch.float64)
    """

    def coefficients(self, step: TaskStatistics) -> Float[Tensor, "*blocks tasks"]:
        """Return a; 0 for a task that is inactive or has a gradient of zero."""
        G = step.gramian.to(torch.float64)
        squares = G.diagonal(dim1=-2, dim2=-1)
        counted = step.active & ~(squares <= 0)  # NaN must go through
        norms = torch.where(counted, squares, 1.0).sqrt()
        pairs = counted.unsqueeze(-1) & counted.unsqueeze(-2)
        cosines = G.masked_fill(~pairs, 0.0) / (norms.unsqueeze(-1) * norms.unsqueeze(-2))
        values, vectors, kept = spectrum(cosines, counted)
        wanted = step.weights.to(G) * counted
        along = (vectors.transpose(-1, -2) @ wanted.unsqueeze(-1)).squeeze(-1)
        along = torch.where(kept, along, 0.0)
        shares = along / torch.where(kept, values, 1.0)  # C⁺λ in the basis of the eigenvectors
        reached = (vectors @ along.unsqueeze(-1)).squeeze(-1)  # CC⁺λ: cosines, times ‖Jᵀa‖
        length = (wanted * norms * reached).sum(-1) / (along * shares).sum(-1)
        near = along.square().sum(-1) > _NO_DIRECTION * wanted.square().sum(-1)
        length = torch.where(near, length, 0.0) + 0 * values[..., -1]  # NaN must go through
        inverse = (vectors @ shares.unsqueeze(-1)).squeeze(-1)
        return torch.where(counted, length.unsqueeze(-1) * inverse / norms, 0.0)
