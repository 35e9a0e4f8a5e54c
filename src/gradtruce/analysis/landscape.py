"""The loss around a minimum, along random directions, and on the line between two minima.

A direction is filter-normalised (Li et al. 2018, section 4): every filter of it is as long as the
filter of the network that it moves. Without that, a network with smaller weights, which computes
the same function where normalisation follows, would look sharper.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

Losses = Mapping[str, float]
Evaluate = Callable[[], Losses]
"""Returns the losses at the parameters as they are now."""


def random_direction(parameters: Sequence[Tensor], seed: int) -> list[Tensor]:
    """Return standard normal numbers in the shapes of the parameters.

    They depend on seed and shapes alone, so two networks of one shape get the same.

    >>> once, again = (random_direction([torch.zeros(2, 2)], seed=3) for _ in range(2))
    >>> bool((once[0] == again[0]).all())
    True
    """
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(each.shape, generator=generator).to(each) for each in parameters]


def filter_normalised(direction: Sequence[Tensor], parameters: Sequence[Tensor]) -> list[Tensor]:
    """Return the direction with every filter as long as that of the parameters.

    A filter is one entry of the first dimension: what makes one output of a convolution or a linear
    layer, one token of an embedding. Parameters of one dimension (biases, scales and shifts of
    normalisation) are not moved, as in the paper's own plots.

    >>> weight = torch.tensor([[3.0, 4.0], [0.0, 0.0]])
    >>> filter_normalised([torch.tensor([[1.0, 0.0], [1.0, 1.0]])], [weight])
    [tensor([[5., 0.],
            [0., 0.]])]
    """
    return [
        _like_filters(piece, parameter) if parameter.ndim > 1 else torch.zeros_like(parameter)
        for piece, parameter in zip(direction, parameters, strict=True)
    ]


def _like_filters(piece: Tensor, parameter: Tensor) -> Tensor:
    rest = tuple(range(1, parameter.ndim))
    lengths = [
        torch.linalg.vector_norm(each.detach(), dim=rest, keepdim=True)
        for each in (parameter, piece)
    ]
    return torch.where(lengths[1] > 0, piece * (lengths[0] / lengths[1]), torch.zeros_like(piece))


@contextmanager
def moved(
    tensors: Sequence[Tensor], directions: Sequence[Sequence[Tensor]], amounts: Sequence[float]
) -> Iterator[None]:
    """Move tensors by Σ amount · direction; put them back afterwards, bit for bit.

    >>> weight = torch.tensor([1.0])
    >>> with moved([weight], [[torch.tensor([2.0])]], [0.5]):
    ...     print(weight)
    tensor([2.])
    >>> weight
    tensor([1.])
    """
    kept = [tensor.detach().clone() for tensor in tensors]
    try:
        with torch.no_grad():
            for direction, amount in zip(directions, amounts, strict=True):
                for tensor, piece in zip(tensors, direction, strict=True):
                    tensor.add_(piece, alpha=amount)
        yield
    finally:
        with torch.no_grad():
            for tensor, value in zip(tensors, kept, strict=True):
                tensor.copy_(value)


def along(
    parameters: Sequence[Tensor],
    direction: Sequence[Tensor],
    amounts: Sequence[float],
    evaluate: Evaluate,
) -> dict[str, list[float]]:
    """Return the losses at parameters + amount · direction, one a name and amount.

    >>> weight = torch.tensor([1.0])
    >>> along([weight], [torch.ones(1)], [-1.0, 0.0], lambda: {"loss": float(weight**2)})
    {'loss': [0.0, 1.0]}
    """
    return _by_name([_at(parameters, [direction], [amount], evaluate) for amount in amounts])


def across(
    parameters: Sequence[Tensor],
    directions: tuple[Sequence[Tensor], Sequence[Tensor]],
    amounts: Sequence[float],
    evaluate: Evaluate,
) -> dict[str, Float[np.ndarray, "rows columns"]]:
    """Return the losses on a square grid: rows along the second direction, columns the first.

    >>> weight = torch.zeros(2)
    >>> pair = [torch.tensor([1.0, 0.0])], [torch.tensor([0.0, 10.0])]
    >>> across([weight], pair, [0.0, 1.0], lambda: {"sum": float(weight.sum())})["sum"]
    array([[ 0.,  1.],
           [10., 11.]])
    """
    rows = [
        _by_name([_at(parameters, directions, (x, y), evaluate) for x in amounts]) for y in amounts
    ]
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def between(
    first: Sequence[Tensor],
    second: Sequence[Tensor],
    amounts: Sequence[float],
    evaluate: Evaluate,
) -> dict[str, list[float]]:
    """Return the losses at (1 − amount) · first + amount · second.

    Args:
        first: The tensors that `evaluate` looks at, such as parameters and running statistics of
            batch normalisation; put back afterwards.
        second: Of the same shapes.
        amounts: 0 is the first, 1 the second.
        evaluate: Returns the losses at `first` as it is now.

    Raises:
        ValueError: If shapes differ.
    """
    shapes = [[tuple(each.shape) for each in tensors] for tensors in (first, second)]
    if shapes[0] != shapes[1]:
        raise ValueError("there is no line between networks of different shapes")
    with torch.no_grad():
        step = [theirs.to(mine) - mine for mine, theirs in zip(first, second, strict=True)]
    return along(first, step, amounts, evaluate)


def barrier(amounts: Sequence[float], losses: Sequence[float]) -> float:
    """Return how far the loss between two ends rises above the line between them, at least 0.

    Frankle et al. 2020 call it the error barrier: near 0, two minima lie in one basin.

    >>> barrier([0.0, 0.5, 1.0], [1.0, 4.0, 3.0])
    2.0
    """
    start, end = (losses[list(amounts).index(place)] for place in (0.0, 1.0))
    inside = [(a, loss) for a, loss in zip(amounts, losses, strict=True) if 0 <= a <= 1]
    return max(loss - ((1 - a) * start + a * end) for a, loss in inside)


def _at(
    parameters: Sequence[Tensor],
    directions: Sequence[Sequence[Tensor]],
    amounts: Sequence[float],
    evaluate: Evaluate,
) -> Losses:
    with moved(parameters, directions, amounts):
        return evaluate()


def _by_name(points: Sequence[Losses]) -> dict[str, list[float]]:
    return {name: [point[name] for point in points] for name in points[0]}
