"""Measure the null of conflict on a batch, without a trace in the training."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from gradtruce.analysis.conflict import NullCosines, Row, null_cosines
from gradtruce.data.batch import Batch
from gradtruce.methods.base import model_inputs
from gradtruce.methods.registry import Method
from gradtruce.training.config import Precision
from gradtruce.training.counts import normalizers_of
from gradtruce.training.precision import autocast
from gradtruce.training.world import ALONE, World


def measure_null(
    method: Method,
    batch: Batch,
    *,
    leave_out: Collection[str] = (),
    precision: Precision = "fp32",
    world: World = ALONE,
) -> NullCosines:
    """Return the cosines between task gradients on the two halves of a batch.

    Random numbers and buffers (the statistics of batch normalisation) are put back afterwards, and
    `.grad` is not touched: the training goes on as if nothing had been measured.

    Args:
        method: In training mode, whole.
        batch: At least two studies, those of all processes together.
        leave_out: Tasks that are not trained yet.
        precision: As `training.precision`; "fp16" is measured in float32, for want of a scaler.
        world: All processes, each with as many studies of one batch: what comes out is the null of
            that batch, the same on all.
    """
    parameters = list(method.parameters())
    names = [task.name for task in method.tasks]
    first = world.rank * len(batch) % 2  # the half that this process's first study belongs to

    def losses_of_half(half: int) -> Mapping[str, Tensor]:
        parts = [part for part in [batch.half((half + first) % 2)] if len(part)]
        normalizers = None if world.size == 1 else normalizers_of(parts, method, world)
        losses: dict[str, Tensor] = {}
        for part in parts:
            with autocast("fp32" if precision == "fp16" else precision, method.device):
                losses |= method(**model_inputs(part), normalizers=normalizers).losses
        return {task: loss for task, loss in losses.items() if task not in leave_out}

    def averaged(rows: Mapping[str, Row]) -> Mapping[str, Row]:
        return rows if world.size == 1 else _averaged(rows, names, parameters, world)

    with without_trace(method):
        return null_cosines(losses_of_half, parameters, averaged=averaged)


def _averaged(
    rows: Mapping[str, Row], tasks: Sequence[str], parameters: Sequence[Tensor], world: World
) -> dict[str, Row]:
    """Return the mean over processes of every row that any of them has."""
    means: dict[str, Row] = {}
    sizes = [parameter.numel() for parameter in parameters]
    for task in tasks:
        row = rows.get(task, [None] * len(parameters))
        here = torch.tensor([each is not None for each in row], device=parameters[0].device)
        reached = (world.total(here.int()) > 0).tolist()
        if not any(reached):
            continue
        filled = [
            torch.zeros_like(parameter) if each is None else each
            for each, parameter in zip(row, parameters, strict=True)
        ]
        whole = world.total(torch.cat([each.flatten() for each in filled])) / world.size
        pieces = zip(torch.split(whole, sizes), reached, strict=True)
        means[task] = [piece if is_reached else None for piece, is_reached in pieces]
    return means


@contextmanager
def without_trace(method: nn.Module) -> Iterator[None]:
    """Let a method run, then put its buffers and the random numbers back.

    >>> norm = nn.BatchNorm1d(1)
    >>> with without_trace(norm):
    ...     _ = norm(torch.tensor([[1.0], [3.0]]))
    >>> norm.running_mean
    tensor([0.])
    """
    kept = {name: buffer.clone() for name, buffer in method.named_buffers()}
    with torch.random.fork_rng():
        try:
            yield
        finally:
            with torch.no_grad():
                for name, buffer in method.named_buffers():
                    buffer.copy_(kept[name])
