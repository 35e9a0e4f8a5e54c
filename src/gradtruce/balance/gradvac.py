"""GradVac: task gradients bent until their cosines are what they usually are."""

from collections.abc import Sequence
from typing import final

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from gradtruce.gradients.balancer import Balancer, TaskStatistics
from gradtruce.gradients.prefixes import blocks_by_prefix
from gradtruce.gradients.solvers.orders import random_orders
from gradtruce.gradients.solvers.rectification import significant

_STEEPEST = 0.999  # largest cosine aimed at: a right angle is turned to it by 22 times ‖v‖
_VANISHED = 1e-6  # ‖v_i‖ in units of what it is the sum of, at or below which it has no direction


@final
class GradVac(
    Balancer,
    name="gradvac",
    needs="blocks",
    source="Wang et al. 2021, algorithm 1",
    degree=0.0,
):
    """Vaccinate gradients: aim at a cosine that is learned for every pair of tasks.

    Each v_i starts as g_i and meets the other tasks j in an order drawn for i. With φ the cosine of
    v_i and g_j and φ̂_ij its running mean, v_i gains

        ‖v_i‖·(φ̂√(1 − φ²) − φ√(1 − φ̂²)) / (‖g_j‖√(1 − φ̂²)) · g_j   where φ < φ̂,

    after which its cosine with g_j is φ̂; then φ̂ ← (1 − β)φ̂ + βφ, with the φ from before. The update
    is Σ λ_i v_i, a sum; λ changes no cosine. φ̂ starts at 0, and a first step is one of `PCGrad`.

    A pair of which one is inactive, or has no gradient in a block, keeps its φ̂. Where a v_i has
    vanished (two opposite gradients) it has no cosine and stays. φ̂ is taken for at most 0.999, as
    the formula has a pole at 1. Two tasks need no seed; from three on the order is drawn.

    The paper's β is 0.01; LibMTL and TorchJD take 0.5. It applies the rule to the whole gradient,
    or layer by layer, or to groups of parameters: `prefixes` gives such groups.

    Args:
        decay: β, above 0 and at most 1.
        prefixes: Beginnings of parameter names, in whole parts between dots, each a block of its
            own, with one more for the other parameters; none makes the model one block.

    Raises:
        ValueError: If `decay` is out of its range, or a prefix stands there twice.

    >>> balancer = GradVac(decay=0.5)
    >>> balancer.bind(["report", "findings"])
    >>> gramian = torch.tensor([[1.0, 0.6], [0.6, 1.0]], dtype=torch.float64)
    >>> balancer.coefficients(TaskStatistics(gramian)), balancer.targets[0, 0]
    (tensor([1., 1.], dtype=torch.float64), tensor([0.0000, 0.3000], dtype=torch.float64))
    """

    targets: Float[Tensor, "blocks tasks tasks"]

    def __init__(self, decay: float = 0.01, *, prefixes: Sequence[str] = ()) -> None:
        super().__init__()
        if not 0 < decay <= 1:
            raise ValueError(f"decay must be above 0 and at most 1, got {decay}")
        if len(set(prefixes)) != len(prefixes):
            raise ValueError(f"prefixes must differ, got {', '.join(prefixes)}")
        self.decay, self.prefixes = decay, tuple(prefixes)

    def bind(self, tasks: Sequence[str]) -> None:
        """Start all targets at zero."""
        blocks = len(self.prefixes) + 1
        start = torch.zeros(blocks, len(tasks), len(tasks), dtype=torch.float64)
        self.register_buffer("targets", start)

    def blocks(self, names: Sequence[str]) -> Sequence[int]:
        """Return the block of every parameter; the last is for those that no prefix names."""
        return blocks_by_prefix(names, self.prefixes)

    def coefficients(self, step: TaskStatistics) -> Float[Tensor, "*blocks tasks"]:
        """Return a, and let the targets follow.

        Raises:
            ValueError: If there are three tasks or more and no seed was given.
        """
        weights, G = step.weights.to(torch.float64), step.gramian.to(torch.float64)
        orders = random_orders(len(weights), step.generator, G.device, of="GradVac")
        present = self.targets[: len(G)] if G.dim() > 2 else self.targets[0]
        active = step.active & significant(G)
        rows, seen = vaccinate(G, present, orders, active)
        moved = (1 - self.decay) * present + self.decay * seen
        present.copy_(torch.where(seen.isfinite(), moved, present))
        own = (weights * active).unsqueeze(-2)
        return torch.where(active, (own @ rows).squeeze(-2), weights)


def vaccinate(
    gramian: Float[Tensor, "*blocks tasks tasks"],
    targets: Float[Tensor, "*blocks tasks tasks"],
    orders: Int[Tensor, "tasks tasks"],
    active: Bool[Tensor, "*blocks tasks"],
) -> tuple[Float[Tensor, "*blocks tasks tasks"], Float[Tensor, "*blocks tasks tasks"]]:
    """Return the coefficients of v_i in row i, and the cosines met, NaN where there is none.

    Args:
        gramian: G.
        targets: φ̂.
        orders: In row i, the order in which v_i meets the tasks; itself is passed over.
        active: Tasks that meet and are met.

    >>> G = torch.tensor([[1.0, -1.0], [-1.0, 4.0]], dtype=torch.float64)
    >>> order, everyone = torch.tensor([[0, 1], [1, 0]]), torch.tensor([True, True])
    >>> vaccinate(G, torch.zeros(2, 2), order, everyone)[0]
    tensor([[1.0000, 0.2500],
            [1.0000, 1.0000]], dtype=torch.float64)
    """
    tasks = gramian.shape[-1]
    itself = torch.eye(tasks, dtype=torch.bool, device=gramian.device)
    pairs = active.unsqueeze(-2) & active.unsqueeze(-1) & ~itself
    squares = torch.where(active, gramian.diagonal(dim1=-2, dim2=-1), 1.0)
    norms = squares.sqrt().unsqueeze(-2)
    aim = targets.to(gramian).clamp(-_STEEPEST, _STEEPEST)
    aim_sine = (1 - aim.square()).sqrt()
    rows = itself.to(gramian).expand(gramian.shape)
    seen = torch.full_like(gramian, torch.nan)
    for met in torch.nn.functional.one_hot(orders, tasks).bool().unbind(-2):
        products = rows @ gramian
        length = (products * rows).sum(-1, keepdim=True).clamp_min(0.0).sqrt()
        there = length > _VANISHED * (rows.abs() * norms).sum(-1, keepdim=True)
        cosine = (products / (length * norms)).clamp(-1.0, 1.0)
        sine = (1 - cosine.square()).sqrt()
        gained = length * (aim * sine - cosine * aim_sine) / (norms * aim_sine)
        meets = met & pairs & there
        seen = torch.where(meets, cosine, seen)
        rows = rows + torch.where(meets & (cosine < aim), gained, 0.0)
    return rows, seen
