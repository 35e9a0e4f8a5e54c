"""Task gradients as rows, stolen from `.grad` without copies."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import final

import torch
from torch import Tensor, nn

Row = list[Tensor | None]


class Memory(ABC):
    """Knows where the numbers of a gradient lie on this process."""

    @abstractmethod
    def stolen(self, gradient: Tensor) -> Tensor:
        """Return the memory of a gradient on this process."""

    @abstractmethod
    def returned(self, place: int, gradient: Tensor) -> Tensor:
        """Return what `.grad` of a parameter must be for such memory."""


@contextmanager
def gradients_aside(parameters: Sequence[nn.Parameter]) -> Iterator[Row]:
    """Empty `.grad` of all parameters, and put back what was there at the end, whatever happens.

    >>> weight = nn.Parameter(torch.ones(2))
    >>> weight.grad = torch.tensor([3.0, 4.0])
    >>> with gradients_aside([weight]):
    ...     (2 * weight).sum().backward()
    ...     weight.grad
    tensor([2., 2.])
    >>> weight.grad
    tensor([3., 4.])
    """
    found = [parameter.grad for parameter in parameters]
    for parameter in parameters:
        parameter.grad = None
    try:
        yield found
    finally:
        for parameter, gradient in zip(parameters, found, strict=True):
            parameter.grad = gradient


def write(parameters: Sequence[nn.Parameter], gradients: Row) -> None:
    """Put gradients into `.grad`, added to what is there.

    >>> weight = nn.Parameter(torch.ones(1))
    >>> write([weight], [torch.ones(1)])
    >>> weight.grad
    tensor([1.])
    """
    for parameter, gradient in zip(parameters, gradients, strict=True):
        if gradient is not None:
            parameter.grad = gradient if parameter.grad is None else parameter.grad.add_(gradient)


@final
class RowStore:
    """One gradient a row and parameter, added up over the micro-batches of a step.

    `.grad` is `None` when a backward pass starts, so autograd hands its buffer over and nothing is
    copied. A second micro-batch finds the row of the first in `.grad` and adds to it in place.

    Args:
        parameters: All parameters, in a fixed order.
        names: Their names, for messages.
        count: Number of rows.
        memory: Where gradients lie; `None` for plain tensors.

    >>> weight = nn.Parameter(torch.ones(2))
    >>> store = RowStore([weight], ["weight"], count=1)
    >>> for _ in range(2):
    ...     store.add(0, (2 * weight).sum().backward)
    >>> store.rows
    [[tensor([4., 4.])]]
    """

    def __init__(
        self,
        parameters: Sequence[nn.Parameter],
        names: Sequence[str],
        *,
        count: int,
        memory: Memory | None = None,
    ) -> None:
        self._parameters, self._names, self._memory = parameters, names, memory
        local = [p if memory is None else memory.stolen(p.detach()) for p in parameters]
        # of a parameter with holes or overlaps, such as an expanded one, the contiguous strides
        self._strides = [torch.empty_like(p, device="meta").stride() for p in local]
        self.rows: list[Row] = [[None] * len(parameters) for _ in range(count)]

    def add(self, row: int, backward: Callable[[], None]) -> None:
        """Run a backward pass and add its gradients to a row; `.grad` is `None` before and after.

        Raises:
            TypeError: If a gradient is sparse.
        """
        gradients = self.rows[row]
        for place, (parameter, gradient) in enumerate(
            zip(self._parameters, gradients, strict=True)
        ):
            if gradient is not None and self._memory is not None:
                gradient = self._memory.returned(place, gradient)
            parameter.grad = gradient
        backward()
        for place, parameter in enumerate(self._parameters):
            gradients[place] = self._steal(place, parameter)
        _separate(gradients)

    def _steal(self, place: int, parameter: nn.Parameter) -> Tensor | None:
        gradient = parameter.grad
        parameter.grad = None
        if gradient is None:
            return None
        if self._memory is not None:
            gradient = self._memory.stolen(gradient)
        if gradient.layout != torch.strided:
            raise TypeError(
                f"the gradient of {self._names[place]!r} is sparse, which the engine cannot "
                "combine; make its layer with sparse=False"
            )
        strides = self._strides[place]
        if gradient.stride() == strides or _same_layout(gradient, strides):
            return gradient
        return torch.empty_strided(
            gradient.shape, strides, dtype=gradient.dtype, device=gradient.device
        ).copy_(gradient)


def _separate(row: Row) -> None:
    """Copy gradients that lie in the memory of another one, since rows are changed in place.

    Autograd gives `p[None] + q[None]` one buffer for both gradients.
    """
    spans = sorted(
        (start := gradient.data_ptr(), start + gradient.numel() * gradient.element_size(), place)
        for place, gradient in enumerate(row)
        if gradient is not None
    )
    end = 0
    for start, stop, place in spans:
        gradient = row[place]
        if start < end and gradient is not None:
            row[place] = gradient.clone()
        else:
            end = stop


def _same_layout(tensor: Tensor, strides: Sequence[int]) -> bool:
    """Return whether entries lie in the same order; the stride of a dimension of size 1 is moot."""
    sizes = zip(tensor.shape, tensor.stride(), strides, strict=True)
    return all(size == 1 or mine == wanted for size, mine, wanted in sizes)
