"""Measure the null of conflict on a batch, without a trace in the training."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from gradtruce.analysis.conflict import NullCosines, null_cosines
from gradtruce.data.batch import Batch
from gradtruce.methods.base import model_inputs
from gradtruce.methods.registry import Method
from gradtruce.training.config import Precision
from gradtruce.training.precision import autocast


def measure_null(
    method: Method, batch: Batch, *, leave_out: Collection[str] = (), precision: Precision = "fp32"
) -> NullCosines:
    """Return the cosines between task gradients on the two halves of a batch.

    Random numbers and buffers (the statistics of batch normalisation) are put back afterwards, and
    `.grad` is not touched: the training goes on as if nothing had been measured.

    Args:
        method: In training mode.
        batch: At least two studies.
        leave_out: Tasks that are not trained yet.
        precision: As `training.precision`; "fp16" is measured in float32, for want of a scaler.
    """

    def losses_of_half(half: int) -> Mapping[str, Tensor]:
        with autocast("fp32" if precision == "fp16" else precision, method.device):
            losses: Mapping[str, Tensor] = method(**model_inputs(batch.half(half))).losses
        return {task: loss for task, loss in losses.items() if task not in leave_out}

    with _without_trace(method):
        return null_cosines(losses_of_half, list(method.parameters()))


@contextmanager
def _without_trace(method: nn.Module) -> Iterator[None]:
    buffers = [(buffer, buffer.clone()) for buffer in method.buffers()]
    with torch.random.fork_rng():
        try:
            yield
        finally:
            with torch.no_grad():
                for buffer, kept in buffers:
                    buffer.copy_(kept)
