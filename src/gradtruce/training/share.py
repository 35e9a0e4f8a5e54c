"""How the studies of a step are shared out, and whether another way goes on where one stopped."""

from dataclasses import dataclass
from typing import final

from gradtruce.training.config import TrainingConfig
from gradtruce.training.world import World


@final
@dataclass(frozen=True)
class Share:
    """Studies of a step, by process and micro-batch.

    Attributes:
        processes: How many there are.
        accumulation: Micro-batches that each takes for a step.
        batch_size: Studies in a micro-batch.

    >>> print(Share(processes=2, accumulation=1, batch_size=8))
    2 processes with 1 x 8 studies each
    """

    processes: int
    accumulation: int
    batch_size: int

    @staticmethod
    def of(training: TrainingConfig, world: World) -> "Share":
        """Return the share that a run has now."""
        return Share(world.size, training.accumulation, training.batch_size)

    @property
    def studies(self) -> int:
        """Return the studies of a step."""
        return self.processes * self.accumulation * self.batch_size

    def require_to_follow(self, former: "Share", *, is_bucketed: bool = False) -> None:
        """Refuse to go on where a run with another share stopped, if its steps were others.

        A step is the same for any number of processes that takes as many studies, because their
        order does not depend on it. Where studies of like length stand together, the micro-batches
        of all processes must be as large as well: within them that order is made.

        Args:
            former: As the checkpoint has it.
            is_bucketed: Whether the data are in such an order.

        Raises:
            ValueError: If steps differ, or the number of processes is the same and the rest is not.

        >>> Share(1, 2, 8).require_to_follow(Share(2, 1, 8))
        >>> Share(1, 1, 8).require_to_follow(Share(2, 1, 8))
        Traceback (most recent call last):
        ValueError: the run was stopped with 2 processes with 1 x 8 studies each, 16 a step; ...
        """
        if self == former:
            return
        is_same = self.studies == former.studies and self.processes != former.processes
        batches = [each.processes * each.batch_size for each in (self, former)]
        if is_same and (not is_bucketed or batches[0] == batches[1]):
            return
        fits, rest = divmod(former.studies, self.processes * former.accumulation)
        advice = (
            "take as many processes as before"
            if rest
            else f"set training.accumulation={former.accumulation} and training.batch_size={fits}"
        )
        raise ValueError(
            f"the run was stopped with {former}, {former.studies} a step; this would go on with "
            f"{self}, {self.studies} a step: {advice}"
        )

    def __str__(self) -> str:
        many = "process" if self.processes == 1 else "processes"
        each = "" if self.processes == 1 else " each"
        return f"{self.processes} {many} with {self.accumulation} x {self.batch_size} studies{each}"
