"""MMPareto: in every part of the model, the Pareto direction of its tasks at restored length."""

import math
from collections.abc import Sequence
from typing import final

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from gradtruce.gradients.balancer import Balancer, TaskStatistics
from gradtruce.gradients.prefixes import blocks_by_module, blocks_by_prefix
from gradtruce.gradients.solvers.faces import NOISE
from gradtruce.gradients.solvers.rectification import norm, significant
from gradtruce.gradients.solvers.simplex import min_norm_weights

GROUPINGS = ("tasks", "primary")


@final
class MMPareto(
    Balancer,
    name="mmpareto",
    needs="blocks",
    source="Wei and Hu 2024, algorithm 1",
    guarantee="⟨λ_k g_k, update⟩ ≥ 0 for every task",
    degree=0.0,
    synchronises="above 8 tasks: the nearest point is found on the host",
):
    """Follow the Pareto direction where tasks conflict, block by block (Wei and Hu 2024).

    In every block of parameters, with g_k the gradients times λ_k of the n tasks that reach it:

    1. without conflict (no negative cosine) all weights are α = 1/n, else those of the point in
       the gradients' hull that is nearest to zero (MGDA, solved exactly);
    2. h = n·Σ α_k g_k is given the length of the sum: the update is γ·max(‖Σ g_k‖/‖h‖, 1)·h.

    Parameters that one task alone reaches get λ_k g_k. The update has the norm γ‖Σ g_k‖ wherever
    h has a direction; where the nearest point is zero it has none, and is left at zero, with the
    record's flag "stationary".

    The paper trains multimodal classifiers: its blocks are the encoders of one modality each, its
    two gradients there those of the multimodal loss and of the loss of that modality alone, while
    heads and fusion follow the plain sum. `prefixes` says so for a model. Without it each part of
    the model is a block: parameters are told apart by the first piece of their names in which not
    all agree. More than two tasks meet as equals, or, with `grouping="primary"`, as the first
    against the sum of the others, which is the paper's pair with auxiliary tasks added up.

    The paper's code restores the length tensor by tensor, where the paper says encoder; keeps
    α within 0.001 to 0.999; never ends its search with three gradients or more where it does not
    converge; and divides by zero where gradients cancel. None of this is done here.

    Args:
        gain: γ, above 0.
        prefixes: Beginnings of parameter names, in whole parts between dots, each a block of its
            own; the other parameters get the plain weighted sum.
        grouping: "tasks" or "primary".

    Raises:
        ValueError: If an argument is out of its range.

    >>> gramian = torch.tensor([[[1.0, 0.0], [0.0, 1.0]], [[4.0, -1.0], [-1.0, 1.0]]])
    >>> MMPareto().coefficients(TaskStatistics(gramian.double()))
    tensor([[1.5000, 1.5000],
            [1.1339, 2.8347]], dtype=torch.float64)
    """

    stationary: Tensor

    def __init__(
        self, gain: float = 1.5, *, prefixes: Sequence[str] = (), grouping: str = "tasks"
    ) -> None:
        super().__init__()
        if not 0 < gain < math.inf:
            raise ValueError(f"gain must be above 0, got {gain}")
        if len(set(prefixes)) != len(prefixes):
            raise ValueError(f"prefixes must differ, got {', '.join(prefixes)}")
        if grouping not in GROUPINGS:
            raise ValueError(f"grouping must be one of {', '.join(GROUPINGS)}; got {grouping!r}")
        self.gain, self.prefixes, self.grouping = gain, tuple(prefixes), grouping
        self.register_buffer("stationary", torch.tensor(False), persistent=False)

    def blocks(self, names: Sequence[str]) -> Sequence[int]:
        """Return the block of every parameter."""
        if not self.prefixes:
            return blocks_by_module(names)
        return blocks_by_prefix(names, self.prefixes)

    def coefficients(self, step: TaskStatistics) -> Float[Tensor, "*blocks tasks"]:
        """Return a; λ for a task without gradient in a block, and for one that is alone there."""
        weights = step.weights.to(torch.float64)
        G = step.gramian.to(torch.float64) * weights.outer(weights)
        reaching = step.active & significant(G)
        if self.grouping == "primary":
            found, stationary = _primary_and_others(G, reaching)
        else:
            found, stationary = pareto(G, reaching)
        shared = reaching & (found > 0).any(-1, keepdim=True)
        if self.prefixes and G.dim() > 2:
            listed = torch.arange(len(G), device=G.device) < len(self.prefixes)
            shared = shared & listed.unsqueeze(-1)
            stationary = stationary & listed
        self.stationary = stationary.any()
        return torch.where(shared, self.gain * found * weights, weights)

    def flags(self) -> dict[str, Bool[Tensor, ""]]:
        """Return whether the gradients of a block cancel, so that it has no Pareto direction."""
        return {"stationary": self.stationary}


def pareto(
    gramian: Float[Tensor, "*blocks tasks tasks"], active: Bool[Tensor, "*blocks tasks"]
) -> tuple[Float[Tensor, "*blocks tasks"], Bool[Tensor, "*blocks"]]:
    """Return the coefficients of max(‖Σ g_k‖/‖h‖, 1)·h, and where h has no direction.

    They are all zero where fewer than two tasks are active.

    >>> opposite = torch.tensor([[1.0, -2.0], [-2.0, 4.0]], dtype=torch.float64)
    >>> found, stationary = pareto(opposite, torch.tensor([True, True]))
    >>> found, bool(stationary)
    (tensor([1.3333, 0.6667], dtype=torch.float64), True)
    """
    pairs = active.unsqueeze(-1) & active.unsqueeze(-2)
    G, total = gramian.masked_fill(~pairs, 0.0), active.to(gramian)
    conflict = (G < 0).any(-1).any(-1, keepdim=True)
    count = total.sum(-1, keepdim=True)
    h = torch.where(conflict, count * min_norm_weights(G, active), total)
    length = norm(G, h)
    largest = G.diagonal(dim1=-2, dim2=-1).amax(-1).sqrt()
    stationary = conflict.squeeze(-1) & (length <= NOISE * largest)
    ratio = torch.where(stationary, 1.0, norm(G, total) / length).clamp_min(1.0)
    ratio = torch.where(count.squeeze(-1) > 1, ratio, 0.0)
    return ratio.unsqueeze(-1) * h, stationary


def _primary_and_others(
    G: Float[Tensor, "*blocks tasks tasks"], active: Bool[Tensor, "*blocks tasks"]
) -> tuple[Float[Tensor, "*blocks tasks"], Bool[Tensor, "*blocks"]]:
    """Return the same, with the first task as one and the sum of the others as two."""
    is_first = torch.arange(G.shape[-1], device=G.device) == 0
    members = torch.stack([active & is_first, active & ~is_first], -2).to(G)
    pair = members @ G @ members.transpose(-1, -2)
    there = members.any(-1) & significant(pair)
    found, stationary = pareto(pair, there)
    return (found.unsqueeze(-2) @ members).squeeze(-2), stationary
