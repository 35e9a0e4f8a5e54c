"""The SGLD ablation of CAME-Grad: isotropic noise in place of its second stage."""

import math
from collections.abc import Sequence
from typing import Final, final

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from gradtruce.gradients.balancer import Balancer, TaskStatistics
from gradtruce.gradients.counter import Draws
from gradtruce.gradients.solvers.adam import require_rate
from gradtruce.gradients.solvers.rectification import (
    fuse,
    norm,
    rectify,
    require_stages,
    significant,
)

KINDS: Final = ("energy", "temperature")


@final
class SGLD(
    Balancer,
    name="sgld",
    source="CAME-Grad 2026, ablation; Welling and Teh 2011, eq. 4",
    degree=0.0,
    synchronises="above 8 tasks: the dual is solved on the host",
):
    """Rectify as CAME-Grad does, add normal noise in place of magnitude, fuse.

    With g_rect the direction of stage 1 (radius ρ), g_joint = Σ λ_k g_k and ξ one standard normal
    number a coordinate, the update is (1 − ν)·(g_rect + σξ) + ν·κ·g_joint. The paper gives no σ:

    - `noise="energy"`: σ² = max(κ²‖g_joint‖² − ‖g_rect‖², 0)/P, with P numbers in scope, so that
      the square of the norm before fusion is, in the mean, that which stage 2 would have restored:
      the fair control;
    - `noise="temperature"`: σ = √(2T/η), the noise of Langevin dynamics at temperature T under SGD
      of learning rate η. Set `learning_rate` when the schedule changes it.

    Stage 3 is CAME-Grad's, κ included, for both. λ enters g_joint alone, as there. Under Adam the
    noise goes through the preconditioner and samples nothing; with either noise it is part of the
    gradient that is clipped by value, and no part of the record. ξ is a hash of seed, step and
    coordinate, the same on all ranks; it needs `seed=`. The coefficients are of degree 0, and so
    is the noise by energy; the noise by temperature does not change with the scale of the losses.

    Args:
        radius: ρ, share of ‖g0‖ by which the direction may leave the mean gradient; at least 0.
        gain: κ, above 0.
        fusion: ν, share of the joint gradient, from 0 to 1.
        noise: "energy" or "temperature".
        temperature: T, at least 0; in the unit of the losses.
        learning_rate: η of the user's optimizer, above 0.

    Raises:
        ValueError: If an argument is out of its range.

    >>> gramian = torch.tensor([[1.0, -0.5], [-0.5, 4.0]], dtype=torch.float64)
    >>> SGLD(radius=0.5, gain=1.5, fusion=0.2).coefficients(TaskStatistics(gramian))
    tensor([1.1000, 0.7000], dtype=torch.float64)
    """

    excess: Tensor
    stationary: Tensor

    def __init__(
        self,
        radius: float = 0.5,
        gain: float = 1.5,
        fusion: float = 0.2,
        *,
        noise: str = "energy",
        temperature: float = 1e-6,
        learning_rate: float = 1e-4,
    ) -> None:
        super().__init__()
        require_stages(radius, gain, fusion)
        if noise not in KINDS:
            raise ValueError(f"noise must be 'energy' or 'temperature', got {noise!r}")
        if not 0 <= temperature < math.inf:
            raise ValueError(f"temperature must be at least 0, got {temperature}")
        require_rate(learning_rate)
        self.radius, self.gain, self.fusion, self.noise = radius, gain, fusion, noise
        self.temperature, self.learning_rate = temperature, learning_rate
        excess = torch.zeros((), dtype=torch.float64)
        self.register_buffer("excess", excess, persistent=False)  # of one step, for its noise
        self.register_buffer("stationary", torch.tensor(False), persistent=False)

    def coefficients(self, step: TaskStatistics) -> Float[Tensor, "*blocks tasks"]:
        """Return a of the update without noise; λ for tasks that say nothing."""
        gramian, weights = step.gramian.to(torch.float64), step.weights.to(torch.float64)
        active = step.active & significant(gramian)
        joint = weights * active
        direction, self.stationary = rectify(gramian, self.radius, active)
        wanted = self.gain * norm(gramian, joint.expand_as(direction))
        self.excess = (wanted.square() - norm(gramian, direction).square()).clamp_min(0.0)
        fused = fuse(direction, self.gain * joint, self.fusion)
        return torch.where(active, fused, weights)

    def add(self, gradients: Sequence[Tensor | None], draws: Draws, scale: float | Tensor) -> None:
        """Add (1 − ν)·σξ in place."""
        size = self.deviation(draws.count) * (1 - self.fusion) * scale
        for place, gradient in enumerate(gradients):
            if gradient is not None:
                noise = draws.normal(place, gradient)
                gradient.add_(noise.mul_(size.to(noise.dtype).to(noise.device)))

    def deviation(self, count: int) -> Float[Tensor, "*blocks"]:
        """Return σ of the last step, for the given count of numbers in scope."""
        if self.noise == "energy":
            return (self.excess / max(count, 1)).sqrt()
        langevin = math.sqrt(2 * self.temperature / self.learning_rate)
        return torch.full_like(self.excess, langevin)

    def flags(self) -> dict[str, Bool[Tensor, ""]]:
        """Return whether the direction fell back on the mean."""
        return {"stationary": self.stationary.any()}
