"""Where a token stands, as sinusoids."""

import math
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

VisualPositions = Literal["none", "grid", "sequence"]
"""What visual tokens are told of their place: nothing; row and column within the view; or their
number in the row of all present tokens."""


def sinusoids(
    start: int, length: int, width: int, like: Float[Tensor, "..."]
) -> Float[Tensor, "length width"]:
    """Return the sinusoidal encoding of positions from `start` on (Vaswani et al. 2017, 3.5).

    >>> sinusoids(0, 2, 4, like=torch.zeros(()))
    tensor([[0.0000, 1.0000, 0.0000, 1.0000],
            [0.8415, 0.5403, 0.0100, 0.9999]])
    """
    positions = torch.arange(start, start + length, dtype=like.dtype, device=like.device)
    return _waves(positions, width)


def grid_sinusoids(
    grid: tuple[int, int], like: Float[Tensor, "*any width"]
) -> Float[Tensor, "places width"]:
    """Return sinusoids of the row in the first half of the channels, of the column in the second.

    >>> grid_sinusoids((2, 3), torch.zeros(1, 8)).shape
    torch.Size([6, 8])
    """
    rows, columns = grid
    half = like.shape[-1] // 2
    down = sinusoids(0, rows, half, like=like)[:, None].expand(rows, columns, half)
    across = sinusoids(0, columns, half, like=like)[None].expand(rows, columns, half)
    return torch.cat([down, across], dim=-1).flatten(0, 1)


def sequence_sinusoids(
    token_mask: Bool[Tensor, "batch tokens"], like: Float[Tensor, "batch tokens width"]
) -> Float[Tensor, "batch tokens width"]:
    """Return sinusoids of each token's number among the present ones of its study.

    Tokens that are absent count nothing, so an absent view moves no other.

    >>> mask = torch.tensor([[False, True, True]])
    >>> sequence_sinusoids(mask, torch.zeros(1, 3, 2))[0, 1:]
    tensor([[0.0000, 1.0000],
            [0.8415, 0.5403]])
    """
    numbers = token_mask.cumsum(dim=1) - 1
    return _waves(numbers.to(like.dtype), like.shape[-1])


def _waves(positions: Float[Tensor, "*any"], width: int) -> Float[Tensor, "*any width"]:
    evens = torch.arange(0, width, 2, dtype=positions.dtype, device=positions.device)
    angles = positions[..., None] * torch.exp(evens * (-math.log(10_000.0) / width))
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(-2)
