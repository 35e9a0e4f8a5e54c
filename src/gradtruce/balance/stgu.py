"""STGU: groups of tasks that help each other, updated one group after the other."""

from collections.abc import Sequence
from typing import Final, final

import torch
from jaxtyping import Float
from torch import Tensor

from gradtruce.gradients.balancer import Balancer, TaskStatistics
from gradtruce.gradients.counter import Draws
from gradtruce.gradients.solvers.affinity import affinity_propagation

FLOOR: Final = 1e-8  # of a task's affinity to itself, by which a column is divided


@final
class STGU(
    Balancer,
    name="stgu",
    needs="losses",
    is_fixed=True,
    source="Jeong and Yoon 2025, algorithm 1",
    degree=0.0,
    synchronises="tasks are grouped on the host, once a batch",
):
    """Update groups of tasks in turn on each batch (selective task group updates).

    A batch costs, for each group in random order, one forward pass, one update by Σ λ_k L_k over
    its tasks, and one forward pass to see what that did to all losses. So compare it with others
    at equal cost, not at equal epochs; optimizer moments move once a group. Drive it by
    `TaskGradients.step`; it needs `seed=`.

    - Affinity of s, in the group, towards t: B[s,t] ← (1 − β)·B[s,t] + β·v, with
      v = (1 − L_t after / L_t before) / (tasks in the group). Towards itself only v ≥ 0 counts.
      Towards another t of the same group v is v_t where the signs of v_s and v_t agree, else
      −max(v_s, v_t).
    - After `warm_up` batches, of one group a task, each batch groups anew: columns divided by
      B[t,t], made symmetric, clustered by affinity propagation. Where that does not settle the
      groups stay. A single group is updated twice, as published.

    λ weighs the losses of a group; affinities are ratios of unweighted losses. A task without a
    loss in a batch, or with one not above 0, neither measures nor is measured there.

    The public code credits the change that a group makes to the next group in the batch, and never
    measures the last one, because it compares the forward passes before two updates; here each
    change is credited to the group that made it, from the same batch with the same dropout. It
    also divides by B[t,t] ≤ 0; here that is at least 1e-8.

    Args:
        rate: β, share of a new measurement, above 0, up to 1; the paper has 1e-3, and 1e-4 for
            Taskonomy.
        warm_up: Batches before the first grouping.

    Raises:
        ValueError: If an argument is out of its range.

    >>> balancer = STGU(rate=1.0, warm_up=1)
    >>> balancer.bind(["a", "b"])
    >>> sorted(balancer.groups(Draws(seed=0, step=0)))
    [[0], [1]]
    >>> balancer.before_update([0], torch.tensor([2.0, 4.0]))
    >>> balancer.after_step(torch.tensor([1.0, 3.0]))
    >>> balancer.affinity
    tensor([[0.5000, 0.2500],
            [0.0000, 0.0000]], dtype=torch.float64)
    """

    affinity: Tensor
    clusters: Tensor
    seen: Tensor
    batches: Tensor
    losses: Tensor
    members: Tensor

    def __init__(self, rate: float = 1e-3, warm_up: int = 100) -> None:
        super().__init__()
        if not 0 < rate <= 1:
            raise ValueError(f"rate must be above 0 and at most 1, got {rate}")
        if warm_up < 0:
            raise ValueError(f"warm_up must be at least 0, got {warm_up}")
        self.rate, self.warm_up = rate, warm_up

    def bind(self, tasks: Sequence[str]) -> None:
        """Start without affinities, each task a group of its own."""
        count = len(tasks)
        self.register_buffer("affinity", torch.zeros(count, count, dtype=torch.float64))
        self.register_buffer("clusters", torch.arange(count))
        self.register_buffer("seen", torch.zeros(count, dtype=torch.bool))
        self.register_buffer("batches", torch.tensor(0))
        zeros = torch.zeros(count, dtype=torch.float64)
        self.register_buffer("losses", zeros, persistent=False)
        self.register_buffer("members", zeros.bool(), persistent=False)

    def coefficients(self, step: TaskStatistics) -> Float[Tensor, "*blocks tasks"]:
        """Return λ; the engine leaves out the tasks of other groups."""
        return step.weights.expand(step.gramian.shape[:-1])

    def groups(self, draws: Draws) -> Sequence[Sequence[int]]:
        """Return the groups of this batch in random order, a single one twice."""
        if int(self.batches) >= self.warm_up:
            self._cluster()
        self.batches += 1
        labels = self.clusters.tolist()
        groups = [
            [task for task, label in enumerate(labels) if label == wanted]
            for wanted in dict.fromkeys(labels)
        ]
        if len(groups) == 1:
            return [groups[0], groups[0]]
        return [groups[place] for place in draws.order(len(groups))]

    def before_update(self, group: Sequence[int], losses: Float[Tensor, " tasks"]) -> None:
        """Remember the losses, and whose update comes."""
        self.losses = losses.to(torch.float64)
        self.members = torch.tensor(
            [task in group for task in range(len(losses))], device=losses.device
        )

    def after_step(self, losses: Float[Tensor, " tasks"]) -> None:
        """Credit what the update did to the losses to the group that made it."""
        before = self.losses
        is_there = (before > 0) & before.isfinite() & losses.isfinite()
        group = self.members & is_there
        change = 1 - losses.to(torch.float64) / torch.where(is_there, before, 1.0)
        towards = _towards(change / group.sum().clamp_min(1), group)
        counts = group.unsqueeze(-1) & is_there
        counts = counts & ~(torch.eye(len(losses), device=losses.device).bool() & (towards < 0))
        mixed = torch.lerp(self.affinity, towards, self.rate)
        self.affinity = torch.where(counts, mixed, self.affinity)
        self.seen = self.seen | group

    def _cluster(self) -> None:
        """Group the tasks that have been measured; others stay alone."""
        places = self.seen.nonzero().flatten()
        known = self.affinity[places][:, places]
        relative = known / known.diagonal().clamp_min(FLOOR)
        found = affinity_propagation((relative + relative.T) / 2) if len(places) else None
        if found is not None:
            clusters = torch.arange(len(self.seen))
            clusters[places.cpu()] = places.cpu()[[found.index(label) for label in found]]
            self.clusters = clusters.to(self.clusters.device)


def _towards(
    change: Float[Tensor, " tasks"], group: Float[Tensor, " tasks"] | Tensor
) -> Float[Tensor, "tasks tasks"]:
    """Return v of every member (rows) towards every task (columns)."""
    own, other = change.unsqueeze(-1), change.unsqueeze(-2).expand(len(change), -1)
    conflict = group.unsqueeze(-1) & group & (own * other < 0)
    return torch.where(conflict, -torch.maximum(own, other), other)
