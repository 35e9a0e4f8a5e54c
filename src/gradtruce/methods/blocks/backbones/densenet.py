"""DenseNet: every layer sees the features of all layers before it in its block."""

from collections.abc import Sequence
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn

BOTTLENECK = 4
"""Channels between the two convolutions of a layer, in multiples of the growth."""


@final
class DenseNet(nn.Module):
    """DenseNet-BC (Huang et al. 2017), stride 32 with four stages; 121 layers at full size.

    Channels are halved between stages, each layer adds `growth` of them, and the stem makes twice
    as many. After the last normalisation comes a ReLU, as before the classes of the published one.
    Its batch normalisation couples the studies of a batch in training.

    Args:
        widths: Channels after each stage; the first one tells the growth, the others follow.
        depths: Layers in each stage; 6, 12, 24, 16 is DenseNet-121.

    Raises:
        ValueError: If there is no DenseNet of these widths.

    >>> backbone = DenseNet(widths=(16, 16, 16), depths=(2, 2, 2))
    >>> backbone(torch.zeros(2, 3, 64, 64)).shape
    torch.Size([2, 16, 4, 4])
    """

    def __init__(self, widths: Sequence[int], depths: Sequence[int]) -> None:
        super().__init__()
        growth = _growth(widths, depths)
        self.width = widths[-1]
        channels = 2 * growth
        self.stem = nn.Sequential(
            nn.Conv2d(3, channels, 7, stride=2, padding=3, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2, padding=1),
        )
        stages: list[nn.Module] = []
        for stage, (width, depth) in enumerate(zip(widths, depths, strict=True)):
            if stage > 0:
                stages.append(_Transition(channels))
                channels //= 2
            stages.append(_DenseBlock(channels, growth, depth))
            channels = width
        self.stages = nn.Sequential(*stages)
        self.norm = nn.BatchNorm2d(channels)

    def forward(
        self, images: Float[Tensor, "images 3 height width"]
    ) -> Float[Tensor, "images channels rows columns"]:
        """Return the last feature map, none of it below 0."""
        images = images.contiguous(memory_format=torch.channels_last)  # faster convolutions
        features: Tensor = self.norm(self.stages(self.stem(images)))
        return features.relu_()


@final
class _DenseBlock(nn.Module):
    """Layers that each add `growth` channels to those they were given."""

    def __init__(self, channels: int, growth: int, depth: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            _DenseLayer(channels + layer * growth, growth) for layer in range(depth)
        )

    def forward(self, features: Tensor) -> Tensor:
        """Return the features, and behind them what each layer added."""
        for layer in self.layers:
            features = torch.cat([features, layer(features)], dim=1)
        return features


@final
class _DenseLayer(nn.Module):
    """A 1 x 1 and a 3 x 3 convolution, each after normalisation and ReLU."""

    def __init__(self, channels: int, growth: int) -> None:
        super().__init__()
        inner = BOTTLENECK * growth
        self.first_norm = nn.BatchNorm2d(channels)
        self.first = nn.Conv2d(channels, inner, 1, bias=False)
        self.second_norm = nn.BatchNorm2d(inner)
        self.second = nn.Conv2d(inner, growth, 3, padding=1, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """Return the channels that this layer adds."""
        inner = self.first(self.first_norm(features).relu_())
        added: Tensor = self.second(self.second_norm(inner).relu_())
        return added


@final
class _Transition(nn.Module):
    """Half the channels, half the rows, half the columns."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)
        self.convolution = nn.Conv2d(channels, channels // 2, 1, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """Return the features between two stages."""
        halved: Tensor = self.convolution(self.norm(features).relu_())
        return nn.functional.avg_pool2d(halved, 2)


def _growth(widths: Sequence[int], depths: Sequence[int]) -> int:
    """Return the channels a layer adds, once the widths are known to be those of a DenseNet."""
    growth = max(widths[0] // (depths[0] + 2), 1)
    expected = [growth * (depths[0] + 2)]
    for depth in depths[1:]:
        expected.append(expected[-1] // 2 + growth * depth)
    if list(widths) != expected:
        raise ValueError(
            f"a DenseNet of depths {list(depths)} has widths such as {expected} (the first is "
            f"{depths[0] + 2} times the growth), got {list(widths)}; DenseNet-121 has "
            "[256, 512, 1024, 1024] and [6, 12, 24, 16]"
        )
    return growth
