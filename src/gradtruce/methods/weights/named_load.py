"""Start a method from weights of another: those of the same name and shape."""

from dataclasses import dataclass
from pathlib import Path
from typing import final

import torch
from torch import nn

from gradtruce.methods.weights.saved_method import require_whole
from gradtruce.methods.weights.state_file import read_state
from gradtruce.methods.weights.strict_load import SHOWN

FILE = "model.safetensors"
"""Where `save_pretrained` writes the weights."""


@final
@dataclass(frozen=True)
class NamedLoad:
    """What a file gave.

    Attributes:
        taken: Names that the method now has from the file.
        left: Names in the file that the method has not.
    """

    taken: tuple[str, ...]
    left: tuple[str, ...]


@torch.no_grad()
def load_named(module: nn.Module, path: str | Path) -> NamedLoad:
    """Copy every tensor whose name the module has, and leave the others.

    So a method goes on from one that it extends, and takes what `gradtruce build` made for it.

    Args:
        module: Changed only if everything fits.
        path: A folder of `save_pretrained`, or a file of named tensors.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is damaged, shares no name with the module, or differs in a shape.

    >>> import tempfile
    >>> from safetensors.torch import save_file
    >>> layer = nn.Linear(2, 1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_file({"bias": torch.ones(1), "scale": torch.ones(3)}, f"{folder}/a.safetensors")
    ...     load_named(layer, f"{folder}/a.safetensors")
    NamedLoad(taken=('bias',), left=('scale',))
    """
    path = Path(path)
    if path.is_dir():
        require_whole(path)
    state, own = read_state(path / FILE if path.is_dir() else path), module.state_dict()
    taken = tuple(name for name in state if name in own)
    if not taken:
        names = ", ".join(sorted(state)[:SHOWN])
        raise ValueError(f"{path}: holds no weight by a name of this method, but {names}")
    for name in taken:
        if state[name].shape != own[name].shape:
            raise ValueError(
                f"{path}: {name} has the shape {tuple(state[name].shape)}, the method needs "
                f"{tuple(own[name].shape)}; give the method the sizes, and the run the vocabulary, "
                "of the file"
            )
    for name in taken:
        own[name].copy_(state[name])
    return NamedLoad(taken, tuple(name for name in state if name not in own))
