"""What the processes of a run share, and how a row of one becomes a row of all."""

import hashlib
from abc import abstractmethod
from collections.abc import Sequence
from itertools import accumulate
from typing import final

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from gradtruce.gradients.rows import Memory, Row


class Ranks(Memory):
    """The processes (ranks) that train one model together; gradients and losses are their means.

    A row passes through it in this order: `stolen` after each backward pass, `averaged` once it is
    complete, `settled` with all others, and combined with them, `gathered` for `.grad`. Between
    `settled` and `gathered` a rank holds a part of each gradient, or all of it.

    Attributes:
        count: Number of ranks.
        index: Number of this one, from 0.
    """

    count: int
    index: int

    @abstractmethod
    def start(self, facts: Sequence[object]) -> None:
        """Take over the averaging of gradients, once all else that may be refused was admitted.

        Args:
            facts: Tasks, weights, options, seed: what must be the same on all ranks.

        Raises:
            ValueError: On every rank, if a fact differs from the first rank's.
        """

    @abstractmethod
    def begin(self, step: int) -> None:
        """Prepare for the first backward pass of a step.

        Args:
            step: Number of completed updates.

        Raises:
            RuntimeError: If something else averages gradients, too.
        """

    @abstractmethod
    def agreed(
        self, losses: Float[Tensor, " tasks"], present: Sequence[int]
    ) -> tuple[Float[Tensor, " tasks"], list[int]]:
        """Return the mean losses, and the tasks that are present on any rank.

        Raises:
            ValueError: If a task must be present on all ranks and is not.
        """

    @abstractmethod
    def total(self, values: Tensor) -> Tensor:
        """Return the sum over ranks of a few numbers."""

    @abstractmethod
    def averaged(self, row: Row) -> Row:
        """Start to average a complete row; what this returns is ready after `settled`."""

    @abstractmethod
    def settled(self, rows: Sequence[Row]) -> list[Row]:
        """Wait for all rows; a gradient is `None` on all ranks or on none."""

    @abstractmethod
    def gathered(self, gradients: Row) -> Row:
        """Return the whole gradients, as `.grad` wants them."""

    @abstractmethod
    def seen(self, rows: Sequence[Row], places: Sequence[int]) -> Sequence[Row]:
        """Return the rows whose inner products, summed by `over_parts`, are the Gramian.

        Args:
            rows: As `settled` left them, of some of the parameters.
            places: Which parameters.
        """

    @abstractmethod
    def over_parts(self, values: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
        """Return sums over all of a gradient, given those over what `settled` left here."""

    @abstractmethod
    def starts(self) -> list[int]:
        """Return for each parameter the coordinate of the first number that this rank holds.

        Coordinates run over all numbers of the model: parameters in order, each in the order in
        which it lies in memory.

        Raises:
            NotImplementedError: If a rank's numbers of a parameter are not one piece.
        """

    @abstractmethod
    def finish(self) -> None:
        """End a step."""

    @abstractmethod
    def close(self) -> None:
        """Leave the model as it was found."""

    @abstractmethod
    def united(self, mask: Bool[Tensor, "*any"]) -> Bool[Tensor, "*any"]:
        """Return where a mask is True on any rank."""


@final
class OneProcess(Ranks):
    """No other ranks: everything is its own mean.

    >>> OneProcess([nn.Parameter(torch.ones(2, 2)), nn.Parameter(torch.ones(3))]).starts()
    [0, 4]
    """

    count, index = 1, 0

    def __init__(self, parameters: Sequence[nn.Parameter]) -> None:
        self._starts = first_coordinates(parameters)

    def start(self, facts: Sequence[object]) -> None:
        """Do nothing."""

    def begin(self, step: int) -> None:
        """Do nothing."""

    def agreed(
        self, losses: Float[Tensor, " tasks"], present: Sequence[int]
    ) -> tuple[Float[Tensor, " tasks"], list[int]]:
        """Return what is given."""
        return losses, list(present)

    def total(self, values: Tensor) -> Tensor:
        """Return what is given."""
        return values

    def united(self, mask: Bool[Tensor, "*any"]) -> Bool[Tensor, "*any"]:
        """Return what is given."""
        return mask

    def stolen(self, gradient: Tensor) -> Tensor:
        """Return what is given."""
        return gradient

    def returned(self, place: int, gradient: Tensor) -> Tensor:
        """Return what is given."""
        return gradient

    def averaged(self, row: Row) -> Row:
        """Return what is given."""
        return row

    def settled(self, rows: Sequence[Row]) -> list[Row]:
        """Return what is given."""
        return list(rows)

    def gathered(self, gradients: Row) -> Row:
        """Return what is given."""
        return gradients

    def seen(self, rows: Sequence[Row], places: Sequence[int]) -> Sequence[Row]:
        """Return what is given."""
        return rows

    def over_parts(self, values: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
        """Return what is given."""
        return values

    def starts(self) -> list[int]:
        """Return where each parameter starts."""
        return self._starts

    def finish(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


def first_coordinates(parameters: Sequence[nn.Parameter]) -> list[int]:
    """Return the coordinate of the first number of each parameter.

    >>> first_coordinates([nn.Parameter(torch.ones(2, 2)), nn.Parameter(torch.ones(3))])
    [0, 4]
    """
    return list(accumulate([parameter.numel() for parameter in parameters[:-1]], initial=0))


def require_agreement(ranks: Ranks, facts: Sequence[object], device: torch.device) -> None:
    """Compare over ranks what must be the same on all of them.

    Args:
        ranks: Of the run.
        facts: Tasks, weights, options, seed: anything whose text tells it.
        device: Where collective operations work.

    Raises:
        ValueError: On every rank, if one differs from the first.
    """
    digest = hashlib.sha256(repr(facts).encode()).digest()
    mine = torch.zeros(ranks.count, dtype=torch.int64, device=device)
    mine[ranks.index] = int.from_bytes(digest[:7], "big")
    found = ranks.total(mine).tolist()
    strange = [rank for rank, fact in enumerate(found) if fact != found[0]]
    if strange:
        raise ValueError(
            f"rank {strange[0]} made its TaskGradients with other tasks, weights, balancer, "
            f"options or seed than rank 0; this one has {facts}"
        )
