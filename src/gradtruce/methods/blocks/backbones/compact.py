"""A small residual network for small images."""

from collections.abc import Callable, Sequence
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gradtruce.methods.blocks.backbones.staged import StagedBackbone

Norm2d = Callable[[int], nn.Module]

FOLD = 2
"""Side in pixels of the blocks that the stem folds into channels."""

STEM_STRIDE = 2 * FOLD


@final
class CompactResNet(StagedBackbone):
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

    >>> backbone = CompactResNet((8, 16, 32), (1, 1, 1), group_norm)
    >>> backbone(torch.zeros(2, 3, 96, 96)).shape
    torch.Size([2, 32, 6, 6])
    """

    embedding_modules = ("stem",)
    stage_modules = ("layers",)

    def __init__(self, widths: Sequence[int], depths: Sequence[int], norm: Norm2d) -> None:
        super().__init__()
        self.widths, self.depths = tuple(widths), tuple(depths)
        self.stem = nn.Sequential(
            nn.PixelUnshuffle(FOLD),
            nn.Conv2d(3 * FOLD**2, widths[0], 3, padding=1, bias=False),
            norm(widths[0]),
            nn.ReLU(inplace=True),
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

    def embed(
        self, images: Float[Tensor, "images 3 height width"]
    ) -> Float[Tensor, "images channels rows columns"]:
        """Return what the stem makes of the images.

        Raises:
            ValueError: If height or width is not a multiple of 4.
        """
        if images.shape[-2] % STEM_STRIDE or images.shape[-1] % STEM_STRIDE:
            raise ValueError(
                f"height and width must be multiples of {STEM_STRIDE}, "
                f"got {tuple(images.shape[-2:])}: change the image size, or the backbone"
            )
        images = images.contiguous(memory_format=torch.channels_last)  # faster convolutions
        maps: Tensor = self.stem(images)
        return maps

    def stage(
        self, index: int, maps: Float[Tensor, "images channels rows columns"]
    ) -> Float[Tensor, "images wider fewer_rows fewer_columns"]:
        """Return the maps after the layers of a stage, of which the first makes them smaller."""
        first = sum(self.depths[:index])
        for place in range(first, first + self.depths[index]):
            maps = self.layers[place](maps)
        return maps

    def finish(
        self, maps: Float[Tensor, "images channels rows columns"]
    ) -> Float[Tensor, "images channels rows columns"]:
        """Return the maps as they are: the last layer has normalised them."""
        return maps

    def drop_embedding(self) -> None:
        """Remove the weights of the stem."""
        self.stem = nn.Sequential()


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
        change: Tensor = self.first_norm(self.first(features)).relu_()
        change = self.second_norm(self.second(change))
        return change.add_(self.shortcut(features)).relu_()


def group_norm(width: int) -> nn.GroupNorm:
    """Return group normalisation in at most eight groups.

    >>> group_norm(16).num_groups
    8
    """
    return nn.GroupNorm(min(8, width), width)
