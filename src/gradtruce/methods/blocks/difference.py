"""What a current image has that the prior one has not, and the reverse (DDaTR)."""

from collections.abc import Callable
from types import MappingProxyType
from typing import Final, Literal, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gradtruce.methods.blocks.backbones.compact import group_norm
from gradtruce.methods.blocks.difference_convolution import DifferenceConvolution
from gradtruce.methods.blocks.feature_gate import FeatureGate

DifferenceNorm = Literal["batch", "group"]
"""What normalises the maps of a difference: "batch" as published, or "group", study by study."""

NORMS: Final = MappingProxyType[str, Callable[[int], nn.Module]](
    {"batch": nn.BatchNorm2d, "group": group_norm}
)


@final
class DifferenceAware(nn.Module):
    """Difference-aware module (DDAM of DDaTR) of one stage.

    Either stream has its own difference convolution E = ReLU(norm(LDC(.))). The mean over all
    places of E_current - E_prior, through a sigmoid, scales the channels of both; one linear layer
    brings them, side by side, to the change of the current map, which a gate lets through.

    >>> module = DifferenceAware(4, "group")
    >>> module(torch.ones(2, 4, 3, 3), torch.zeros(2, 4, 3, 3)).shape
    torch.Size([2, 4, 3, 3])
    """

    def __init__(self, width: int, norm: DifferenceNorm) -> None:
        super().__init__()
        self.current = _extractor(width, norm)
        self.prior = _extractor(width, norm)
        self.fusion = nn.Conv2d(2 * width, width, 1)
        self.gate = FeatureGate(width)

    def forward(
        self,
        current: Float[Tensor, "images channels rows columns"],
        prior: Float[Tensor, "images channels rows columns"],
    ) -> Float[Tensor, "images channels rows columns"]:
        """Return what is added to the current map."""
        seen, before = self.current(current), self.prior(prior)
        share = (seen - before).mean(dim=(2, 3), keepdim=True).sigmoid()
        change: Tensor = self.gate(self.fusion(torch.cat([seen * share, before * share], dim=1)))
        return change


def _extractor(width: int, norm: DifferenceNorm) -> nn.Sequential:
    return nn.Sequential(DifferenceConvolution(width, width), NORMS[norm](width), nn.ReLU())
