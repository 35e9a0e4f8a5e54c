"""How much the gradients of batches scatter: the trace of the covariance of gradient noise.

With g the gradient of one batch, tr Σ = E‖g − E g‖². It is the diffusion term of the stochastic
differential equation that stands for SGD (Mandt et al. 2017); the CAME-Grad paper reports it in
appendix B.2 for linear scalarization (0.3215) and for its method (4.4886), as one number each, and
leaves open how it was estimated. Two estimators are here:

- *fixed point*: many batches at the same parameters. Half the squared difference of two gradients
  is unbiased for tr Σ, and pairs that share no batch are independent. Batches of one epoch are
  disjoint; the differences of disjoint batches have the mean that independent batches would have.
- *temporal*: successive gradients of a training. Here the expected gradient moves too. Half the
  squared differences of neighbours take a slow movement out (von Neumann 1941); the variance in a
  window leaves it in.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from gradtruce.analysis.conflict import Row
from gradtruce.analysis.estimate import Estimate, mean_estimate

PUBLISHED_TRACES: Final = (0.3215, 4.4886)
"""Of REVTAF on MIMIC-CXR with linear scalarization and with CAME-Grad (paper, appendix B.2)."""

PUBLISHED_RATIO: Final = PUBLISHED_TRACES[1] / PUBLISHED_TRACES[0]
"""13.96; of one noise seen through a gain κ of 1.5 it would be κ² = 2.25."""


@final
@dataclass(frozen=True, eq=False)
class NoiseTrace:
    """Noise of one kind of gradient.

    Attributes:
        trace: tr Σ, in squared units of the gradient.
        second_moment: Mean of ‖g‖²: tr Σ and the square of the expected gradient together.
        window_variance: Mean squared distance to the mean gradient, with n − 1; at one point the
            same in expectation as `trace`, along a training with the movement in it.
        samples: What `trace` is the mean of.
        squares: ‖g‖² of every batch.
    """

    trace: Estimate
    second_moment: Estimate
    window_variance: float
    samples: Float[np.ndarray, " pairs"]
    squares: Float[np.ndarray, " batches"]

    @property
    def signal(self) -> float:
        """Return an estimate of ‖E g‖², which may come out below 0 where noise is nearly all."""
        return self.second_moment.value - self.trace.value

    @property
    def noise_share(self) -> float:
        """Return tr Σ as a share of the mean of ‖g‖², about 1 for noise alone; NaN for zeros."""
        whole = self.second_moment.value
        return self.trace.value / whole if whole else math.nan


@final
class NoiseMeter:
    """Takes gradients one after another, and keeps two of them and their mean.

    >>> meter = NoiseMeter()
    >>> for value in (1.0, 3.0, 2.0, 2.0):
    ...     meter.add([torch.tensor([value])])
    >>> meter.at_one_point().trace.value
    1.0
    """

    def __init__(self) -> None:
        self._count, self._scatter = 0, 0.0
        self._mean: list[Tensor | None] = []
        self._last: list[Tensor | None] = []
        self._squares: list[float] = []
        self._differences: list[float] = []

    @property
    def count(self) -> int:
        """Return the number of gradients taken."""
        return self._count

    def add(self, gradient: Row) -> None:
        """Take one gradient; `None` stands for zeros."""
        entries = [None if entry is None else entry.detach() for entry in gradient]
        self._squares.append(_inner(entries, entries))
        if self._count:
            step = _difference(entries, self._last)
            self._differences.append(0.5 * _inner(step, step))
        self._count += 1
        self._to_mean(entries)
        self._last = entries

    def _to_mean(self, entries: list[Tensor | None]) -> None:
        """Move mean and scatter (Welford 1962)."""
        if self._count == 1:
            self._mean = [None if entry is None else entry.clone() for entry in entries]
            return
        before = _difference(entries, self._mean)
        self._mean = [
            None if gap is None else gap / self._count + (0 if mean is None else mean)
            for mean, gap in zip(self._mean, before, strict=True)
        ]
        self._scatter += _inner(before, _difference(entries, self._mean))

    def at_one_point(self) -> NoiseTrace:
        """Return the noise of gradients of different batches at the same parameters.

        Raises:
            ValueError: If there are fewer than four gradients, two pairs.
        """
        return self._noise(self._differences[0::2], block=1)

    def along_training(self) -> NoiseTrace:
        """Return the noise of successive gradients of a training.

        Raises:
            ValueError: If there are fewer than four gradients.
        """
        return self._noise(self._differences, block=None)

    def _noise(self, samples: list[float], *, block: int | None) -> NoiseTrace:
        if self._count < 4:
            raise ValueError(f"noise needs the gradients of 4 batches or more, got {self._count}")
        return NoiseTrace(
            trace=mean_estimate(samples, block=block, is_positive=True),
            second_moment=mean_estimate(self._squares, block=block, is_positive=True),
            window_variance=self._scatter / (self._count - 1),
            samples=np.array(samples),
            squares=np.array(self._squares),
        )


def effective_gain(update: NoiseTrace, joint: NoiseTrace) -> float:
    """Return by how much longer the updates are than the joint gradients, as root mean squares.

    A constant gain κ comes out as κ, so that tr Σ of the update divided by its square is tr Σ of
    the joint gradient.


    >>> meters = NoiseMeter(), NoiseMeter()
    >>> for value in (1.0, 3.0, 2.0, 2.0):
    ...     for gain, meter in zip((1.0, 1.5), meters):
    ...         meter.add([gain * torch.tensor([value])])
    >>> joint, update = (meter.at_one_point() for meter in meters)
    >>> effective_gain(update, joint), update.trace.value / effective_gain(update, joint) ** 2
    (1.5, 1.0)
    """
    return math.sqrt(update.second_moment.value / joint.second_moment.value)


def _difference(
    one: Sequence[Tensor | None], other: Sequence[Tensor | None]
) -> list[Tensor | None]:
    return [
        mine if theirs is None else -theirs if mine is None else mine - theirs
        for mine, theirs in zip(one, other, strict=True)
    ]


def _inner(one: Sequence[Tensor | None], other: Sequence[Tensor | None]) -> float:
    return sum(
        float(torch.dot(mine.flatten().double(), theirs.flatten().double()))
        for mine, theirs in zip(one, other, strict=True)
        if mine is not None and theirs is not None
    )
