"""The interface of a multi-task optimizer: from the statistics of a step to its coefficients."""

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

Needs = Literal["losses", "norms", "gramian", "blocks"]


@dataclass(frozen=True, eq=False)
class TaskStatistics:
    """What a balancer sees of one step.

    Leading dimensions of the Gramian are parameter blocks. Everything but the Gramian has a default
    that stands for "all tasks active, weights 1, losses not known".

    Attributes:
        gramian: Inner products of the unweighted task gradients, float64; zero rows and columns
            where a task is inactive.
        losses: Unweighted task losses, float64.
        weights: Static task weights λ, float64.
        active: False for a task that has no gradient in this step.
        step: Number of completed updates.
        epoch: Set by the training loop; `None` where it was not.
        generator: Random numbers, the same on all ranks; `None` where no seed was given.
    """

    gramian: Float[Tensor, "*blocks tasks tasks"]
    losses: Float[Tensor, " tasks"] = field(default=None)  # type: ignore[assignment] # set below
    weights: Float[Tensor, " tasks"] = field(default=None)  # type: ignore[assignment] # set below
    active: Bool[Tensor, " tasks"] = field(default=None)  # type: ignore[assignment] # set below
    step: int = 0
    epoch: int | None = None
    generator: torch.Generator | None = None

    def __post_init__(self) -> None:
        """Fill in the defaults, which depend on the Gramian's size, dtype and device."""
        tasks = self.gramian.shape[-1]
        like = {"dtype": self.gramian.dtype, "device": self.gramian.device}
        if self.losses is None:
            object.__setattr__(self, "losses", torch.full((tasks,), torch.nan, **like))
        if self.weights is None:
            object.__setattr__(self, "weights", torch.ones(tasks, **like))
        if self.active is None:
            everyone = torch.ones(tasks, dtype=torch.bool, device=self.gramian.device)
            object.__setattr__(self, "active", everyone)


class Balancer(nn.Module):
    """Turns the statistics of a step into one coefficient a task; the update is Jᵀa.

    J holds the **unweighted** task gradients as rows. A balancer owns its state as buffers or
    parameters and updates it itself: there is nothing to add to the user's optimizer.

    Attributes:
        name: The name used in configurations, such as "came_grad".
        needs: "losses": one backward pass of Σ a_k L_k serves; "norms": the Gramian's diagonal;
            "gramian": all of it; "blocks": one Gramian a parameter block.
    """

    name: ClassVar[str]
    needs: ClassVar[Needs]
    known: ClassVar[dict[str, type["Balancer"]]] = {}

    def __init_subclass__(cls, *, name: str, needs: Needs = "gramian", **kwargs: Any) -> None:
        """Register the balancer under the name that configurations use."""
        super().__init_subclass__(**kwargs)
        cls.name, cls.needs = name, needs
        Balancer.known[name] = cls

    def bind(self, tasks: Sequence[str]) -> None:  # most balancers keep nothing
        """Make the buffers whose size is the number of tasks; called once, by the engine."""

    @abstractmethod
    def coefficients(self, step: TaskStatistics) -> Float[Tensor, "*blocks tasks"]:
        """Return a, one coefficient a task; the engine overwrites those of inactive tasks."""


@runtime_checkable
class AfterStep(Protocol):
    """A balancer that must see the losses of the same batch again after the update (FAMO)."""

    def after_step(self, losses: Float[Tensor, " tasks"]) -> None:
        """Take the losses of the batch at the new parameters."""


@runtime_checkable
class RowTransform(Protocol):
    """A balancer that changes the task gradients before they are combined (GradDrop)."""

    def transform(self, rows: Sequence[Sequence[Tensor]], generator: torch.Generator) -> None:
        """Change the task gradients in place; `rows[k][i]` is ∂L_k / ∂parameter i."""


@runtime_checkable
class TaskSchedule(Protocol):
    """A balancer that updates several times a batch, each time for some of the tasks (STGU)."""

    def groups(self, generator: torch.Generator) -> Sequence[Sequence[int]]:
        """Return the groups of task indices, in the order in which they are updated."""


@runtime_checkable
class GradientNoise(Protocol):
    """A balancer that adds noise to the combined gradient (the SGLD ablation)."""

    def add(self, gradients: Iterable[Tensor], generator: torch.Generator) -> None:
        """Add noise to the combined gradients in place."""
