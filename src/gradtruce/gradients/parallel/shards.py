"""Fully sharded training: every rank has a part of each parameter, as `fully_shard` leaves it."""

from collections.abc import Sequence
from math import prod
from typing import Any, final

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from gradtruce.gradients.open_step import task_mask
from gradtruce.gradients.parallel.collectives import summed
from gradtruce.gradients.parallel.ranks import Ranks, first_coordinates, require_agreement
from gradtruce.gradients.rows import Row

DTensor = Any  # torch.distributed.tensor.DTensor, whose import costs half a second


@final
class Shards(Ranks):
    """Computes with the local parts of gradients that FSDP2 has averaged and scattered already.

    FSDP2 reduces each backward pass by itself, micro-batches too, so that a rank holds the parts of
    K rows. Inner products of the parts are summed over ranks, K × K numbers; the update needs no
    communication. Which tasks are present is read by the host before each backward call, since
    ranks that run different backward passes would wait for each other for ever.

    Args:
        parameters: All parameters, in order, all of them sharded.
    """

    def __init__(self, parameters: Sequence[nn.Parameter]) -> None:
        self._parameters: list[DTensor] = list(parameters)
        first = self._parameters[0]
        self._mesh = first.device_mesh
        self.count = int(self._mesh.size())
        self.index = int((self._mesh.mesh == self._mesh.get_rank()).flatten().int().argmax())
        self._copies = _copies(first)
        for parameter in self._parameters:
            _require_plain(parameter, self._mesh, self._copies)
        self._first = first_coordinates(parameters)

    def start(self, facts: Sequence[object]) -> None:
        """Compare facts."""
        require_agreement(self, facts, self._parameters[0].to_local().device)

    def begin(self, step: int) -> None:
        """Do nothing."""

    def agreed(
        self, losses: Float[Tensor, " tasks"], present: Sequence[int]
    ) -> tuple[Float[Tensor, " tasks"], list[int]]:
        """Return the mean losses.

        Raises:
            ValueError: If a task is present on some ranks alone.
        """
        here = task_mask(present, len(losses), losses.device)
        packed = torch.cat([losses / self.count, here.to(losses)])
        means, counts = self.total(packed).chunk(2)
        there = counts.tolist()
        partly = [task for task, ranks in enumerate(there) if 0 < ranks < self.count]
        if partly:
            raise ValueError(
                f"task number {partly[0]} has a graph on {int(there[partly[0]])} of {self.count} "
                "ranks: with sharded parameters all ranks must run the same backward passes; give "
                "a batch without labels the loss 0 * outputs.sum()"
            )
        return means, list(present)

    def total(self, values: Tensor) -> Tensor:
        """Return the sum over all ranks of the mesh."""
        for dimension in range(self._mesh.ndim):
            values = summed(values, self._mesh.get_group(dimension))
        return values

    def united(self, mask: Bool[Tensor, "*any"]) -> Bool[Tensor, "*any"]:
        """Return where a mask is True on any rank."""
        return self.total(mask.to(torch.int32)) > 0

    def stolen(self, gradient: Tensor) -> Tensor:
        """Return the local part."""
        sharded: DTensor = gradient
        local: Tensor = sharded.to_local()
        return local

    def returned(self, place: int, gradient: Tensor) -> Tensor:
        """Return the local part as the gradient of its parameter."""
        parameter = self._parameters[place]
        whole: Tensor = type(parameter.data).from_local(
            gradient,
            self._mesh,
            parameter.placements,
            run_check=False,
            shape=parameter.shape,
            stride=parameter.stride(),
        )
        return whole

    def averaged(self, row: Row) -> Row:
        """Return what is given, which is averaged."""
        return row

    def settled(self, rows: Sequence[Row]) -> list[Row]:
        """Return what is given."""
        return list(rows)

    def gathered(self, gradients: Row) -> Row:
        """Return sharded gradients."""
        return [None if g is None else self.returned(p, g) for p, g in enumerate(gradients)]

    def seen(self, rows: Sequence[Row], places: Sequence[int]) -> Sequence[Row]:
        """Return what is given."""
        return rows

    def over_parts(self, values: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
        """Return the sum over parts, each counted once."""
        return self.total(values) / self._copies

    def starts(self) -> list[int]:
        """Return where the local part of each parameter starts.

        Raises:
            NotImplementedError: If one is sharded along another dimension than the first.
        """
        return [
            first + _offset(parameter)
            for first, parameter in zip(self._first, self._parameters, strict=True)
        ]

    def finish(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


def _require_plain(parameter: DTensor, mesh: object, copies: int) -> None:
    kinds = {type(placement).__name__ for placement in parameter.placements}
    if not kinds <= {"Shard", "Replicate"} or parameter.device_mesh != mesh:
        raise NotImplementedError(
            f"parameters must all be sharded or replicated on one mesh, got {parameter.placements} "
            f"on {parameter.device_mesh}"
        )
    if _copies(parameter) != copies:
        raise NotImplementedError(
            "parameters must all be sharded along the same dimensions of the mesh, got "
            f"{parameter.placements} beside others"
        )


def _copies(parameter: DTensor) -> int:
    """Return how many ranks hold the same part."""
    placements = enumerate(parameter.placements)
    return prod(parameter.device_mesh.size(d) for d, p in placements if not p.is_shard())


def _offset(parameter: DTensor) -> int:
    """Return how many numbers of a parameter lie before the local ones."""
    size = parameter.shape[0] if parameter.dim() else 1
    offset = 0
    for dimension, placement in enumerate(parameter.placements):
        if not placement.is_shard():
            continue
        if placement.dim != 0:
            raise NotImplementedError(
                "random balancers need parameters sharded along their first dimension, got "
                f"{placement}"
            )
        ranks = parameter.device_mesh.size(dimension)
        share = -(-size // ranks)
        before = min(parameter.device_mesh.get_local_rank(dimension) * share, size)
        offset, size = offset + before, min(share, size - before)
    return offset * (parameter.numel() // max(parameter.shape[0], 1) if parameter.dim() else 1)
