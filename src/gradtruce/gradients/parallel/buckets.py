"""Gradients of many parameters in few flat tensors, of which every rank keeps a part."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple, final

import torch
from torch import Tensor, nn

from gradtruce.gradients.gramian import flat
from gradtruce.gradients.parallel.collectives import (
    Group,
    Work,
    start_all_gather,
    start_all_reduce,
    start_reduce_scatter,
)
from gradtruce.gradients.rows import Row

BYTES: Final = 1 << 25  # of a bucket: large enough for full speed, small enough to start early


class Member(NamedTuple):
    """A parameter in a bucket: its numbers, in memory order, are `start` to `stop` of it."""

    place: int
    start: int
    stop: int


class Part(NamedTuple):
    """What one rank holds of a member: numbers `start` to `stop` of the rank's part."""

    member: Member
    start: int
    stop: int
    skipped: int  # numbers of the parameter before them


@final
class Bucket:
    """One flat tensor of the gradients of some parameters, averaged over ranks.

    Args:
        members: Parameters of one type and device, one after the other from 0.
        like: One of them.
        group: Of processes.
        ranks: Their number, and the index of this one.
        scatters: Whether the group can do reduce-scatter; all-reduce serves otherwise.
    """

    def __init__(
        self,
        members: Sequence[Member],
        like: Tensor,
        group: Group,
        ranks: tuple[int, int],
        *,
        scatters: bool,
    ) -> None:
        self.members = members
        self._group, self._scatters = group, scatters
        self._count, index = ranks
        self._share = -(-members[-1].stop // self._count)  # numbers a rank, the last ones padded
        self._mine = slice(index * self._share, (index + 1) * self._share)
        self.parts = [self._part(member) for member in members]
        self._dtype, self._device = like.dtype, like.device
        self._whole: Tensor | None = None
        self._work: Work | None = None
        self._result: Tensor | None = None

    def _part(self, member: Member) -> Part:
        first = min(max(member.start, self._mine.start), member.stop)
        last = max(min(member.stop, self._mine.stop), first)
        offset = self._mine.start
        return Part(member, first - offset, last - offset, first - member.start)

    def start(self, gradients: Row) -> Tensor:
        """Start to average a row; return this rank's part, which is ready after `wait`."""
        self.wait()
        whole = self._filled(gradients)
        if self._scatters:
            part = torch.empty(self._share, dtype=self._dtype, device=self._device)
            self._work = start_reduce_scatter(part, whole, self._group)
        else:
            part = torch.empty(self._share, dtype=self._dtype, device=self._device)
            self._work, self._result = start_all_reduce(whole, self._group), part
        return part

    def start_whole(self, gradients: Row) -> None:
        """Start to average a row, all of which every rank gets; see `finish`."""
        self._work = start_all_reduce(self._filled(gradients), self._group)

    def start_gather(self, gradients: Row) -> None:
        """Start to collect the parts of all ranks; see `finish`."""
        self.wait()
        mine = torch.zeros(self._share, dtype=self._dtype, device=self._device)
        for part in self.parts:
            gradient = gradients[part.member.place]
            if gradient is not None:
                mine[part.start : part.stop].copy_(gradient)
        if self._whole is None:
            self._whole = self._empty()
        self._work = start_all_gather(self._whole, mine, self._group)

    def finish(self) -> Tensor:
        """Wait, and return the whole bucket; its memory is the caller's from then on."""
        self.wait()
        whole, self._whole = self._whole, None
        return self._empty() if whole is None else whole

    def wait(self) -> None:
        """Wait for what was started last: the host on the processor, the stream on a GPU."""
        if self._work is not None:
            self._work.wait()
            if self._result is not None and self._whole is not None:
                self._result.copy_(self._whole[self._mine])
        self._work = self._result = None

    def drop(self) -> None:
        """Forget a step that was given up."""
        self.wait()
        self._whole = None

    def _filled(self, gradients: Row) -> Tensor:
        if self._whole is None:
            self._whole = self._empty()
        targets, sources = [], []
        for member in self.members:
            target, gradient = self._whole[member.start : member.stop], gradients[member.place]
            if gradient is None:
                target.zero_()
            else:
                targets.append(target)
                sources.append(flat(gradient))
        if targets:
            torch._foreach_copy_(targets, sources)  # one launch on a GPU
        self._whole[self.members[-1].stop :].zero_()
        # divided before it is summed, so that half precision does not overflow
        return self._whole.mul_(1 / self._count)

    def _empty(self) -> Tensor:
        return torch.empty(self._share * self._count, dtype=self._dtype, device=self._device)


def packed(parameters: Sequence[nn.Parameter]) -> Iterator[list[Member]]:
    """Yield the members of each bucket: trained parameters in order, those of one type together.

    >>> weights = [nn.Parameter(torch.ones(2, 2)), nn.Parameter(torch.ones(3))]
    >>> list(packed(weights))
    [[Member(place=0, start=0, stop=4), Member(place=1, start=4, stop=7)]]
    """
    open_ones: dict[torch.dtype, list[Member]] = {}
    for place, parameter in enumerate(parameters):
        if not parameter.requires_grad:
            continue
        members = open_ones.setdefault(parameter.dtype, [])
        start = members[-1].stop if members else 0
        members.append(Member(place, start, start + parameter.numel()))
        if members[-1].stop * parameter.element_size() >= BYTES:
            yield open_ones.pop(parameter.dtype)
    yield from open_ones.values()


def unpacked(
    buckets: Iterable[Bucket], parameters: Sequence[nn.Parameter], reached: Sequence[bool]
) -> Row:
    """Return the gradients in finished buckets as views, `None` where no rank has one."""
    row: Row = [None] * len(parameters)
    for bucket in buckets:
        whole = bucket.finish()
        for place, start, stop in bucket.members:
            if reached[place]:
                parameter = parameters[place]
                strides = torch.empty_like(parameter, device="meta").stride()
                row[place] = whole[start:stop].as_strided(parameter.shape, strides)
    return row
