"""Files of named tensors, read without running anything that they hold."""

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

WRAPPERS = ("state_dict", "model")
"""Keys under which checkpoints keep their tensors beside other things."""


_SCALARS: Any = [
    (np.float64(0).__reduce__()[0], "numpy.core.multiarray.scalar"),
    np.float64(0).__reduce__()[0],
    np.dtype,
    np.dtypes.Float32DType,
    np.dtypes.Float64DType,
    np.dtypes.Int64DType,
]
"""A NumPy number, as which trainers save their best score; of these only the number is read."""


FILES = ("model.safetensors", "pytorch_model.bin")
"""What a folder in the layout of `transformers` keeps its weights in, the better one first."""


def weight_file(path: str | Path) -> Path:
    """Return the file of weights in a folder in the layout of `transformers`; a file is itself.

    Raises:
        FileNotFoundError: If the folder has none.

    >>> weight_file("swin.safetensors").name
    'swin.safetensors'
    """
    path = Path(path)
    if not path.is_dir():
        return path
    for name in FILES:
        if (path / name).is_file():
            return path / name
    raise FileNotFoundError(
        f"{path}: holds neither {' nor '.join(FILES)}; give the folder of a saved model, its "
        "weights in one file"
    )


def read_state(path: str | Path) -> dict[str, Tensor]:
    """Return the named tensors of a safetensors file, or of a torch file by `weights_only=True`.

    A torch file may hold the tensors themselves, or a dict that has them under "state_dict" or
    "model", beside the state of an optimizer, which is left.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is damaged, or holds something else than named tensors.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     torch.save({"epoch": 3, "state_dict": {"weight": torch.ones(2)}}, f"{folder}/a.pth")
    ...     read_state(f"{folder}/a.pth")
    {'weight': tensor([1., 1.])}
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such file of weights")
    content = _safetensors(path) if path.suffix == ".safetensors" else _torch_file(path)
    for wrapper in WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
            break
    if not isinstance(content, Mapping) or not content or not all(map(_is_named, content.items())):
        raise ValueError(
            f"{path}: must hold named tensors, or a checkpoint with them under 'state_dict', "
            f"found {_description(content)}"
        )
    return dict(content)


def _safetensors(path: Path) -> Any:  # what a file holds
    try:
        return load_file(path)
    except SafetensorError as error:
        raise ValueError(f"{path}: not a safetensors file ({error}); download it again") from error


def _torch_file(path: Path) -> Any:  # what a file holds
    try:
        with torch.serialization.safe_globals(_SCALARS):
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError(
            f"{path}: not a torch file, damaged, or one that holds Python objects besides tensors, "
            "numbers and text, which are not loaded because they could run anything; save its "
            "state_dict alone"
        ) from error
    except (RuntimeError, EOFError, OSError, KeyError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(f"{path}: damaged ({reason}); download it again") from error


def _is_named(entry: tuple[object, object]) -> bool:
    return isinstance(entry[0], str) and isinstance(entry[1], Tensor)


def _description(content: object) -> str:
    if isinstance(content, Mapping):
        return f"a dict with the keys {[str(key) for key in content][:5]}"
    return f"a {type(content).__name__}"
