"""Visual backbones by name: one radiograph in, a grid of feature vectors out."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final, Literal

from torch import nn

from gradtruce.methods.blocks.backbones.compact import CompactResNet, group_norm
from gradtruce.methods.blocks.backbones.densenet import DenseNet
from gradtruce.methods.blocks.backbones.efficientnet_lite import EfficientNetLite
from gradtruce.methods.blocks.backbones.resnet import ResNet
from gradtruce.methods.blocks.backbones.staged import StagedBackbone
from gradtruce.methods.blocks.backbones.swin import Swin
from gradtruce.methods.blocks.paired_stages import PairedStages
from gradtruce.naming import suggestion

__all__ = [
    "Backbone",
    "BackboneName",
    "CompactResNet",
    "DenseNet",
    "EfficientNetLite",
    "ResNet",
    "StagedBackbone",
    "Swin",
    "build_backbone",
]

BackboneName = Literal[
    "resnet", "densenet", "efficientnet_lite", "swin", "compact", "compact_batch"
]

Backbone = ResNet | DenseNet | EfficientNetLite | StagedBackbone | PairedStages
"""A module from images to maps (images, channels, rows, columns), channels being its `width`.

Paired stages return two such maps, the second of prior images.
"""

_KINDS: Final[Mapping[str, Callable[[Sequence[int], Sequence[int]], Backbone]]] = MappingProxyType(
    {
        "resnet": ResNet,
        "densenet": DenseNet,
        "efficientnet_lite": EfficientNetLite,
        "swin": Swin,
        "compact": lambda widths, depths: CompactResNet(widths, depths, group_norm),
        "compact_batch": lambda widths, depths: CompactResNet(widths, depths, nn.BatchNorm2d),
    }
)


def build_backbone(name: str, widths: Sequence[int], depths: Sequence[int]) -> Backbone:
    """Return a backbone with random weights.

    >>> build_backbone("compact", widths=(8, 16), depths=(1, 1)).width
    16

    Args:
        name: "resnet", bottleneck layers as in ResNet-50 and ResNet-101; "densenet", as
            DenseNet-121; "efficientnet_lite", as EfficientNet-Lite0; "swin", as Swin-B, in windows
            of 7; "compact", small, with group normalisation; or "compact_batch", the same with
            batch normalisation.
        widths: Channels after each stage.
        depths: Layers in each stage.

    Raises:
        ValueError: If the name is unknown, a stage has a width and no depth, or the widths are not
            those of such a network.
    """
    if name not in _KINDS:
        raise ValueError(f"no backbone is called {name!r}{suggestion(name, list(_KINDS))}")
    if len(widths) != len(depths) or not widths:
        raise ValueError(
            "backbone_widths and backbone_depths must have one entry a stage, "
            f"got {list(widths)} and {list(depths)}"
        )
    return _KINDS[name](widths, depths)
