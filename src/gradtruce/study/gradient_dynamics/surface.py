"""The loss that sharpness and landscape are of: of fixed batches, the model in evaluation mode."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any, final

import torch
from torch import Tensor

from gradtruce.data.batch import Batch
from gradtruce.methods.base import model_inputs
from gradtruce.study.gradient_dynamics.names import JOINT
from gradtruce.study.gradient_dynamics.options import AnalysisOptions
from gradtruce.study.gradient_dynamics.run import Checkpoint, MicroBatches, left_alone

HOW = (
    "mean loss of fixed batches in evaluation mode (no dropout, running statistics of batch "
    "normalisation); joint: Σ λ L with the run's own λ, tasks unweighted"
)


@final
@dataclass(frozen=True, eq=False)
class Surface:
    """The losses of fixed batches as a function of the parameters.

    Attributes:
        point: The model, in evaluation mode.
        batches: On its device, of its type.
        weights: λ of the tasks that have a loss.
    """

    point: Checkpoint
    batches: Sequence[Batch]
    weights: Mapping[str, float]

    @property
    def parameters(self) -> list[Tensor]:
        """Return all trainable parameters."""
        return [each for each in self.point.method.parameters() if each.requires_grad]

    @property
    def studies(self) -> int:
        """Return how many studies the loss is of."""
        return sum(map(len, self.batches))

    def evaluate(self) -> dict[str, float]:
        """Return the joint loss and that of each task, at the parameters as they are now."""
        totals = dict.fromkeys((JOINT, *self.weights), 0.0)
        with torch.no_grad():
            for batch in self.batches:
                losses = self._losses(batch)
                for task, weight in self.weights.items():
                    totals[task] += float(losses[task]) / len(self.batches)
                    totals[JOINT] += weight * float(losses[task]) / len(self.batches)
        return totals

    def terms(self, name: str) -> list[Callable[[], Tensor]]:
        """Return one term a batch of the joint loss, or of a task's."""
        return [partial(self._term, batch, name) for batch in self.batches]

    def _term(self, batch: Batch, name: str) -> Tensor:
        losses = self._losses(batch)
        chosen = self.weights if name == JOINT else {name: 1.0}
        parts = [weight * losses[task] for task, weight in chosen.items()]
        return sum(parts[1:], parts[0]) / len(self.batches)

    def _losses(self, batch: Batch) -> dict[str, Tensor]:
        losses: dict[str, Tensor] = self.point.method(**model_inputs(batch)).losses
        return losses


@contextmanager
def open_surface(
    point: Checkpoint, batches: Sequence[MicroBatches], options: AnalysisOptions
) -> Iterator[Surface]:
    """Give the surface of the first few batches; the model is as before afterwards.

    Raises:
        ValueError: If a batch has no loss.
    """
    method, kind = point.method, torch.float64 if options.is_double else torch.float32
    was = next(method.parameters()).dtype
    with left_alone(method, options.seed):
        method.train(False)
        method.to(kind)  # type: ignore[arg-type] # transformers wraps `to` untyped
        fixed = [
            _of_kind(batch.to(method.device), kind)
            for micro in batches[: options.fixed_batches]
            for batch in micro
        ]
        present = [set(method(**model_inputs(batch)).losses) for batch in fixed]
        tasks = set.intersection(*present) - point.waiting
        weights = {task: weight for task, weight in point.weights.items() if task in tasks}
        if not weights:
            raise ValueError("no task has a loss on every batch; take another split or more data")
        try:
            yield Surface(point, fixed, weights)
        finally:
            method.to(was)  # type: ignore[arg-type] # as above


def _of_kind(batch: Batch, kind: torch.dtype) -> Batch:
    """Return the batch with its images, labels and features in another type."""
    held = {field.name: getattr(batch, field.name) for field in fields(batch)}
    floats: dict[str, Any] = {  # replace() takes any field by name
        name: value.to(kind)
        for name, value in held.items()
        if isinstance(value, Tensor) and value.is_floating_point()
    }
    return replace(batch, **floats)
