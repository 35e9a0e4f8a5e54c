"""Prioritised tasks: improve a task without giving up what more important ones have reached."""

import math
from collections.abc import Mapping, Sequence
from typing import final

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from gradtruce.gradients.balancer import Balancer, TaskStatistics
from gradtruce.gradients.solvers.adam import require_rate
from gradtruce.gradients.solvers.memory import per_task, worth_remembering


@final
class NMT(
    Balancer,
    name="nmt",
    needs="losses",
    source="Cheng et al. 2025, as far as its abstract tells",
    guarantee="convex combination of the weighted losses",
):
    """Train task after task, holding each at what it reached ("No More Tuning", Cheng et al. 2025).

    The order of the tasks is their priority, the first the highest. In stage k the objective is
    L_k, under L_j ≤ L_j* + ε for every task j before it, with a multiplier μ_j ≥ 0 for each:

    - a = λ·(1 for k, μ_j for j before k, 0 for tasks after k)/(1 + Σ μ);
    - μ_j ← max(0, μ_j + η·(L_j − L_j* − ε)), after the coefficients are taken.

    L_j* is the running mean of L_j at the end of its own stage, or what `targets` says; the model
    goes on from stage to stage. λ multiplies the result. Losses may be negative. A task after the
    present one is not trained at all yet, not even its head.

    The stages are counted a task: the objective is the first active task that has not had its
    `stage_steps` steps, and once all have, the last active one. So a task that is absent holds
    nothing up.

    Written from the abstract and the idea of the method: length of the stages, η, ε and the mean
    that L* is are ours. With `targets` from single-task runs for all but the last task, training
    starts in the last stage: the tasks with targets are held at least there.

    Args:
        stage_steps: Steps in which a task is the objective before the next one's turn; at least 1.
        learning_rate: η, above 0.
        slack: ε, at least 0, in the unit of the losses.
        window: Steps of the running mean that L* is; at least 1.
        targets: L* by task, for tasks that need no stage of their own.

    Raises:
        ValueError: If an argument is out of its range, or in `bind` a name is no task.

    >>> balancer = NMT(targets={"report": 1.0}, learning_rate=0.5)
    >>> balancer.bind(["report", "findings"])
    >>> step = TaskStatistics(torch.eye(2), losses=torch.tensor([1.5, 3.0]))
    >>> balancer.coefficients(step)
    tensor([0., 1.], dtype=torch.float64)
    >>> balancer.coefficients(step)  # the report is 0.5 above its target: μ = 0.25
    tensor([0.2000, 0.8000], dtype=torch.float64)
    """

    target: Tensor
    seen: Tensor
    multiplier: Tensor

    def __init__(
        self,
        *,
        stage_steps: int = 1000,
        learning_rate: float = 0.01,
        slack: float = 0.0,
        window: int = 100,
        targets: Mapping[str, float] | None = None,
    ) -> None:
        super().__init__()
        require_rate(learning_rate)
        for name, count in {"stage_steps": stage_steps, "window": window}.items():
            if count < 1:
                raise ValueError(f"{name} must be at least 1, got {count}")
        if not (0 <= slack < math.inf):
            raise ValueError(f"slack must be at least 0, got {slack}")
        for task, loss in (targets or {}).items():
            if not math.isfinite(loss):
                raise ValueError(f"targets[{task!r}] must be finite, got {loss}")
        self.stage_steps, self.learning_rate = stage_steps, learning_rate
        self.slack, self.window, self.targets = slack, window, dict(targets or {})

    def bind(self, tasks: Sequence[str]) -> None:
        """Start with the first task that has no target, and all μ at 0."""
        known = dict.fromkeys(self.targets, float(self.stage_steps))
        self.register_buffer("target", per_task(self.targets, tasks, 0.0, "targets"))
        self.register_buffer("seen", per_task(known, tasks, 0.0, "targets"))
        self.register_buffer("multiplier", torch.zeros_like(self.seen))

    def coefficients(self, step: TaskStatistics) -> Float[Tensor, "*blocks tasks"]:
        """Return λ·(1, μ)/(1 + Σ μ), and learn from the losses."""
        losses = step.losses.to(torch.float64)
        reached = self.seen >= self.stage_steps
        objective = objective_task(step.active, reached)
        held = step.active & (objective.cumsum(-1) == 0)
        shares = torch.where(held, self.multiplier, 0.0) + objective
        learned = worth_remembering(step.active, losses)

        violation = losses - self.target - self.slack
        raised = (self.multiplier + self.learning_rate * violation).clamp_min(0.0)
        self.multiplier = torch.where(learned & held, raised, self.multiplier)

        due = learned & objective & ~reached
        self.seen = self.seen + due
        rate = (1 / self.seen.clamp_min(1)).clamp_min(1 / self.window)
        mean = self.target + rate * (losses - self.target)
        self.target = torch.where(due, mean, self.target)
        return (step.weights * shares / shares.sum(-1)).expand(step.gramian.shape[:-1])


def objective_task(
    active: Bool[Tensor, " tasks"], reached: Bool[Tensor, " tasks"]
) -> Bool[Tensor, " tasks"]:
    """Return the first active task that has not been through its stage, else the last active one.

    >>> active = torch.tensor([True, True, False, True])
    >>> objective_task(active, torch.tensor([True, False, False, False]))
    tensor([False,  True, False, False])
    >>> objective_task(active, torch.tensor([True, True, True, True]))
    tensor([False, False, False,  True])
    """
    waiting = active & ~reached
    first = waiting & (waiting.cumsum(-1) == 1)
    last = active & (active.flip(-1).cumsum(-1).flip(-1) == 1)
    return torch.where(waiting.any(), first, last)
