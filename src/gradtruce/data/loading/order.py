"""Which studies stand in which batch: a function of seed, epoch and rank, of nothing else."""

from dataclasses import dataclass
from typing import Literal, final

import numpy as np
from jaxtyping import Int

POOL = 50
"""Batches of all ranks that are sorted by length together: more pad less and mix less."""

Rows = Int[np.ndarray, "_"]
"""Of a split; as many as stand together."""

Deal = Literal["studies", "batches"]
"""What the ranks share: the studies of every batch, or whole batches in turn."""


@final
@dataclass(frozen=True, eq=False)
class Order:
    """The batches of every epoch of one rank.

    A step takes `batch_size` studies for each rank from one common order, so the ranks together see
    what one process would see with a batch that much larger. The studies left at the end are dealt
    out evenly: all ranks have the same number of batches and no study comes twice.

    With `deals="batches"` the batches are those of one process with `batch_size`, and the ranks
    take them in turn, each whole: what is computed of a batch, padding included, is then the same
    whatever the number of ranks. Ranks have unequal numbers of batches, and some may have none.

    Args:
        studies: How many there are.
        batch_size: Most studies in a batch of one rank.
        shuffle: Whether every epoch has its own order.
        drop_last: Whether the studies that fill no step are left out.
        seed: Of the order.
        lengths: Tokens of every report, to put reports of like length together; `None` does not.
        rank: Which process this is, from 0.
        world_size: How many processes share the studies.
        deals: "studies" or "batches".

    Raises:
        ValueError: If a number is out of its range, or the studies can't be shared out so that
            every rank has a study in each step.

    >>> order = Order(studies=10, batch_size=4)
    >>> [rows.tolist() for rows in order.batches(0)]
    [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    >>> halves = [Order(studies=10, batch_size=2, rank=rank, world_size=2) for rank in (0, 1)]
    >>> [[rows.tolist() for rows in half.batches(0)] for half in halves]
    [[[0, 1], [4, 5], [8]], [[2, 3], [6, 7], [9]]]
    >>> turns = [Order(10, 4, rank=rank, world_size=2, deals="batches") for rank in (0, 1)]
    >>> [[rows.tolist() for rows in turn.batches(0)] for turn in turns]
    [[[0, 1, 2, 3], [8, 9]], [[4, 5, 6, 7]]]
    """

    studies: int
    batch_size: int
    shuffle: bool = False
    drop_last: bool = False
    seed: int = 0
    lengths: Rows | None = None
    rank: int = 0
    world_size: int = 1
    deals: Deal = "studies"

    def __post_init__(self) -> None:
        """Refuse what gives no batches."""
        for name in ("studies", "batch_size", "world_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if not 0 <= self.rank < self.world_size:
            raise ValueError(
                f"rank must be from 0 to world_size - 1 = {self.world_size - 1}, got {self.rank}"
            )
        if self.lengths is not None and len(self.lengths) != self.studies:
            raise ValueError(
                f"lengths must have one number a study: {self.studies}, got {len(self.lengths)}"
            )
        self._check_shares()

    def __len__(self) -> int:
        """Return the number of batches of an epoch; equal on all ranks where studies are dealt."""
        whole, rest = divmod(self.studies, self._step)
        count = whole + (rest > 0 and not self.drop_last)
        return count if self.deals == "studies" else len(range(count)[self.rank :: self.world_size])

    def batches(self, epoch: int) -> list[Rows]:
        """Return the rows of every batch of an epoch of this rank."""
        random = np.random.default_rng([self.seed, epoch])
        order = np.arange(self.studies)
        if self.shuffle:
            order = random.permutation(order)
        whole = self.studies // self._step * self._step
        steps = order[:whole].reshape(-1, self._step)
        if self.lengths is not None:
            steps = self._bucketed(steps, random)
        is_even = self.drop_last or whole == self.studies
        groups = list(steps) if is_even else self._rest(order, steps)
        if self.deals == "batches":
            return groups[self.rank :: self.world_size]
        return [np.array_split(group, self.world_size)[self.rank] for group in groups]

    @property
    def _sharers(self) -> int:
        return self.world_size if self.deals == "studies" else 1

    @property
    def _step(self) -> int:
        return self.batch_size * self._sharers

    def _bucketed(
        self, steps: Int[np.ndarray, "steps studies_a_step"], random: np.random.Generator
    ) -> Int[np.ndarray, "steps studies_a_step"]:
        """Sort the studies of every pool by length; then let the steps come in random order."""
        assert self.lengths is not None  # the caller asked
        pools = []
        for start in range(0, len(steps), POOL):
            pool = steps[start : start + POOL].ravel()
            pool = pool[np.argsort(self.lengths[pool], kind="stable")]
            pools.append(pool.reshape(-1, self._step))
        sorted_steps = np.concatenate([steps[:0], *pools])
        return random.permutation(sorted_steps) if self.shuffle else sorted_steps

    def _rest(self, order: Rows, steps: Int[np.ndarray, "steps studies_a_step"]) -> list[Rows]:
        """Return the steps with the incomplete last one, every rank having a study in each."""
        rest = order[steps.size :]
        if len(rest) >= self._sharers:
            return [*steps, rest]
        both = np.concatenate([steps[-1], rest])  # too few for all ranks: the last two are shared
        return [*steps[:-1], *np.array_split(both, 2)]

    def _check_shares(self) -> None:
        rest = self.studies % self._step
        if self.drop_last and self.studies < self._step:
            raise ValueError(
                f"{self.studies} studies are fewer than one batch of {self.batch_size} on "
                f"{self._sharers} ranks; lower the batch size"
            )
        is_short = 0 < rest < self._sharers and not self.drop_last
        if is_short and (self.studies < self._step or self.batch_size == 1):
            raise ValueError(
                f"{self.studies} studies in batches of {self.batch_size} leave a rank of "
                f"{self._sharers} without one; take fewer ranks, a larger batch or drop_last"
            )
