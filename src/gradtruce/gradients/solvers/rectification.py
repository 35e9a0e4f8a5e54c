"""Stages of conflict-averse methods in coefficients: CAGrad, CAME-Grad and its ablation."""

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from gradtruce.gradients.solvers.faces import NOISE
from gradtruce.gradients.solvers.simplex import dual_weights

INACTIVE = 1e-12  # norm of a row in units of the largest, at or below which it says nothing


def significant(gramian: Float[Tensor, "*blocks tasks tasks"]) -> Bool[Tensor, "*blocks tasks"]:
    """Return which rows are larger than 1e-12 of the largest.

    >>> significant(torch.diag(torch.tensor([1.0, 0.0])))
    tensor([ True, False])
    """
    squares = gramian.diagonal(dim1=-2, dim2=-1)
    return ~(squares <= INACTIVE**2 * squares.amax(-1, keepdim=True))  # NaN must go through


def rectify(
    gramian: Float[Tensor, "*blocks tasks tasks"],
    radius: float,
    active: Bool[Tensor, "*blocks tasks"] | None = None,
) -> tuple[Float[Tensor, "*blocks tasks"], Bool[Tensor, "*blocks"]]:
    """Return coefficients of d = g0 + (ρ‖g0‖/‖g_w‖)·g_w, and whether d fell back on g0.

    It does where ‖g_w‖ is below 1e-6 of the largest row, so that its direction is noise.

    Args:
        gramian: G.
        radius: ρ; 0 returns the mean, which is how stage 1 is left out.
        active: Tasks that count, in the mean too; all by default.

    >>> opposite = torch.tensor([[1.0, -2.0], [-2.0, 4.0]], dtype=torch.float64)
    >>> direction, stationary = rectify(opposite, 0.5)
    >>> direction, bool(stationary)
    (tensor([0.7500, 0.5000], dtype=torch.float64), False)
    """
    if active is None:
        active = torch.ones(gramian.shape[:-1], dtype=torch.bool, device=gramian.device)
    gramian = gramian.to(torch.float64).masked_fill(
        ~(active.unsqueeze(-1) & active.unsqueeze(-2)), 0
    )
    mean = active / active.sum(-1, keepdim=True).clamp_min(1).to(gramian)
    reach = radius * norm(gramian, mean)
    w = dual_weights(gramian, mean, radius, active)
    length = norm(gramian, w)
    largest = gramian.diagonal(dim1=-2, dim2=-1).amax(-1).sqrt()
    stationary = (length <= NOISE * largest) & (reach > 0)
    step = torch.where(stationary | (reach == 0), 0.0, reach / length)
    return mean + step.unsqueeze(-1) * w, stationary


def fuse(
    direction: Float[Tensor, "*blocks tasks"],
    joint: Float[Tensor, "*#blocks tasks"],
    fusion: float,
) -> Float[Tensor, "*blocks tasks"]:
    """Return stage 3: (1 − ν)·direction + ν·joint.

    CAME-Grad passes κλ as `joint`. Leaving out stage 2 is `fuse(rectified, λ, ν)`.

    >>> fuse(torch.tensor([1.0, 3.0]), torch.tensor([1.0, 1.0]), 0.5)
    tensor([1., 2.])
    """
    return (1 - fusion) * direction + fusion * joint


def norm(
    gramian: Float[Tensor, "*blocks tasks tasks"], coefficients: Float[Tensor, "*blocks tasks"]
) -> Float[Tensor, "*blocks"]:
    """Return ‖Jᵀa‖ = √(aᵀGa).

    >>> norm(torch.eye(2), torch.tensor([3.0, 4.0]))
    tensor(5.)
    """
    products = (gramian @ coefficients.unsqueeze(-1)).squeeze(-1)
    return (coefficients * products).sum(-1).clamp_min(0.0).sqrt()


def require_stages(radius: float, gain: float, fusion: float) -> None:
    """Refuse a radius, gain or fusion out of its range.

    Raises:
        ValueError: If one is.

    >>> require_stages(0.5, 1.5, 2.0)
    Traceback (most recent call last):
    ValueError: fusion must be from 0 to 1, got 2.0
    """
    if not 0 <= radius < math.inf:
        raise ValueError(f"radius must be at least 0, got {radius}")
    if not 0 < gain < math.inf:
        raise ValueError(f"gain must be above 0, got {gain}")
    if not 0 <= fusion <= 1:
        raise ValueError(f"fusion must be from 0 to 1, got {fusion}")
