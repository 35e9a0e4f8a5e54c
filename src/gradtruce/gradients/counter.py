"""Random numbers by coordinate: a hash of seed, step and place, the same however work is shared."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, final

import torch
from torch import Tensor

CHUNK: Final = 1 << 17  # numbers hashed at once on the processor, so that they stay in cache
_MASK: Final = (1 << 64) - 1
_GOLDEN: Final = 0x9E3779B97F4A7C15  # 2^64 / golden ratio, the step of splitmix64
_MIXERS: Final = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB))
_LAST: Final = 31


@final
@dataclass(frozen=True)
class Draws:
    """The random numbers of one step, each a hash (splitmix64) of seed, step, lane and coordinate.

    There is no state: nothing depends on device, chunks, or on which rank holds which numbers.
    The coordinate of a number is its place among all numbers of the model: parameters in order,
    each in the order in which it lies in memory.

    Attributes:
        seed: Of the run.
        step: Number of completed updates.
        starts: Coordinate of the first number of each gradient that a balancer is given.
        count: Number of coordinates in scope that a task reaches, over all ranks.

    >>> draws = Draws(seed=0, step=3, starts=(0, 4), count=6)
    >>> whole, part = Draws(0, 3, (0,), 6), torch.zeros(2)
    >>> torch.equal(draws.uniform(1, part), whole.uniform(0, torch.zeros(6))[4:])
    True
    """

    seed: int
    step: int
    starts: tuple[int, ...] = ()
    count: int = 0

    def uniform(self, place: int, like: Tensor, lane: int = 0) -> Tensor:
        """Return numbers from 0 to below 1, one for each of gradient `place`, in its layout.

        They are float64 (53 random bits) beside float64, else float32: the first 24 of the same.

        Args:
            place: Which gradient.
            like: That gradient; only its shape, layout, device and type matter.
            lane: Another lane gives other numbers for the same coordinates.
        """
        dtype = torch.float64 if like.dtype == torch.float64 else torch.float32
        bits = 53 if dtype == torch.float64 else 24
        out = torch.empty_like(like, dtype=dtype)
        flat = out.as_strided((out.numel(),), (1,))
        key = _mixed(_mixed(_mixed(self.seed) + self.step) + lane)
        for start, part in _chunks(flat):
            words = torch.arange(start, start + len(part), device=part.device)
            words = _hash(words.add_(self.starts[place]).mul_(_signed(_GOLDEN)).add_(_signed(key)))
            part.copy_(_shifted(words, 64 - bits)).mul_(2.0**-bits)
        return out

    def normal(self, place: int, like: Tensor) -> Tensor:
        """Return numbers of the normal distribution, by Box and Muller (1958), as `uniform`."""
        angle = self.uniform(place, like, lane=1).mul_(2 * math.pi).cos_()
        radius = self.uniform(place, like, lane=2).neg_().log1p_().mul_(-2).sqrt_()
        return radius.mul_(angle)

    def order(self, count: int) -> list[int]:
        """Return a random order of `count` things, on the host.

        >>> sorted(Draws(seed=1, step=0).order(4))
        [0, 1, 2, 3]
        """
        key = _mixed(_mixed(_mixed(self.seed) + self.step) + 3)
        return sorted(range(count), key=lambda place: _mixed(key + place * _GOLDEN))


def _chunks(flat: Tensor) -> Iterator[tuple[int, Tensor]]:
    size = CHUNK if flat.device.type == "cpu" else max(len(flat), 1)
    for start in range(0, len(flat), size):
        yield start, flat[start : start + size]


def _hash(words: Tensor) -> Tensor:
    """Mix the bits of 64-bit words in place, as splitmix64 does."""
    for shift, factor in _MIXERS:
        words.bitwise_xor_(_shifted(words, shift)).mul_(_signed(factor))
    return words.bitwise_xor_(_shifted(words, _LAST))


def _shifted(words: Tensor, by: int) -> Tensor:
    """Shift to the right and fill with zeros; torch fills with the sign."""
    return words.bitwise_right_shift(by).bitwise_and_((1 << (64 - by)) - 1)


def _mixed(word: int) -> int:
    """Mix the bits of one word on the host, as `_hash` does."""
    word = (word + _GOLDEN) & _MASK
    for shift, factor in _MIXERS:
        word = ((word ^ (word >> shift)) * factor) & _MASK
    return word ^ (word >> _LAST)


def _signed(word: int) -> int:
    return word - (1 << 64) if word >> 63 else word
