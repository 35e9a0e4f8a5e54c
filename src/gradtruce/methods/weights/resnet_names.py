"""From torchvision's names of a ResNet with bottleneck layers to those of `transformers`."""

import re

_LAYER = re.compile(r"layer(\d)\.(\d+)\.(.+)")
_PART = re.compile(r"(conv|bn)([123])\.(.+)")
_STEM = {"conv1": "convolution", "bn1": "normalization"}
_SHORTCUT = {"downsample.0": "convolution", "downsample.1": "normalization"}
_KINDS = {"conv": "convolution", "bn": "normalization"}

CLASSES = ("fc.weight", "fc.bias")
"""Of the 1000 classes, which no backbone has."""


def resnet_name(name: str) -> str:
    """Return the name in our `ResNet`; a name that is not of torchvision's comes back as it is.

    Both stride in the second convolution of a layer, so that the same numbers give the same maps.

    >>> resnet_name("layer3.22.bn2.running_mean")
    'model.encoder.stages.2.layers.22.layer.1.normalization.running_mean'
    """
    head, _, leaf = name.partition(".")
    if head in _STEM:
        return f"model.embedder.embedder.{_STEM[head]}.{leaf}"
    layer = _LAYER.fullmatch(name)
    if not layer:
        return name
    stage, place, rest = int(layer[1]) - 1, layer[2], layer[3]
    where = f"model.encoder.stages.{stage}.layers.{place}"
    for old, new in _SHORTCUT.items():
        if rest.startswith(f"{old}."):
            return f"{where}.shortcut.{new}.{rest.removeprefix(f'{old}.')}"
    part = _PART.fullmatch(rest)
    if not part:
        return name
    return f"{where}.layer.{int(part[2]) - 1}.{_KINDS[part[1]]}.{part[3]}"
