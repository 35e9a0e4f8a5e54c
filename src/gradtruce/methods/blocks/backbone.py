"""Visual backbones: one radiograph in, a grid of feature vectors out."""

from collections.abc import Callable, Sequence
from typing import Literal, final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from transformers import ResNetConfig, ResNetModel

BackboneName = Literal["resnet", "compact", "compact_batch"]

Norm2d = Callable[[int], nn.Module]

FOLD = 2
"""Side in pixels of the blocks that the stem of the compact network folds into channels."""

STEM_STRIDE = 2 * FOLD


def build_backbone(
    name: BackboneName, widths: Sequence[int], depths: Sequence[int]
) -> "ResNet | CompactResNet":
    """Return a backbone with random weights.

    >>> build_backbone("compact", widths=(8, 16), depths=(1, 1)).width
    16

    Args:
        name: "resnet", bottleneck layers as in ResNet-50 and ResNet-101; "compact", group
            normalisation; or "compact_batch", the same with batch normalisation.
        widths: Channels after each stage.
        depths: Layers in each stage.

    Raises:
        ValueError: If a stage has a width and no depth.
    """
    if len(widths) != len(depths) or not widths:
        raise ValueError(
            "backbone_widths and backbone_depths must have one entry a stage, "
            f"got {list(widths)} and {list(depths)}"
        )
    if name == "resnet":
        return ResNet(widths, depths)
    return CompactResNet(widths, depths, nn.BatchNorm2d if name == "compact_batch" else _group_norm)


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

    def forward(
        self, images: Float[Tensor, "images 3 height width"]
    ) -> Float[Tensor, "images channels rows columns"]:
        """Return the last feature map."""
        features: Tensor = self.model(images).last_hidden_state
        return features


@final
class CompactResNet(nn.Module):
    """Small residual network for images of about 100 pixels, stride 16 with three stages.

    The stem folds blocks of 2 x 2 pixels into channels, convolves, and keeps the largest of each
    four answers: no pixel is thrown away before a layer has seen it, and a thin line or a small
    nodule survives wherever it lies.

    Group normalisation keeps every image apart: batch size and micro-batches change nothing. But
    it also takes away how bright a feature is over the whole image. Batch normalisation keeps
    that and learns far faster on the phantom; it couples the studies of a batch in training, as in
    `ResNet`. Absent views never enter either.

    Args:
        widths: Channels after each stage.
        depths: Layers in each stage.
        norm: Makes a normalisation for that many channels.

    >>> backbone = build_backbone("compact", widths=(8, 16, 32), depths=(1, 1, 1))
    >>> backbone(torch.zeros(2, 3, 96, 96)).shape
    torch.Size([2, 32, 6, 6])
    """

    def __init__(self, widths: Sequence[int], depths: Sequence[int], norm: Norm2d) -> None:
        super().__init__()
        self.width = widths[-1]
        self.stem = nn.Sequential(
            nn.PixelUnshuffle(FOLD),
            nn.Conv2d(3 * FOLD**2, widths[0], 3, padding=1, bias=False),
            norm(widths[0]),
            nn.ReLU(),
            nn.MaxPool2d(2),
        )
        channels = widths[0]
        layers: list[nn.Module] = []
        for stage, (width, depth) in enumerate(zip(widths, depths, strict=True)):
            for layer in range(depth):
                stride = 2 if stage > 0 and layer == 0 else 1
                layers.append(_ResidualLayer(channels, width, stride, norm))
                channels = width
        self.layers = nn.Sequential(*layers)

    def forward(
        self, images: Float[Tensor, "images 3 height width"]
    ) -> Float[Tensor, "images channels rows columns"]:
        """Return the last feature map.

        Raises:
            ValueError: If height or width is not a multiple of 4.
        """
        if images.shape[-2] % STEM_STRIDE or images.shape[-1] % STEM_STRIDE:
            raise ValueError(
                f"height and width must be multiples of {STEM_STRIDE}, "
                f"got {tuple(images.shape[-2:])}: change the image size, or the backbone"
            )
        images = images.contiguous(memory_format=torch.channels_last)  # faster convolutions
        features: Tensor = self.layers(self.stem(images))
        return features


@final
class _ResidualLayer(nn.Module):
    """Two 3 x 3 convolutions and a shortcut."""

    def __init__(self, channels: int, width: int, stride: int, norm: Norm2d) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, width, 3, stride, padding=1, bias=False)
        self.first_norm = norm(width)
        self.second = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.second_norm = norm(width)
        self.shortcut: nn.Module = nn.Identity()
        if channels != width or stride != 1:
            self.shortcut = nn.Sequential(
                nn.Conv2d(channels, width, 1, stride, bias=False), norm(width)
            )

    def forward(self, features: Tensor) -> Tensor:
        """Return the features after this layer."""
        change = nn.functional.relu(self.first_norm(self.first(features)))
        change = self.second_norm(self.second(change))
        return nn.functional.relu(change + self.shortcut(features))


def _group_norm(width: int) -> nn.GroupNorm:
    return nn.GroupNorm(min(8, width), width)
