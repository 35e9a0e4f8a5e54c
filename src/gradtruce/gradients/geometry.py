"""Inner products of rows: in scope, by parameter blocks, outside of it, and of what is combined."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from gradtruce.gradients.blocks import block_gramians, gramian_by_reach
from gradtruce.gradients.finite import not_finite
from gradtruce.gradients.kernels import Kernels
from gradtruce.gradients.parallel.ranks import Ranks
from gradtruce.gradients.rows import Row


@final
@dataclass(frozen=True, eq=False)
class Geometry:
    """Measures the rows of a step, over all processes and in units of unscaled gradients.

    Attributes:
        ranks: The processes that hold the rows.
        kernels: What multiplies rows.
        device: Of the gradients; `home` is where float64 is.
        scale: What a scaler has multiplied the rows with.
    """

    ranks: Ranks
    kernels: Kernels
    device: torch.device
    home: torch.device
    scale: Float[Tensor, ""] | None

    def inside(
        self, rows: Sequence[Row], places: Sequence[int], blocks: Sequence[int] | None
    ) -> Float[Tensor, "*blocks tasks tasks"]:
        """Return the Gramian of the rows in scope, or one of each block of parameters."""
        if blocks is None:
            return self._unscaled(self._measure(rows, places))
        return self._unscaled(block_gramians(rows, places, blocks, self._measure))

    def outside(
        self, rows: Sequence[Row], places: Sequence[int], *, is_wanted: bool
    ) -> tuple[Float[Tensor, "tasks tasks"] | None, Bool[Tensor, " tasks"]]:
        """Return the Gramian outside the scope if it is wanted, and which rows are not finite."""
        if not is_wanted:
            broken = torch.stack([not_finite(there(row), self.device) for row in rows])
            return None, broken.to(self.home)
        apart = gramian_by_reach(rows, places, self._measure, device=self.home)
        return self._unscaled(apart), ~apart.diagonal().isfinite()

    def squared_norm(self, gradients: Row) -> Float[Tensor, ""]:
        """Return the square of the norm of all gradients together."""
        return self._unscaled(self._measure([gradients], range(len(gradients)))[0, 0])

    def _measure(self, rows: Sequence[Row], places: Sequence[int]) -> Tensor:
        seen = self.ranks.seen(rows, places)
        return self.ranks.over_parts(self.kernels.gramian(seen, device=self.home))

    def _unscaled(self, products: Tensor) -> Tensor:
        return products if self.scale is None else products / self.scale.to(products).square()


def there(row: Row) -> list[Tensor]:
    """Return the gradients that are there.

    >>> there([None, torch.ones(1)])
    [tensor([1.])]
    """
    return [gradient for gradient in row if gradient is not None]


def select(row: Row, inside: Sequence[bool], wanted: bool) -> Row:
    """Return the gradients inside, or those outside.

    >>> select([None, torch.ones(1)], [False, True], True)
    [tensor([1.])]
    """
    return [g for g, is_inside in zip(row, inside, strict=True) if is_inside == wanted]


def places_of(inside: Sequence[bool], wanted: bool) -> list[int]:
    """Return the places inside, or those outside.

    >>> places_of([False, True, False], False)
    [0, 2]
    """
    return [place for place, is_inside in enumerate(inside) if is_inside == wanted]


def of_active(
    active: Bool[Tensor, " tasks"], products: Float[Tensor, "*blocks tasks tasks"]
) -> Float[Tensor, "*blocks tasks tasks"]:
    """Return a Gramian with zeros in rows and columns of inactive tasks.

    >>> of_active(torch.tensor([True, False]), torch.ones(2, 2))
    tensor([[1., 0.],
            [0., 0.]])
    """
    return products.masked_fill(~(active & active.unsqueeze(-1)), 0.0)
