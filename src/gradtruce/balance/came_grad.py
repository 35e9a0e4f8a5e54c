"""CAME-Grad: rectify the mean direction, enhance its magnitude, fuse with the joint gradient."""

from typing import final

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from gradtruce.gradients.balancer import Balancer, TaskStatistics
from gradtruce.gradients.solvers.rectification import (
    fuse,
    norm,
    rectify,
    require_stages,
    significant,
)


@final
class CAMEGrad(
    Balancer,
    name="came_grad",
    source="CAME-Grad 2026, three stages",
    guarantee="‖update‖ ≤ κ‖Σ λ g‖",
    degree=0.0,
    synchronises="above 8 tasks: the dual is solved on the host",
):
    """Rectify conflicts, restore magnitude (Conflict-Averse Magnitude-Enhanced Gradient Descent).

    With g_k the unweighted task gradients, g0 their mean and g_joint = Σ λ_k g_k:

    1. `rectify`: d = g0 + (ρ‖g0‖/‖g_w‖)·g_w, the direction within ρ‖g0‖ of g0 whose smallest inner
       product with a task gradient is largest (the dual of CAGrad, solved exactly);
    2. `enhance`: scale d to the norm κ‖g_joint‖;
    3. `fuse`: (1 − ν)·enhanced + ν·κ·g_joint.

    Everything happens in coefficients, which are never negative: each step is a weighted sum of the
    losses, with weights chosen by geometry. The result does not depend on the scale of the
    gradients.

    The paper's code is not public and its text leaves the weights' place open. Here λ enters
    g_joint alone; `fold_weights=True` is the second reading, λ folded into the rows beforehand.
    Where the rows nearly cancel, ‖g_joint‖/‖d‖ would explode in the first reading; it is capped at
    `max_gain`·Σλ, and the record's flag "gain_capped" says so. Where the dual's optimum is a
    mixture of norm zero its direction is undefined: then d = g0, flag "stationary".

    Args:
        radius: ρ, share of ‖g0‖ by which the direction may leave the mean gradient; at least 0.
        gain: κ, norm of the update in units of ‖g_joint‖ before fusion; above 0. Under Adam and
            AdamW without clipping a constant gain changes nothing.
        fusion: ν, share of the joint gradient, from 0 to 1.
        fold_weights: Whether λ scales the task gradients before stage 1.
        max_gain: Cap of stage 2, in units of Σλ; above 0.

    Raises:
        ValueError: If an argument is out of its range.

    >>> gramian = torch.tensor([[1.0, -0.5], [-0.5, 4.0]], dtype=torch.float64)
    >>> CAMEGrad(radius=0.5, gain=1.5, fusion=0.2).coefficients(TaskStatistics(gramian))
    tensor([2.2596, 1.2798], dtype=torch.float64)
    """

    gain_capped: Tensor
    stationary: Tensor

    def __init__(
        self,
        radius: float = 0.5,
        gain: float = 1.5,
        fusion: float = 0.2,
        *,
        fold_weights: bool = False,
        max_gain: float = 10.0,
    ) -> None:
        super().__init__()
        require_stages(radius, gain, fusion)
        if not max_gain > 0:
            raise ValueError(f"max_gain must be above 0, got {max_gain}")
        self.radius, self.gain, self.fusion = radius, gain, fusion
        self.fold_weights, self.max_gain = fold_weights, max_gain
        self.register_buffer("gain_capped", torch.tensor(False), persistent=False)
        self.register_buffer("stationary", torch.tensor(False), persistent=False)

    def coefficients(self, step: TaskStatistics) -> Float[Tensor, "*blocks tasks"]:
        """Return a; λ for tasks that are inactive or whose row is below 1e-12 of the largest."""
        gramian, weights = step.gramian.to(torch.float64), step.weights.to(torch.float64)
        joint = torch.ones_like(weights) if self.fold_weights else weights
        if self.fold_weights:
            gramian = gramian * weights.outer(weights)
        active = step.active & significant(gramian)
        joint = joint * active
        direction, self.stationary = rectify(gramian, self.radius, active)
        enhanced, self.gain_capped = enhance(
            direction, gramian, joint, gain=self.gain, max_gain=self.max_gain
        )
        fused = fuse(enhanced, self.gain * joint, self.fusion)
        return torch.where(active, fused * weights if self.fold_weights else fused, weights)

    def flags(self) -> dict[str, Bool[Tensor, ""]]:
        """Return whether the gain was capped, and whether the direction fell back on the mean."""
        return {"gain_capped": self.gain_capped.any(), "stationary": self.stationary.any()}


def enhance(
    direction: Float[Tensor, "*blocks tasks"],
    gramian: Float[Tensor, "*blocks tasks tasks"],
    joint: Float[Tensor, "*#blocks tasks"],
    *,
    gain: float,
    max_gain: float,
) -> tuple[Float[Tensor, "*blocks tasks"], Bool[Tensor, "*blocks"]]:
    """Return stage 2: the direction scaled to the norm κ‖g_joint‖, and whether the cap was reached.

    Args:
        direction: Coefficients of the direction.
        gramian: G.
        joint: λ, the coefficients of the joint gradient; 0 for tasks that do not count.
        gain: κ.
        max_gain: The ratio ‖g_joint‖/‖direction‖ is at most this, times Σλ.

    >>> G, joint = torch.eye(2), torch.tensor([1.0, 1.0])
    >>> enhance(torch.tensor([0.5, 0.5]), G, joint, gain=1.5, max_gain=10.0)
    (tensor([1.5000, 1.5000]), tensor(False))
    """
    cap = max_gain * joint.sum(-1)
    length = norm(gramian, direction)
    ratio = norm(gramian, joint.expand_as(direction)) / length
    capped = ratio > cap
    ratio = torch.where(capped | (length == 0), cap, ratio)
    return gain * ratio.unsqueeze(-1) * direction, capped
