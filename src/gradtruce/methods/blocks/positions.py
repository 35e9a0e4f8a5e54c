"""Where a token stands, as sinusoids."""

import math

import torch
from jaxtyping import Float
from torch import Tensor


def sinusoids(
    start: int, length: int, width: int, like: Float[Tensor, "..."]
) -> Float[Tensor, "length width"]:
    """Return the sinusoidal encoding of positions from `start` on (Vaswani et al. 2017, 3.5).

    >>> sinusoids(0, 2, 4, like=torch.zeros(()))
    tensor([[0.0000, 1.0000, 0.0000, 1.0000],
            [0.8415, 0.5403, 0.0100, 0.9999]])
    """
    positions = torch.arange(start, start + length, dtype=like.dtype, device=like.device)
    evens = torch.arange(0, width, 2, dtype=like.dtype, device=like.device)
    angles = positions[:, None] * torch.exp(evens * (-math.log(10_000.0) / width))
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)


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
