"""EfficientNet-Lite0: depthwise convolutions without squeeze-and-excitation, for small machines."""

from collections.abc import Sequence
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn

KERNELS = (3, 3, 5, 3, 5, 5, 3)
STRIDES = (1, 2, 2, 2, 1, 2, 1)
"""Of the seven stages; the stem halves the image once more."""

EXPANSION = 6
EPSILON = 1e-3
MOMENTUM = 0.01
"""Of every batch normalisation, as published."""

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
"""How images come in, see `gradtruce.data.transforms.ImageProcessor`."""

LITE_MEAN = 127 / 255
LITE_STD = 128 / 255
"""How the published weights want them."""


@final
class EfficientNetLite(nn.Module):
    """EfficientNet-Lite (Tan and Le 2019; the Lite sizes are Google's of 2020), stride 32.

    Rows and columns are padded as TensorFlow does, more below and right than above and left, for
    which the published weights were trained; so any image size works. Images come normalised as
    for the other backbones, and are rescaled here to the range of the published weights. The last
    map has four times the channels of the last stage: 1280 in Lite0.

    Args:
        widths: Channels after each of seven stages; Lite0 has 16, 24, 40, 80, 112, 192, 320.
        depths: Layers in each stage; Lite0 has 1, 2, 2, 3, 3, 4, 1.

    Raises:
        ValueError: If there are not seven stages.

    >>> backbone = EfficientNetLite(widths=(4, 4, 8, 8, 8, 8, 16), depths=(1,) * 7).eval()
    >>> backbone(torch.zeros(2, 3, 64, 96)).shape
    torch.Size([2, 64, 2, 3])
    """

    def __init__(self, widths: Sequence[int], depths: Sequence[int]) -> None:
        super().__init__()
        if len(widths) != len(KERNELS):
            raise ValueError(
                f"an EfficientNet-Lite has {len(KERNELS)} stages, got widths {list(widths)}; "
                "Lite0 has [16, 24, 40, 80, 112, 192, 320] and [1, 2, 2, 3, 3, 4, 1]"
            )
        channels = 2 * widths[0]
        self.width = 4 * widths[-1]
        self.stem = _convolution(3, channels, 3, stride=2)
        layers: list[nn.Module] = []
        for stage, (width, depth) in enumerate(zip(widths, depths, strict=True)):
            for layer in range(depth):
                stride = STRIDES[stage] if layer == 0 else 1
                expansion = EXPANSION if stage > 0 else 1
                layers.append(_InvertedLayer(channels, width, KERNELS[stage], stride, expansion))
                channels = width
        self.layers = nn.Sequential(*layers)
        self.head = _convolution(channels, self.width, 1)

    def forward(
        self, images: Float[Tensor, "images 3 height width"]
    ) -> Float[Tensor, "images channels rows columns"]:
        """Return the last feature map."""
        images = images.contiguous(memory_format=torch.channels_last)  # faster convolutions
        features: Tensor = self.head(self.layers(self.stem(_rescale(images))))
        return features


@final
class _InvertedLayer(nn.Module):
    """Expand, filter each channel by itself, project; a shortcut where shapes allow."""

    def __init__(self, channels: int, width: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = channels * expansion
        self.expand: nn.Module = (
            _convolution(channels, inner, 1) if expansion > 1 else nn.Identity()
        )
        self.filter = _convolution(inner, inner, kernel, stride=stride, groups=inner)
        self.project = nn.Sequential(
            nn.Conv2d(inner, width, 1, bias=False),
            nn.BatchNorm2d(width, eps=EPSILON, momentum=MOMENTUM),
        )
        self.has_shortcut = stride == 1 and channels == width

    def forward(self, features: Tensor) -> Tensor:
        """Return the features after this layer."""
        projected: Tensor = self.project(self.filter(self.expand(features)))
        return projected + features if self.has_shortcut else projected


@final
class _SamePadding(nn.Module):
    """Pad so that a convolution of that stride returns ⌈size / stride⌉ rows and columns."""

    def __init__(self, kernel: int, stride: int) -> None:
        super().__init__()
        self.kernel = kernel
        self.stride = stride

    def forward(self, features: Tensor) -> Tensor:
        """Return the features with zeros around."""
        down, across = (self._missing(size) for size in features.shape[-2:])
        sides = [across // 2, across - across // 2, down // 2, down - down // 2]
        return nn.functional.pad(features, sides)

    def _missing(self, size: int) -> int:
        steps = -(-size // self.stride)
        return max((steps - 1) * self.stride + self.kernel - size, 0)


def _convolution(
    channels: int, width: int, kernel: int, *, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    return nn.Sequential(
        _SamePadding(kernel, stride) if kernel > 1 else nn.Identity(),
        nn.Conv2d(channels, width, kernel, stride, groups=groups, bias=False),
        nn.BatchNorm2d(width, eps=EPSILON, momentum=MOMENTUM),
        nn.ReLU6(inplace=True),
    )


def _rescale(images: Tensor) -> Tensor:
    mean, std = (images.new_tensor(v).view(3, 1, 1) for v in (IMAGENET_MEAN, IMAGENET_STD))
    return (images * std + (mean - LITE_MEAN)) / LITE_STD
