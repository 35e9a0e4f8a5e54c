"""A gate that lets through as much of a change as it finds useful, channel by channel."""

from typing import final

from jaxtyping import Float
from torch import Tensor, nn


@final
class FeatureGate(nn.Module):
    """Gated change of a map: tanh(W2 ReLU(W1 r)) * r at every place (as in LAVT, Yang et al. 2022).

    No bias, so a change of zero stays zero.

    >>> import torch
    >>> gate = FeatureGate(4)
    >>> bool((gate(torch.zeros(1, 4, 2, 2)) == 0).all())
    True
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Linear(width, width, bias=False)
        self.second = nn.Linear(width, width, bias=False)

    def forward(
        self, change: Float[Tensor, "images channels rows columns"]
    ) -> Float[Tensor, "images channels rows columns"]:
        """Return the share of the change that is let through, from -1 to 1 of each entry."""
        places = change.movedim(1, -1)
        opened: Tensor = self.second(self.first(places).relu()).tanh() * places
        return opened.movedim(-1, 1)
