"""The interface of a multi-task optimizer: from the statistics of a step to its coefficients."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol, final, runtime_checkable

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from gradtruce.gradients.counter import Draws
from gradtruce.gradients.rotations import Rotations

Needs = Literal["losses", "norms", "gramian", "blocks"]


@final
@dataclass(frozen=True, eq=False, init=False)
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

    >>> TaskStatistics(torch.eye(2)).weights
    tensor([1., 1.])
    """

    gramian: Float[Tensor, "*blocks tasks tasks"]
    losses: Float[Tensor, " tasks"]
    weights: Float[Tensor, " tasks"]
    active: Bool[Tensor, " tasks"]
    step: int
    epoch: int | None
    generator: torch.Generator | None

    def __init__(
        self,
        gramian: Float[Tensor, "*blocks tasks tasks"],
        losses: Float[Tensor, " tasks"] | None = None,
        weights: Float[Tensor, " tasks"] | None = None,
        active: Bool[Tensor, " tasks"] | None = None,
        step: int = 0,
        epoch: int | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        like = gramian.new_empty(gramian.shape[-1])
        fields = {
            "gramian": gramian,
            "losses": torch.full_like(like, torch.nan) if losses is None else losses,
            "weights": torch.ones_like(like) if weights is None else weights,
            "active": torch.ones_like(like, dtype=torch.bool) if active is None else active,
            "step": step,
            "epoch": epoch,
            "generator": generator,
        }
        for name, value in fields.items():
            object.__setattr__(self, name, value)  # the only way into a frozen class


class Balancer(nn.Module):
    """Turns the statistics of a step into one coefficient a task; the update is Jᵀa.

    J holds the **unweighted** task gradients as rows. A balancer owns its state as buffers or
    parameters and updates it itself: there is nothing to add to the user's optimizer.

    Attributes:
        name: The name used in configurations, such as "came_grad".
        needs: "losses": one backward pass of Σ a_k L_k serves; "norms": the Gramian's diagonal;
            "gramian": all of it; "blocks": one Gramian a parameter block.
        is_fixed: True where the coefficients depend on nothing of the batch, not even its losses
            or active tasks; then each micro-batch costs one backward pass as well.
        source: Author, year and algorithm or equation, for the table of the docs.
        guarantee: What holds of every update, in a few words; "" where nothing does.
        degree: d with a(α²G) = α^d · a, exactly and for every α > 0; `None` where the coefficients
            depend on the scale in another way, or on losses and state.
        synchronises: Why the host waits for the device in a step; "" where it does not.
    """

    name: ClassVar[str]
    needs: ClassVar[Needs]
    is_fixed: ClassVar[bool]
    source: ClassVar[str]
    guarantee: ClassVar[str]
    degree: ClassVar[float | None]
    synchronises: ClassVar[str]
    known: ClassVar[dict[str, type["Balancer"]]] = {}

    def __init_subclass__(
        cls,
        *,
        name: str,
        needs: Needs = "gramian",
        is_fixed: bool = False,
        source: str = "",
        guarantee: str = "",
        degree: float | None = None,
        synchronises: str = "",
        **kwargs: Any,
    ) -> None:
        """Register the balancer under the name that configurations use."""
        super().__init_subclass__(**kwargs)
        cls.name, cls.needs, cls.is_fixed = name, needs, is_fixed
        cls.source, cls.guarantee = source, guarantee
        cls.degree, cls.synchronises = degree, synchronises
        Balancer.known[name] = cls

    def bind(self, tasks: Sequence[str]) -> None:  # most balancers keep nothing
        """Make the buffers whose size is the number of tasks; called once, by the engine."""

    @abstractmethod
    def coefficients(self, step: TaskStatistics) -> Float[Tensor, "*blocks tasks"]:
        """Return a, one coefficient a task; the engine overwrites those of inactive tasks."""


@runtime_checkable
class Flagging(Protocol):
    """A balancer that has something to say about its last coefficients."""

    def flags(self) -> dict[str, Bool[Tensor, ""]]:
        """Return facts about the last coefficients for the record, such as "gain_capped"."""


@runtime_checkable
class AfterStep(Protocol):
    """A balancer that must see the losses of the same batch again after the update (FAMO)."""

    def after_step(self, losses: Float[Tensor, " tasks"]) -> None:
        """Take the losses of the batch at the new parameters."""


@runtime_checkable
class RowTransform(Protocol):
    """A balancer that changes the task gradients before they are combined (GradDrop)."""

    def transform(
        self,
        rows: Sequence[Sequence[Tensor | None]],
        weights: Float[Tensor, " tasks"],
        draws: Draws,
    ) -> None:
        """Change the unweighted task gradients in place.

        `rows[k][i]` is ∂L_k / ∂parameter i over the parameters in scope, or a shard of it, `None`
        where task k does not reach it; `draws` has the random numbers of gradient `i`. The Gramian
        and the record speak of the rows as this leaves them.
        """


@runtime_checkable
class TaskSchedule(Protocol):
    """A balancer that updates several times a batch, each time for some of the tasks (STGU)."""

    def groups(self, draws: Draws) -> Sequence[Sequence[int]]:
        """Return the groups of task indices, in the order in which they are updated."""

    def before_update(self, group: Sequence[int], losses: Float[Tensor, " tasks"]) -> None:
        """Take the losses of all tasks before the update of a group; 0 where a task is absent."""


@runtime_checkable
class ParameterBlocks(Protocol):
    """A balancer that wants one Gramian a block of parameters (needs "blocks"; MMPareto, GradVac).

    Its `coefficients` gets `gramian (blocks, tasks, tasks)` and returns `(blocks, tasks)`.
    """

    def blocks(self, names: Sequence[str]) -> Sequence[int]:
        """Return the block of every parameter in scope, from 0, given their names in order."""


@runtime_checkable
class GradientNoise(Protocol):
    """A balancer that adds noise to the combined gradient (the SGLD ablation)."""

    def add(self, gradients: Sequence[Tensor | None], draws: Draws, scale: float | Tensor) -> None:
        """Add noise to the combined gradients in scope in place; comes after `coefficients`.

        `draws` has the random numbers of gradient `i`; the gradients are `scale` times too large.
        """


@runtime_checkable
class FeatureReader(Protocol):
    """A balancer that looks at gradients of the features between trunk and heads (RotoGrad)."""

    def new_rotations(self, tasks: Sequence[str], width: int) -> Rotations:
        """Return a module for the model, to be put between trunk and heads, as `attach` wants it.

        Args:
            tasks: Those that have a head on the features.
            width: Of the features.
        """

    def attach(self, model: nn.Module) -> None:
        """Find the module that sees the features; called once, by the engine.

        Raises:
            ValueError: If the model has none.
        """

    def forget(self) -> None:
        """Drop what former backward passes left; comes before the first one of a step."""

    def observe(
        self, factor: float | Tensor, total: Callable[[Tensor], Tensor]
    ) -> Float[Tensor, "tasks tasks"]:
        """Learn from what the backward passes of the step left; return the features' Gramian.

        `coefficients` gets it in place of that of the rows.

        Args:
            factor: The gradients that backward passes leave, times this, are those of the
                unweighted losses averaged over ranks: 1 / (ranks · scale of the scaler).
            total: Sums a tensor over ranks.
        """
