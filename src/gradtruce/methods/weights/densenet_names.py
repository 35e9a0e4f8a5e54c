"""From torchvision's names of a DenseNet to ours."""

import re

_DOTTED = re.compile(r"\.(norm|conv)\.([12])\.")
_LAYER = re.compile(r"features\.denseblock(\d+)\.denselayer(\d+)\.(norm|conv)([12])\.(.+)")
_TRANSITION = re.compile(r"features\.transition(\d+)\.(norm|conv)\.(.+)")
_ENDS = {
    "features.conv0": "stem.0",
    "features.norm0": "stem.1",
}
_LAST_NORM = re.compile(r"features\.norm(\d+)\.(.+)")
_PARTS = {"norm1": "first_norm", "conv1": "first", "norm2": "second_norm", "conv2": "second"}

CLASSES = ("classifier.weight", "classifier.bias")
"""Of the 1000 classes, which no backbone has."""


def densenet_name(name: str) -> str:
    """Return the name in our `DenseNet`; a name that is not of torchvision's comes back as it is.

    Files of before 2018, still the ones that torchvision downloads, write `norm.1` for `norm1`.

    >>> densenet_name("features.denseblock2.denselayer12.norm.1.weight")
    'stages.2.layers.11.first_norm.weight'
    >>> densenet_name("features.transition1.conv.weight"), densenet_name("features.norm5.bias")
    ('stages.1.convolution.weight', 'norm.bias')
    """
    name = _DOTTED.sub(r".\1\2.", name)
    for old, new in _ENDS.items():
        if name.startswith(f"{old}."):
            return new + name.removeprefix(old)
    if layer := _LAYER.fullmatch(name):
        block, place = 2 * (int(layer[1]) - 1), int(layer[2]) - 1
        return f"stages.{block}.layers.{place}.{_PARTS[layer[3] + layer[4]]}.{layer[5]}"
    if transition := _TRANSITION.fullmatch(name):
        part = "norm" if transition[2] == "norm" else "convolution"
        return f"stages.{2 * int(transition[1]) - 1}.{part}.{transition[3]}"
    last = _LAST_NORM.fullmatch(name)
    return f"norm.{last[2]}" if last else name
