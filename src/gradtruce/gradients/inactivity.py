"""How long each task has been without a gradient, and one warning when that is long."""

import warnings
from collections.abc import Collection, Sequence
from typing import final

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from gradtruce.gradients.open_step import task_mask
from gradtruce.gradients.scope import is_read_after

PATIENCE = 100  # steps in a row without a gradient before the warning


@final
class Inactivity:
    """Counts on the device the steps in a row in which a task was inactive.

    Args:
        tasks: Names of all tasks.
        device: Where the counts live.
    """

    def __init__(self, tasks: Sequence[str], device: torch.device) -> None:
        self._tasks = tasks
        self.counts: Int[Tensor, " tasks"] = torch.zeros(
            len(tasks), dtype=torch.int64, device=device
        )
        self._due = torch.ones(len(tasks), dtype=torch.bool, device=device)
        self._warned: set[str] = set()

    def expect(self, names: Collection[str]) -> None:
        """Do not count the steps of these tasks from now on, until called again.

        Raises:
            ValueError: If there is no such task.
            TypeError: If `names` is a single text.
        """
        if isinstance(names, str):
            raise TypeError(f"names must be a collection of tasks, got the text {names!r}")
        unknown = set(names) - set(self._tasks)
        if unknown:
            raise ValueError(f"no task is called {min(unknown)!r}; known: {', '.join(self._tasks)}")
        due = [task not in names for task in self._tasks]
        self._due = torch.tensor(due, device=self.counts.device)

    def count(self, active: Bool[Tensor, " tasks"], due: Collection[int] | None, step: int) -> None:
        """Count a step, and warn where that costs no wait for the device, or is due."""
        device = self.counts.device
        self.update(active, None if due is None else task_mask(due, len(self._tasks), device))
        if device.type == "cpu" or is_read_after(step):
            self.warn(step)

    def update(self, active: Bool[Tensor, " tasks"], due: Bool[Tensor, " tasks"] | None) -> None:
        """Count a step; tasks that are not due in it neither gain nor lose."""
        counted = self._due if due is None else self._due & due
        self.counts = (self.counts + counted).masked_fill(active | ~self._due, 0)

    def warn(self, step: int) -> None:
        """Read the counts and warn of each task that has been inactive for long, once."""
        for task, count in zip(self._tasks, self.counts.tolist(), strict=True):
            if count >= PATIENCE and task not in self._warned:
                self._warned.add(task)
                warnings.warn(
                    f"task {task!r} has had no gradient in the parameters in scope for {count} "
                    f"steps, up to step {step}; if that is meant, say so by expect_inactive",
                    stacklevel=5,
                )
