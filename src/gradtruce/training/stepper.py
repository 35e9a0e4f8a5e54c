"""One optimizer step: losses of the micro-batches, the engine, clipping, the update."""

import math
import time
from collections.abc import Mapping, Sequence
from typing import Any, final

import torch
from torch import Tensor

from gradtruce.data.batch import Batch
from gradtruce.gradients.record import StepRecord
from gradtruce.gradients.scaling import take
from gradtruce.methods.base import TaskSpec, model_inputs, waiting_tasks
from gradtruce.training.assembly import TrainingParts
from gradtruce.training.config import ClipConfig, TrainingConfig
from gradtruce.training.counts import normalizers_of
from gradtruce.training.pieces import put_together
from gradtruce.training.precision import autocast, require_scale
from gradtruce.training.schedule import learning_rate
from gradtruce.training.spread import has_step_hook
from gradtruce.training.world import ALONE, World

Record = dict[str, Any]  # a line of the log: numbers by name, and tables of them


@final
class Stepper:
    """Takes optimizer steps, and tells of each what the log keeps.

    Args:
        parts: Method, engine and optimizer.
        config: Schedule and clipping.
        world: The processes that take them together.

    Raises:
        ValueError: If the balancer or a task can't be trained with such batches.

    Attributes:
        seen: Tasks that had a loss in any step so far.
        skipped: Steps so far that overflowed in float16 and changed nothing.
    """

    def __init__(self, parts: TrainingParts, config: TrainingConfig, world: World = ALONE) -> None:
        self._parts, self._config, self._world = parts, config, world
        self.seen: set[str] = set()
        self.skipped = 0
        self._parameters = [
            parameter for group in parts.optimizer.param_groups for parameter in group["params"]
        ]
        if config.accumulation > 1 and parts.gradients.needs_step:
            raise ValueError(
                "training.accumulation must be 1: this balancer sees the losses of a batch again, "
                f"which needs the batch in one piece, got {config.accumulation}"
            )
        _require_pairs(config, parts.method.tasks)
        self._step, self._norm, self._clipped = 0, math.nan, False
        self._is_taken = False
        self._waiting: frozenset[str] = frozenset()
        parts.optimizer.register_step_pre_hook(lambda *_: self._clip())

    def step(self, batches: Sequence[Batch], step: int) -> Record:
        """Update the parameters by the micro-batches of one step.

        Args:
            batches: The micro-batches of this process.
            step: Steps completed before this one.

        Raises:
            FloatingPointError: If a loss or gradient is not finite, naming task and step.
        """
        start = time.perf_counter()
        self._step = step + 1
        epoch = step // self._parts.steps_per_epoch
        self._waiting = waiting_tasks(self._parts.method.tasks, epoch)
        method, rates = self._parts.method, self._set_rates(step)
        normalizers = normalizers_of(batches, method, self._world)
        self._norm, self._clipped, self._is_taken = math.nan, False, False
        record = self._updated(batches, normalizers)
        scale = self._scale_after()
        if self._is_taken:
            self._end_step(batches)
        return {
            **record.to_dict(),
            "gradient_norm": self._norm,
            "clipped": self._clipped,
            **scale,
            "learning_rates": rates,
            "seconds": time.perf_counter() - start,
        }

    def _end_step(self, batches: Sequence[Batch]) -> None:
        """Let the method see the studies of the step, those of all processes in order of rank."""
        method, everywhere = self._parts.method, list(batches)
        if self._world.size > 1 and has_step_hook(method):
            everywhere = [
                batch.to(method.device)
                for there in self._world.gathered([batch.to("cpu") for batch in batches])
                for batch in there
            ]
        method.on_step_end(everywhere)

    def _updated(self, batches: Sequence[Batch], normalizers: Mapping[str, Tensor]) -> StepRecord:
        """Update the parameters, clipping first."""
        gradients, optimizer = self._parts.gradients, self._parts.optimizer
        *earlier, last = batches
        if gradients.needs_step:
            return gradients.step(lambda: self._losses(last, normalizers), optimizer)
        for batch in earlier:
            gradients.backward(self._losses(batch, normalizers), last=False)
        record = gradients.backward(self._losses(last, normalizers))
        take(optimizer, self._parts.scaler)
        return record

    def _scale_after(self) -> Record:
        """Return what the log tells of a gradient scaler; count the step if it was skipped."""
        scaler = self._parts.scaler
        if scaler is None:
            return {}
        if not self._is_taken:
            self.skipped += 1
            require_scale(scaler, self._step)
        return {"scale": scaler.get_scale(), "skipped_steps": self.skipped}

    def _clip(self) -> None:
        self._is_taken = True
        self._norm, self._clipped = clip_gradients(self._parameters, self._config.clip)
        if not math.isfinite(self._norm):
            raise FloatingPointError(f"the gradient is not finite in step {self._step}")

    def _losses(self, batch: Batch, normalizers: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        with autocast(self._config.precision, self._parts.method.device):
            found = self._parts.spread.losses(**model_inputs(batch), normalizers=normalizers)
        losses = {task: loss for task, loss in found.items() if task not in self._waiting}
        self.seen |= losses.keys()
        return losses

    def _set_rates(self, step: int) -> dict[str, float]:
        for group in self._parts.optimizer.param_groups:
            group["lr"] = learning_rate(
                self._config.schedule,
                group["peak"],
                step=step,
                total_steps=self._parts.total_steps,
                steps_per_epoch=self._parts.steps_per_epoch,
            )
        return {group["name"]: group["lr"] for group in self._parts.optimizer.param_groups}


def coupling_note(config: TrainingConfig, tasks: Sequence[TaskSpec], processes: int = 1) -> str:
    """Return what micro-batches do to tasks that compare the studies of a batch, or nothing.

    Args:
        config: Size and number of the micro-batches.
        tasks: All of them.
        processes: Number of processes, each with micro-batches of its own.

    >>> tasks = [TaskSpec("contrast", 0.2, "auxiliary", is_batch_coupled=True)]
    >>> coupling_note(TrainingConfig(accumulation=2, batch_size=8), tasks)
    "task 'contrast' compares the 8 studies of a micro-batch, not the 16 of a step"
    >>> coupling_note(TrainingConfig(batch_size=8), tasks, processes=4)
    "task 'contrast' compares the 8 studies of a micro-batch, not the 32 of a step"
    >>> coupling_note(TrainingConfig(), tasks)
    ''
    """
    coupled, pieces = _coupled(tasks), config.accumulation * processes
    if pieces == 1 or not coupled:
        return ""
    size = config.batch_size
    verb = "task {} compares" if len(coupled) == 1 else "tasks {} compare"
    return (
        f"{verb.format(', '.join(coupled))} the {size} studies of a micro-batch, "
        f"not the {size * pieces} of a step"
    )


def _coupled(tasks: Sequence[TaskSpec]) -> list[str]:
    return [repr(task.name) for task in tasks if task.is_batch_coupled]


def _require_pairs(config: TrainingConfig, tasks: Sequence[TaskSpec]) -> None:
    coupled = _coupled(tasks)
    if coupled and config.batch_size < 2:
        raise ValueError(
            f"training.batch_size must be at least 2 for {', '.join(coupled)}, which compares "
            f"studies with each other, got {config.batch_size}"
        )


def clip_gradients(parameters: Sequence[Tensor], clip: ClipConfig) -> tuple[float, bool]:
    """Clip the gradients in place; return their norm before, and whether anything changed.

    >>> weight = torch.zeros(2, requires_grad=True)
    >>> weight.grad = torch.tensor([3.0, 4.0])
    >>> clip_gradients([weight], ClipConfig(kind="norm", limit=1.0))
    (5.0, True)
    """
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    if clip.kind == "norm":
        norm = float(put_together(torch.nn.utils.clip_grad_norm_(parameters, clip.limit)))
        return norm, norm > clip.limit
    norm = float(put_together(torch.nn.utils.get_total_norm(gradients)))
    if clip.kind == "none":
        return norm, False
    largest = float(put_together(torch.nn.utils.get_total_norm(gradients, math.inf)))
    torch.nn.utils.clip_grad_value_(parameters, clip.limit)
    return norm, largest > clip.limit
