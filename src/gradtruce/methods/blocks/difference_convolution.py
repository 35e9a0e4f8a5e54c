"""A convolution that learns how much of its centre is taken away (DDaTR)."""

import math
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn

SIDE = 3
"""Rows and columns of the kernel."""

_CENTRE = SIDE // 2


@final
class DifferenceConvolution(nn.Module):
    """Learnable difference convolution: 3 x 3, the same size out, no bias.

    The kernel is W * (1 - theta * m * C * sum(W)), entry by entry: C is 1 at the centre and 0
    elsewhere, sum(W) adds the nine weights between one channel and another, m is learned for each
    such pair and starts at 1, theta is learned and starts at 0.5. So only the centre changes, from
    w to w * (1 - theta * m * sum(W)). As published; a central difference would take theta * sum(W)
    away from the centre, and not multiply the centre with it.

    >>> convolution = DifferenceConvolution(2, 3)
    >>> convolution(torch.zeros(1, 2, 4, 5)).shape
    torch.Size([1, 3, 4, 5])
    """

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(width, channels, SIDE, SIDE))
        self.share = nn.Parameter(torch.empty(width, channels))
        self.strength = nn.Parameter(torch.empty(1))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Start as published: a convolution of torch, m at 1, theta at 0.5."""
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        nn.init.ones_(self.share)
        nn.init.constant_(self.strength, 0.5)

    def kernel(self) -> Float[Tensor, "width channels 3 3"]:
        """Return the kernel that convolves.

        >>> convolution = DifferenceConvolution(1, 1)
        >>> with torch.no_grad():
        ...     _ = convolution.weight.copy_(torch.arange(9.0).view(1, 1, 3, 3) / 36)
        >>> convolution.kernel()[0, 0] * 36  # the nine sum to 1, so the centre 4 is halved
        tensor([[0., 1., 2.],
                [3., 2., 5.],
                [6., 7., 8.]], grad_fn=...)
        """
        taken = self.strength * self.share * self.weight.sum(dim=(2, 3))
        margin = (_CENTRE, SIDE - 1 - _CENTRE)
        return self.weight * (1 - nn.functional.pad(taken[..., None, None], (*margin, *margin)))

    def forward(
        self, maps: Float[Tensor, "images channels rows columns"]
    ) -> Float[Tensor, "images width rows columns"]:
        """Return the maps convolved, zeros around them."""
        return nn.functional.conv2d(maps, self.kernel(), padding=_CENTRE)
