"""Data parallel training: every rank has the whole model and a share of the batch."""

from collections.abc import Sequence
from typing import final

import torch
import torch.distributed as dist
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from gradtruce.gradients.open_step import task_mask
from gradtruce.gradients.parallel.buckets import Bucket, packed, unpacked
from gradtruce.gradients.parallel.collectives import Group, can_reduce_scatter, summed
from gradtruce.gradients.parallel.ranks import Ranks, first_coordinates, require_agreement
from gradtruce.gradients.parallel.sketch import sketched
from gradtruce.gradients.rows import Row


@final
class Replicas(Ranks):
    """Averages rows among copies of a model by its own collectives, instead of DDP's.

    DDP averages the first backward pass of a step alone, and lets the others differ between ranks
    without a word; so it is switched off. Every complete row is reduced and scattered while the
    next backward pass runs; each rank computes with its part of all rows; the combined gradient is
    gathered. A step of K tasks moves K + 1 gradients, where DDP moves 2 for one task.

    With `sketch`, rows stay where they are: ranks sum small random projections of them, whose
    inner products are the Gramian on average, and then the combined gradient: 2 gradients a step
    for any K.

    Args:
        wrappers: All DDP modules of the model.
        parameters: All parameters, in order.
        sketch: Numbers of a projection; `None` for the exact Gramian.
        seed: Of the projections.
    """

    def __init__(
        self,
        wrappers: Sequence[DistributedDataParallel],
        parameters: Sequence[nn.Parameter],
        *,
        sketch: int | None,
        seed: int,
    ) -> None:
        self._wrappers, self._parameters = wrappers, parameters
        self._group: Group = wrappers[0].process_group
        self.count, self.index = dist.get_world_size(self._group), dist.get_rank(self._group)
        self._device = parameters[0].device
        self._scatters = can_reduce_scatter(self._group, self._device)
        self._sketch, self._seed, self._step = sketch, seed, 0
        self._first = first_coordinates(parameters)
        self._trained: list[bool] = []
        self._buckets: list[Bucket] = []
        self._reached = [False] * len(parameters)

    def start(self, facts: Sequence[object]) -> None:
        """Compare facts, and switch DDP off."""
        require_agreement(self, facts, self._device)
        for wrapper in self._wrappers:
            wrapper.require_backward_grad_sync = False

    def begin(self, step: int) -> None:
        """Look whether DDP is still switched off, and make buckets for what is trained.

        Raises:
            RuntimeError: If it is not.
        """
        if any(wrapper.require_backward_grad_sync for wrapper in self._wrappers):
            raise RuntimeError(
                "DistributedDataParallel was switched on again (require_backward_grad_sync), and "
                "would average some rows twice and others never; leave it off, or close() the "
                "TaskGradients"
            )
        for bucket in self._buckets:
            bucket.drop()
        self._step, self._reached = step, [False] * len(self._parameters)
        trained = [parameter.requires_grad for parameter in self._parameters]
        if trained != self._trained:
            self._trained, ranks = trained, (self.count, self.index)
            self._buckets = [
                Bucket(
                    members,
                    self._parameters[members[0].place],
                    self._group,
                    ranks,
                    scatters=self._scatters,
                )
                for members in packed(self._parameters)
            ]

    def agreed(
        self, losses: Float[Tensor, " tasks"], present: Sequence[int]
    ) -> tuple[Float[Tensor, " tasks"], list[int]]:
        """Return the mean losses and who is present anywhere; read only if somebody is not here."""
        here = task_mask(present, len(losses), losses.device)
        total = self.total(torch.cat([losses / self.count, here.to(losses)]))
        means, counts = total.chunk(2)
        if len(present) == len(losses):
            return means, list(present)
        return means, [task for task, count in enumerate(counts.tolist()) if count > 0]

    def total(self, values: Tensor) -> Tensor:
        """Return the sum over ranks."""
        return summed(values, self._group)

    def united(self, mask: Bool[Tensor, "*any"]) -> Bool[Tensor, "*any"]:
        """Return where a mask is True on any rank."""
        return self.total(mask.to(torch.int32)) > 0

    def stolen(self, gradient: Tensor) -> Tensor:
        """Return what is given."""
        return gradient

    def returned(self, place: int, gradient: Tensor) -> Tensor:
        """Return what is given."""
        return gradient

    def averaged(self, row: Row) -> Row:
        """Start to average a row, and return the parts of it that this rank will hold."""
        for place, gradient in enumerate(row):
            self._reached[place] |= gradient is not None
        if self._sketch is not None:
            return row
        parts: Row = [None] * len(row)
        for bucket in self._buckets:
            mine = bucket.start(row)
            for part in bucket.parts:
                parts[part.member.place] = mine[part.start : part.stop]
        return parts

    def settled(self, rows: Sequence[Row]) -> list[Row]:
        """Wait for all rows, and agree on the parameters that some task reaches on some rank."""
        reached = torch.tensor(self._reached).to(self._device, non_blocking=True)
        united = self.united(reached)
        if self._reached != self._trained:  # all of them here is all of them anywhere
            self._reached = united.tolist()
        for bucket in self._buckets:
            bucket.wait()
        return [
            [g if is_reached else None for g, is_reached in zip(row, self._reached, strict=True)]
            for row in rows
        ]

    def gathered(self, gradients: Row) -> Row:
        """Return the whole gradients, as views of the buckets."""
        for bucket in self._buckets:
            if self._sketch is None:
                bucket.start_gather(gradients)
            else:
                bucket.start_whole(gradients)
        return unpacked(self._buckets, self._parameters, self._reached)

    def seen(self, rows: Sequence[Row], places: Sequence[int]) -> Sequence[Row]:
        """Return the rows, or their sketches, summed over ranks."""
        if self._sketch is None:
            return rows
        starts = [self._first[place] for place in places]
        sketches = sketched(rows, starts, self._sketch, seed=self._seed, step=self._step)
        total = self.total(sketches / self.count)
        return [[row] for row in total.unbind()]

    def over_parts(self, values: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
        """Return the sum over ranks; a sketch is whole on each of them."""
        return values if self._sketch is not None else self.total(values)

    def starts(self) -> list[int]:
        """Return where this rank's part of each parameter starts."""
        starts = list(self._first)
        for bucket in self._buckets if self._sketch is None else ():
            for part in bucket.parts:
                starts[part.member.place] += part.skipped
        return starts

    def finish(self) -> None:
        """Let DDP broadcast buffers before the next forward pass, as after its own steps."""
        for wrapper in self._wrappers:
            wrapper.require_forward_param_sync = True

    def close(self) -> None:
        """Switch DDP on again."""
        for bucket in self._buckets:
            bucket.drop()
        for wrapper in self._wrappers:
            wrapper.require_backward_grad_sync = True
