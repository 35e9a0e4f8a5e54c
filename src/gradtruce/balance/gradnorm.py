"""GradNorm: learn weights under which all tasks train at similar rates."""

import math
from collections.abc import Mapping, Sequence
from typing import Final, final

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from gradtruce.gradients.balancer import Balancer, TaskStatistics
from gradtruce.gradients.solvers.adam import Adam, require_rate
from gradtruce.gradients.solvers.memory import per_task, sum_to_count, worth_remembering

FLOOR: Final = 1e-3  # of a weight; plain Adam can step below 0
SAME: Final = 1e-12  # difference from the target, in units of the mean norm, that is rounding
EPSILON: Final = 1e-100  # of Adam: any more would make the scale of the gradients matter


@final
class GradNorm(
    Balancer,
    name="gradnorm",
    needs="norms",
    source="Chen et al. 2018, algorithm 1",
    guarantee="every coefficient has the sign of its weight",
):
    """Learn weights that bring the gradient norms to common targets (Chen et al. 2018).

    With n_k = ‖g_k‖, weights w that sum to the number K of active tasks, and means over these:

    - N_k = w_k·n_k, the norm of the weighted gradient, and N̄ its mean;
    - r_k = (L_k/L_k(0)) / mean, the inverse training rate;
    - w ← Adam on ``Σ |N_k − N̄·r_k^α|``, the targets held fixed, whose gradient is
      ∂/∂w_k = sign(N_k − N̄·r_k^α)·n_k: the norms are all it takes, no second backward pass;
    - w is clamped to at least 1e-3 and scaled back to Σ w = K.

    a_k = λ_k·w_k, with w from before the step. λ stands outside: it sets the ratio of the norms
    that GradNorm would otherwise make equal; inside N_k it would be learned away.

    The paper takes norms at the last shared layer; here they are those of the engine's scope, which
    `shared=[…]` of `TaskGradients` narrows. L(0) is the mean of the first `initial_steps` steps,
    not the first batch alone. LibMTL learns softmax logits with the optimizer of the model from the
    second epoch on; autograd through the norms, as in most public codes, fails under synchronised
    batch normalisation, and gives the same numbers.

    A loss below 0, or L(0) not above 0, has no training rate: then w stays as it is in that step,
    flag "loss_not_positive".

    Args:
        asymmetry: α, at least 0: how strongly tasks that lag behind are pulled; 0 makes all norms
            equal.
        learning_rate: Of w; above 0.
        initial_steps: Over how many steps of a task L(0) is averaged; at least 1.
        initial_losses: L(0) by task, such as log C for a classification into C classes, in place of
            the mean; above 0.

    Raises:
        ValueError: If an argument is out of its range, or in `bind` a name is no task.

    >>> balancer = GradNorm()
    >>> balancer.bind(["report", "findings"])
    >>> gramian = torch.diag(torch.tensor([1.0, 9.0], dtype=torch.float64))
    >>> step = TaskStatistics(gramian, losses=torch.ones(2))
    >>> balancer.coefficients(step)
    tensor([1., 1.], dtype=torch.float64)
    >>> balancer.coefficients(step)
    tensor([1.0250, 0.9750], dtype=torch.float64)
    """

    weight: Tensor
    initial_total: Tensor
    initial_count: Tensor
    loss_not_positive: Tensor
    adam: Adam

    def __init__(
        self,
        asymmetry: float = 1.5,
        *,
        learning_rate: float = 0.025,
        initial_steps: int = 20,
        initial_losses: Mapping[str, float] | None = None,
    ) -> None:
        super().__init__()
        if not (0 <= asymmetry < math.inf):
            raise ValueError(f"asymmetry must be at least 0, got {asymmetry}")
        require_rate(learning_rate)
        if initial_steps < 1:
            raise ValueError(f"initial_steps must be at least 1, got {initial_steps}")
        for task, loss in (initial_losses or {}).items():
            if not (0 < loss < math.inf):
                raise ValueError(f"initial_losses[{task!r}] must be above 0, got {loss}")
        self.asymmetry, self.learning_rate = asymmetry, learning_rate
        self.initial_steps, self.initial_losses = initial_steps, dict(initial_losses or {})
        self.register_buffer("loss_not_positive", torch.tensor(False), persistent=False)

    def bind(self, tasks: Sequence[str]) -> None:
        """Start every w at 1."""
        given = per_task(self.initial_losses, tasks, 0.0, "initial_losses")
        self.register_buffer("weight", torch.ones_like(given))
        self.register_buffer("initial_total", given * self.initial_steps)
        self.register_buffer("initial_count", (given > 0).to(given) * self.initial_steps)
        self.adam = Adam(len(tasks), self.learning_rate, epsilon=EPSILON)

    def coefficients(self, step: TaskStatistics) -> Float[Tensor, "*blocks tasks"]:
        """Return λ·w, and take a step of w."""
        losses = step.losses.to(torch.float64)
        squares = step.gramian.to(torch.float64).diagonal(dim1=-2, dim2=-1)
        norms = squares.reshape(-1, len(losses)).sum(0).clamp_min(0.0).sqrt()
        weight = sum_to_count(self.weight, step.active)
        seen = worth_remembering(step.active, losses, norms)
        ratio, defined = self._rates(losses, seen)
        gradient = weight_gradient(
            weight, norms, training_rates(ratio, step.active), step.active, self.asymmetry
        )
        learned = seen & defined
        moved = self.adam(weight, gradient, learned).clamp_min(FLOOR)
        self.weight = torch.where(learned, sum_to_count(moved, step.active), self.weight)
        self.loss_not_positive = seen.any() & ~defined
        return (step.weights * weight).expand(step.gramian.shape[:-1])

    def flags(self) -> dict[str, Bool[Tensor, ""]]:
        """Return whether the loss of an active task had no training rate, and w stood still."""
        return {"loss_not_positive": self.loss_not_positive}

    def _rates(
        self, losses: Float[Tensor, " tasks"], seen: Bool[Tensor, " tasks"]
    ) -> tuple[Float[Tensor, " tasks"], Bool[Tensor, ""]]:
        """Return L/L(0) and whether it is defined for all; add the losses to L(0) if it is due."""
        due = seen & (self.initial_count < self.initial_steps)
        self.initial_total = self.initial_total + torch.where(due, losses, 0.0)
        self.initial_count = self.initial_count + due
        initial = self.initial_total / self.initial_count.clamp_min(1)
        defined = (losses >= 0) & (initial > 0)
        return torch.where(defined, losses / initial, 1.0), (defined | ~seen).all()


def training_rates(
    ratio: Float[Tensor, " tasks"], active: Bool[Tensor, " tasks"]
) -> Float[Tensor, " tasks"]:
    """Return r, the ratios L/L(0) in units of their mean over the active tasks.

    >>> training_rates(torch.tensor([1.0, 3.0]), torch.tensor([True, True]))
    tensor([0.5000, 1.5000])
    """
    mean = (ratio * active).sum(-1) / active.sum(-1).clamp_min(1)
    return torch.where(mean > 0, ratio / mean, 1.0)


def weight_gradient(
    weight: Float[Tensor, " tasks"],
    norms: Float[Tensor, " tasks"],
    rates: Float[Tensor, " tasks"],
    active: Bool[Tensor, " tasks"],
    asymmetry: float,
) -> Float[Tensor, " tasks"]:
    """Return ∂/∂w of Σ |w_k·n_k − N̄·r_k^α|, targets held fixed: sign(…)·n_k.

    >>> ones, both = torch.ones(2), torch.tensor([True, True])
    >>> weight_gradient(ones, torch.tensor([1.0, 3.0]), ones, both, 1.5)
    tensor([-1.,  3.])
    """
    weighted = weight * norms
    mean = torch.where(active, weighted, 0.0).sum(-1) / active.sum(-1).clamp_min(1)
    distance = weighted - mean * rates.pow(asymmetry)
    sign = torch.where(distance.abs() <= SAME * mean, 0.0, distance.sign())
    return torch.where(active, sign * norms, 0.0)
