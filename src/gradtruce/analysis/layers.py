"""Where in a network tasks conflict: cosines of their gradients layer by layer, and their null."""

import math
from collections.abc import Sequence
from typing import Final, final

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from gradtruce.analysis.conflict import Row
from gradtruce.analysis.estimate import Estimate, mean_estimate, share_difference, share_estimate


def layer_names(names: Sequence[str], *, most: int = 32) -> list[str]:
    """Return the layer of every parameter: its module, or a module above it where there are many.

    Args:
        names: Dotted names of parameters.
        most: Layers wanted at most; a few more only where the first part of names alone has them.

    Raises:
        ValueError: If `most` is below 1.

    >>> layer_names(["net.0.weight", "net.0.bias", "net.1.weight", "head.weight"])
    ['net.0', 'net.0', 'net.1', 'head']
    >>> layer_names(["net.0.weight", "net.0.bias", "net.1.weight", "head.weight"], most=2)
    ['net', 'net', 'net', 'head']
    """
    if most < 1:
        raise ValueError(f"most must be at least 1, got {most}")
    modules = [name.split(".")[:-1] or name.split(".") for name in names]
    for depth in range(max(map(len, modules), default=1), 0, -1):
        layers = [".".join(parts[:depth]) for parts in modules]
        if len(set(layers)) <= most:
            return layers
    return layers


def layer_gramians(
    first: Sequence[Row], second: Sequence[Row], layers: Sequence[str]
) -> Float[Tensor, "layers tasks tasks"]:
    """Return ⟨g_i, h_j⟩ of two sets of task gradients in every layer, in float64.

    Args:
        first: g, one row a task.
        second: h, one row a task.
        layers: The layer of every parameter; results come in the order of first appearance.

    >>> rows = [[torch.ones(2), torch.ones(1)], [torch.ones(2), None]]
    >>> layer_gramians(rows, rows, ["a", "b"])[0]
    tensor([[2., 2.],
            [2., 2.]], dtype=torch.float64)
    """
    places = {layer: place for place, layer in enumerate(dict.fromkeys(layers))}
    found = torch.zeros(len(places), len(first), len(second), dtype=torch.float64)
    for index, layer in enumerate(layers):
        for i, one in enumerate(first):
            for j, other in enumerate(second):
                mine, theirs = one[index], other[index]
                if mine is not None and theirs is not None:
                    inner = torch.dot(mine.flatten().double(), theirs.flatten().double())
                    found[places[layer], i, j] += inner.cpu()
    return found


def half_cosines(
    across: Float[Tensor, "*layers tasks tasks"],
    first: Float[Tensor, "*layers tasks"],
    second: Float[Tensor, "*layers tasks"],
) -> Float[Tensor, "*layers tasks tasks"]:
    """Return cosines of task gradients on two disjoint halves of a batch; NaN where one is zero.

    The diagonal is the null, task i on one half with itself on the other. Off the diagonal, the
    mean of task i on the first half with j on the second, and of the other way round.

    Args:
        across: Inner products of the first half's gradients with the second half's.
        first: Norms on the first half.
        second: Norms on the second half.

    >>> half_cosines(torch.tensor([[1.0, 0.5], [-0.5, 1.0]]), torch.ones(2), torch.ones(2))
    tensor([[1., 0.],
            [0., 1.]])
    """
    cosines = across / (first.unsqueeze(-1) * second.unsqueeze(-2))
    return (cosines + cosines.transpose(-1, -2)) / 2


SHARED: Final = "all shared"
"""Name of the row of all layers together that at least two tasks reach."""


@final
class LayerConflict:
    """Collects cosines of halves over several batches, for every layer and for all shared ones.

    The last row is of all layers together that at least two tasks reach.

    Args:
        layers: The layer of every parameter.
        tasks: Names of the tasks, in the order of the rows.

    >>> meter = LayerConflict(["a"], ["one", "other"])
    >>> rows = [[torch.tensor([1.0, 0.0])], [torch.tensor([-1.0, 0.0])]]
    >>> meter.add(rows, rows)
    >>> meter.names, meter.cosine(0, 1)[0].value, meter.cosine(0, 0)[-1].value
    (['a', 'all shared'], -1.0, 1.0)
    """

    def __init__(self, layers: Sequence[str], tasks: Sequence[str]) -> None:
        self._layers, self.tasks = list(layers), list(tasks)
        self.names = [*dict.fromkeys(layers), SHARED]
        self._cosines: list[Float[Tensor, "layers tasks tasks"]] = []

    @property
    def batches(self) -> int:
        """Return how many batches were added."""
        return len(self._cosines)

    def add(self, first: Sequence[Row], second: Sequence[Row]) -> None:
        """Take the task gradients on two disjoint halves of a batch."""
        across, own, others = (
            layer_gramians(one, other, self._layers)
            for one, other in ((first, second), (first, first), (second, second))
        )
        is_shared = (own.diagonal(dim1=-2, dim2=-1) > 0).sum(-1) > 1
        across, own, others = (_with_shared(each, is_shared) for each in (across, own, others))
        norms = [
            products.diagonal(dim1=-2, dim2=-1).clamp_min(0).sqrt() for products in (own, others)
        ]
        self._cosines.append(half_cosines(across, *norms))

    def cosine(self, i: int, j: int) -> list[Estimate]:
        """Return the mean cosine of two tasks by layer and in all shared; i = j is the null."""
        return [mean_estimate(values) for values in self._of(i, j)]

    def negative(self, i: int, j: int) -> list[Estimate]:
        """Return the share of batches with a negative cosine by layer and in all shared."""
        return [share_estimate(_negative(values)) for values in self._of(i, j)]

    def excess(self, i: int, j: int) -> list[Estimate]:
        """Return by how much more often i and j have a negative cosine than i and j by themselves.

        Above 0 is conflict beyond what noise gives; the null is the mean of the two tasks'.
        """
        between, null = self._of(i, j), (self._of(i, i), self._of(j, j))
        return [
            share_difference(_negative(pair) - (_negative(one) + _negative(other)) / 2)
            for pair, one, other in zip(between, *null, strict=True)
        ]

    def _of(self, i: int, j: int) -> Float[np.ndarray, "layers batches"]:
        return torch.stack([cosines[:, i, j] for cosines in self._cosines], dim=1).numpy()


def _with_shared(
    gramians: Float[Tensor, "layers tasks tasks"], is_shared: Bool[Tensor, " layers"]
) -> Float[Tensor, "rows tasks tasks"]:
    return torch.cat([gramians, gramians[is_shared].sum(0, keepdim=True)])


def _negative(cosines: Float[np.ndarray, " batches"]) -> Float[np.ndarray, " batches"]:
    flags = (cosines < 0).astype(np.float64)
    flags[np.isnan(cosines)] = math.nan
    return flags
