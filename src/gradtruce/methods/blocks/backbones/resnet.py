"""ResNet with bottleneck layers, through `transformers`."""

from collections.abc import Sequence
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from transformers import ResNetConfig, ResNetModel


@final
class ResNet(nn.Module):
    """ResNet of bottleneck layers (He et al. 2016), stride 32 with four stages.

    Its batch normalisation couples the studies of a batch in training: losses on parts of a batch
    then differ a little from losses on the whole.

    >>> backbone = ResNet(widths=(8, 16, 32, 64), depths=(1, 1, 1, 1))
    >>> backbone(torch.zeros(2, 3, 64, 64)).shape
    torch.Size([2, 64, 2, 2])
    """

    def __init__(self, widths: Sequence[int], depths: Sequence[int]) -> None:
        super().__init__()
        self.width = widths[-1]
        self.model = ResNetModel(ResNetConfig(hidden_sizes=list(widths), depths=list(depths)))
        for module in self.model.modules():
            if isinstance(module, nn.ReLU):
                module.inplace = True  # a map less to keep for each: the same numbers, faster

    def forward(
        self, images: Float[Tensor, "images 3 height width"]
    ) -> Float[Tensor, "images channels rows columns"]:
        """Return the last feature map."""
        images = images.contiguous(memory_format=torch.channels_last)  # faster convolutions
        features: Tensor = self.model(images).last_hidden_state
        return features
