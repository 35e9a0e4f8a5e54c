"""IMTL-G: the update that has the same cosine with every task gradient."""

from typing import final

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from gradtruce.gradients.balancer import Balancer, TaskStatistics
from gradtruce.gradients.solvers.rectification import significant

_RANK = 1e-10  # eigenvalue of the cosines, a task, below which too few of its digits are known
_ALONG = 1e-6  # part of (1, …, 1) along an eigenvector, at or below which it is rounding


@final
class IMTLG(
    Balancer,
    name="imtlg",
    source="Liu et al. 2021 (IMTL), eq. 6",
    guarantee="equal cosines with all tasks, never negative",
    degree=0.0,
    synchronises="above 2 tasks: the eigendecomposition checks its success on the host",
):
    """Give the update one and the same projection on every task (Liu et al. 2021, IMTL-G).

    With g_k the task gradients times their static weights, n_k = ‖g_k‖ and C their cosines: the
    update is Σ a_k g_k with Σ a_k = 1 and ⟨g_k, update⟩/n_k equal for all k, so that a = v/Σv,
    v = C⁻¹1/n; for two tasks a = (n_2, n_1)/(n_1 + n_2). The direction depends on no scale of a
    loss, so that λ changes the length alone. A task of weight 0 is left out.

    Where 1 is not in the range of C, the only update with equal projections is zero (opposite
    gradients); that limit is taken, and (pseudo-)inverses where 1 is in it (parallel gradients).
    The authors' code inverts a matrix that is singular for parallel gradients; TorchJD's
    pseudo-inverse of G jumps where gradients become opposite.

    From three tasks on some coefficients may be negative, and Σv too: a = v/Σv then points
    **uphill for every task**, and explodes where Σv nears zero. So Σv counts as `floor`·Σ|v| at
    least, which keeps all projections positive and Σ|a| within 1/`floor`; flag "sum_floored".
    Published codes lack this guard, and divide.

    Args:
        floor: Smallest Σv, in units of Σ|v|; above 0 and at most 1.

    Raises:
        ValueError: If `floor` is out of its range.

    >>> gramian = torch.tensor([[1.0, 0.5], [0.5, 9.0]], dtype=torch.float64)
    >>> IMTLG().coefficients(TaskStatistics(gramian))
    tensor([0.7500, 0.2500], dtype=torch.float64)
    """

    sum_floored: Tensor

    def __init__(self, *, floor: float = 0.1) -> None:
        super().__init__()
        if not 0 < floor <= 1:
            raise ValueError(f"floor must be above 0 and at most 1, got {floor}")
        self.floor = floor
        self.register_buffer("sum_floored", torch.tensor(False), persistent=False)

    def coefficients(self, step: TaskStatistics) -> Float[Tensor, "*blocks tasks"]:
        """Return a; λ for tasks that are inactive or whose row is below 1e-12 of the largest."""
        weights = step.weights.to(torch.float64)
        gramian = step.gramian.to(torch.float64) * weights.outer(weights)
        active = step.active & significant(gramian)
        norms = gramian.diagonal(dim1=-2, dim2=-1).clamp_min(0.0).sqrt()
        largest = norms.amax(-1, keepdim=True)
        norms = torch.where(active, norms / torch.where(largest > 0, largest, 1.0), 1.0)
        v = equal_projections(gramian, active) / norms
        total, size = v.sum(-1, keepdim=True), v.abs().sum(-1, keepdim=True)
        self.sum_floored = (total < self.floor * size).squeeze(-1)
        total = torch.maximum(total, self.floor * size)
        a = weights * v / torch.where(total == 0, 1.0, total)
        return torch.where(active, a, weights)

    def flags(self) -> dict[str, Bool[Tensor, ""]]:
        """Return whether the sum of v was too small to be divided by."""
        return {"sum_floored": self.sum_floored.any()}


def equal_projections(
    gramian: Float[Tensor, "*blocks tasks tasks"], active: Bool[Tensor, "*blocks tasks"]
) -> Float[Tensor, "*blocks tasks"]:
    """Return z ∝ C⁻¹1 over the active tasks, C their cosines; zero for the others.

    Where C is singular: a z with Cz = 1 if there is one, else of Cz = 0, up to 1e-10.

    >>> G = torch.tensor([[1.0, -2.0], [-2.0, 4.0]], dtype=torch.float64)  # opposite
    >>> equal_projections(G, torch.tensor([True, True]))
    tensor([1., 1.], dtype=torch.float64)
    """
    ones = active.to(gramian)
    if gramian.shape[-1] <= 2:
        return ones + 0.0 * gramian.sum(
            -1
        )  # C is symmetric under exchange of two; NaN goes through
    norms = gramian.diagonal(dim1=-2, dim2=-1).clamp_min(0.0).sqrt()
    norms = torch.where(active, norms, 1.0)
    cosines = gramian / (norms.unsqueeze(-1) * norms.unsqueeze(-2))
    finite = cosines.isfinite().all(-1).all(-1)[..., None, None]
    identity = torch.eye(gramian.shape[-1], dtype=gramian.dtype, device=gramian.device)
    counted = active.unsqueeze(-1) & active.unsqueeze(-2)
    values, vectors = torch.linalg.eigh(torch.where(counted & finite, cosines, identity))
    along = (vectors.transpose(-1, -2) @ ones.unsqueeze(-1)).squeeze(-1)
    rounding = _RANK * gramian.shape[-1]
    along = torch.where((values <= rounding) & (along.abs() <= _ALONG), 0.0, along)
    z = (vectors @ (along / values.clamp_min(rounding)).unsqueeze(-1)).squeeze(-1)
    return torch.where(finite.squeeze(-1), z * ones, torch.nan)
