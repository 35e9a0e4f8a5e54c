"""One optimizer step: losses of the micro-batches, the engine, clipping, the update."""

import math
import time
from collections.abc import Mapping, Sequence
from typing import Any, final

import torch
from torch import Tensor

from gradtruce.data.batch import Batch
from gradtruce.gradients import TaskGradients
from gradtruce.methods.base import model_inputs
from gradtruce.methods.registry import Method
from gradtruce.training.config import ClipConfig, TrainingConfig
from gradtruce.training.schedule import rate_factor

Record = dict[str, Any]  # a line of the log: numbers by name, and tables of them


@final
class Stepper:
    """Takes optimizer steps, and tells of each what the log keeps.

    Args:
        method: What is trained, in training mode.
        gradients: Fills the gradients.
        optimizer: As `build_optimizer` makes it.
        config: Schedule and clipping.
        total_steps: Optimizer steps of the run.
        steps_per_epoch: Optimizer steps of an epoch.
    """

    def __init__(
        self,
        method: Method,
        gradients: TaskGradients,
        optimizer: torch.optim.Optimizer,
        config: TrainingConfig,
        *,
        total_steps: int,
        steps_per_epoch: int,
    ) -> None:
        self._method, self._gradients, self._optimizer = method, gradients, optimizer
        self._config = config
        self._total_steps, self._steps_per_epoch = total_steps, steps_per_epoch
        self._parameters = [p for group in optimizer.param_groups for p in group["params"]]

    def step(self, batches: Sequence[Batch], step: int) -> Record:
        """Update the parameters by the micro-batches of one step.

        Args:
            batches: The micro-batches.
            step: Steps completed before this one.

        Raises:
            FloatingPointError: If a loss or gradient is not finite, naming task and step.
        """
        start = time.perf_counter()
        rates = self._set_rates(step)
        normalizers = _sum_counts([self._method.loss_counts(batch) for batch in batches])
        losses: dict[str, float] = {}
        for place, batch in enumerate(batches):
            output = self._method(**model_inputs(batch), normalizers=normalizers)
            _require_finite(output.losses, step + 1)
            for task, loss in output.losses.items():
                losses[task] = losses.get(task, 0.0) + float(loss)
            record = self._gradients.backward(output.losses, last=place == len(batches) - 1)
        norm, clipped = clip_gradients(self._parameters, self._config.clip)
        if not math.isfinite(norm):
            raise FloatingPointError(f"the gradient is not finite in step {step + 1}")
        self._optimizer.step()
        self._optimizer.zero_grad()
        for batch in batches:
            self._method.on_step_end(batch)
        return {
            "losses": losses,
            **describe(record),
            "gradient_norm": norm,
            "clipped": clipped,
            "learning_rates": rates,
            "seconds": time.perf_counter() - start,
        }

    def _set_rates(self, step: int) -> dict[str, float]:
        factor = rate_factor(
            self._config.schedule,
            step=step,
            total_steps=self._total_steps,
            steps_per_epoch=self._steps_per_epoch,
        )
        for group in self._optimizer.param_groups:
            group["lr"] = group["peak"] * factor
        return {group["name"]: group["lr"] for group in self._optimizer.param_groups}


def clip_gradients(parameters: Sequence[Tensor], clip: ClipConfig) -> tuple[float, bool]:
    """Clip the gradients in place; return their norm before, and whether anything changed.

    >>> weight = torch.zeros(2, requires_grad=True)
    >>> weight.grad = torch.tensor([3.0, 4.0])
    >>> clip_gradients([weight], ClipConfig(kind="norm", limit=1.0))
    (5.0, True)
    """
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    if clip.kind == "norm":
        norm = float(torch.nn.utils.clip_grad_norm_(parameters, clip.limit))
        return norm, norm > clip.limit
    norm = float(torch.nn.utils.get_total_norm(gradients))
    if clip.kind == "none":
        return norm, False
    largest = max((float(gradient.abs().max()) for gradient in gradients), default=0.0)
    torch.nn.utils.clip_grad_value_(parameters, clip.limit)
    return norm, largest > clip.limit


def _sum_counts(counts: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    total: dict[str, Tensor] = {}
    for count in counts:
        for task, terms in count.items():
            total[task] = total[task] + terms if task in total else terms
    return total


def _require_finite(losses: Mapping[str, Tensor], step: int) -> None:
    for task, loss in losses.items():
        if not torch.isfinite(loss):
            raise FloatingPointError(
                f"the loss of task {task!r} is {float(loss)} in step {step}; "
                "lower the learning rate, or look at the batch"
            )
