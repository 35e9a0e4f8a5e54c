"""Read a checkpoint of CheXbert: every key used, every shape right, or an error that says why."""

import json
import pickle
import re
import struct
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from transformers import BertConfig

from gradtruce.evaluation.labelers.chexbert_model import CheXbert
from gradtruce.evaluation.labelers.weights import CheXbertFiles

_PREFIX: Final = "module."
_POSITION_IDS: Final = "bert.embeddings.position_ids"
_HEAD_WIDTH: Final = 64
_NAMED: Final = 3
_ADVICE: Final = "give the published chexbert.pth (StanfordAIMI/RRG_scorers on Hugging Face)"
_FIRST_BYTES: Final = (b"PK\x03\x04", b"\x80")
_BERT: Final = {
    "vocab_size": ("bert.embeddings.word_embeddings.weight", 0),
    "hidden_size": ("bert.embeddings.word_embeddings.weight", 1),
    "max_position_embeddings": ("bert.embeddings.position_embeddings.weight", 0),
    "type_vocab_size": ("bert.embeddings.token_type_embeddings.weight", 0),
    "intermediate_size": ("bert.encoder.layer.0.intermediate.dense.weight", 0),
}
_DEPTH: Final = ("num_hidden_layers", "num_attention_heads")


def load_chexbert(files: CheXbertFiles) -> CheXbert:
    """Return CheXbert with the weights of a checkpoint, in evaluation mode on the CPU.

    The size is that of the configuration where there is one, else that of the checkpoint's
    tensors, with attention heads 64 wide as in every published BERT. PyTorch's random state is
    left as it was.

    Raises:
        FileNotFoundError: If there is no checkpoint.
        ValueError: If the file is no checkpoint, is damaged, holds other things than tensors, or
            has other names or shapes than CheXbert.

    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "page.pth"
    >>> _ = file.write_text("<html>")
    >>> load_chexbert(CheXbertFiles(file, Path("vocab.txt")))
    Traceback (most recent call last):
    ValueError: ...page.pth: not a PyTorch checkpoint (it begins with b'<html>'); ...
    """
    tensors = _read_tensors(files.weights)
    config = _read_config(files.config) if files.config else _size(tensors, files.weights)
    model = _build(config, files)
    _check(tensors, model.state_dict(), files)
    model.load_state_dict(tensors, strict=True)
    return model.requires_grad_(False).eval()


def _read_tensors(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a checkpoint by their names in our model."""
    if not path.is_file():
        raise FileNotFoundError(f"no CheXbert checkpoint at {path}: the path of a file is due")
    tensors = _read_safetensors(path) if path.suffix == ".safetensors" else _read_torch(path)
    tensors = {name.removeprefix(_PREFIX): tensor for name, tensor in tensors.items()}
    tensors.pop(_POSITION_IDS, None)  # a buffer that older transformers saved
    return tensors


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except SafetensorError as error:
        raise ValueError(f"{path}: no safetensors file, or cut short ({error})") from None


def _read_torch(path: Path) -> dict[str, Tensor]:
    with path.open("rb") as stream:
        first = stream.read(8)
    if not first.startswith(_FIRST_BYTES):
        raise ValueError(
            f"{path}: not a PyTorch checkpoint (it begins with {first!r}); {_ADVICE}. A web page or"
            " a pointer of Git LFS saved in its place looks like this"
        )
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError(_refusal(path, str(error))) from None
    except (RuntimeError, EOFError, OSError, IndexError, struct.error) as error:
        raise ValueError(_damage(path, str(error))) from None
    tensors = content.get("model_state_dict") if isinstance(content, Mapping) else None
    if not isinstance(tensors, Mapping):
        found = _some(content) if isinstance(content, Mapping) else type(content).__name__
        raise ValueError(  # noqa: TRY004 # a file's content
            f"{path}: a checkpoint of CheXbert has its tensors under 'model_state_dict', found"
            f" {found}; {_ADVICE}"
        )
    other = [name for name, tensor in tensors.items() if not isinstance(tensor, Tensor)]
    if other:
        raise ValueError(f"{path}: {_some(other)} under 'model_state_dict' is no tensor; {_ADVICE}")
    return dict(tensors)


def _refusal(path: Path, message: str) -> str:
    """Say why PyTorch would not read a pickle; its own advice, to switch its guard off, is not."""
    foreign = re.search(r"GLOBAL (\w+(?:\.\w+)+)", message)
    if foreign is None:
        return _damage(path, "the pickle inside cannot be read")
    return (
        f"{path}: holds objects of {foreign.group(1)} beside tensors, and reading those could run"
        f" code from the file; only tensors are read: {_ADVICE}"
    )


def _damage(path: Path, message: str) -> str:
    reason = message.strip().split("\n")[0][:120] or "it ends too early"
    size = path.stat().st_size
    return (
        f"{path}: damaged, or cut short at {size:,} bytes ({reason}); fetch it again. The published"
        " file has about 440 MB"
    )


def _read_config(path: Path) -> BertConfig:
    try:
        fields: Any = json.loads(path.read_text(encoding="utf-8"))  # a file's content
    except ValueError as error:
        raise ValueError(_misfit(path, str(error))) from None
    if not isinstance(fields, dict) or fields.get("model_type", "bert") != "bert":
        raise ValueError(_misfit(path, "it describes no BERT"))
    size = {name: fields[name] for name in (*_BERT, *_DEPTH) if name in fields}
    wrong = [name for name, value in size.items() if not isinstance(value, int) or value < 1]
    if wrong:
        raise ValueError(_misfit(path, f"{wrong[0]} is {size[wrong[0]]!r}"))
    kept = {name: fields[name] for name in ("hidden_act", "layer_norm_eps") if name in fields}
    return BertConfig.from_dict(size | kept)


def _misfit(path: Path | None, found: str) -> str:
    return (
        f"{path}: no configuration of BERT ({found}); give that of bert-base-uncased, or remove it"
        " to take the size from the checkpoint"
    )


def _build(config: BertConfig, files: CheXbertFiles) -> CheXbert:
    try:
        with torch.random.fork_rng(devices=[]):
            return CheXbert(config)
    except (ValueError, KeyError, RuntimeError) as error:
        raise ValueError(_misfit(files.config or files.weights, str(error))) from None


def _size(tensors: Mapping[str, Tensor], path: Path) -> BertConfig:
    """Return the size that the shapes of a checkpoint tell."""
    lacking = sorted({name for name, _ in _BERT.values() if name not in tensors})
    if lacking:
        raise ValueError(
            f"{path}: not CheXbert, it lacks {_some(lacking)} and has {_some(tensors)}; {_ADVICE}"
        )
    shapes = {name: tuple(tensors[name].shape) for name, _ in _BERT.values()}
    if any(len(shape) != 2 for shape in shapes.values()):
        raise ValueError(f"{path}: not CheXbert, its matrices have the shapes {shapes}; {_ADVICE}")
    size = {field: shapes[name][axis] for field, (name, axis) in _BERT.items()}
    if size["hidden_size"] % _HEAD_WIDTH:
        raise ValueError(
            f"{path}: hidden size {size['hidden_size']} does not tell the number of attention"
            " heads; put the config.json of its BERT beside vocab.txt"
        )
    layers = {name.split(".")[3] for name in tensors if name.startswith("bert.encoder.layer.")}
    depth = dict(zip(_DEPTH, (len(layers), size["hidden_size"] // _HEAD_WIDTH), strict=True))
    return BertConfig.from_dict(size | depth)


def _check(
    tensors: Mapping[str, Tensor], expected: Mapping[str, Tensor], files: CheXbertFiles
) -> None:
    of = f"the BERT of {files.config}" if files.config else "CheXbert"
    lacking = [name for name in expected if name not in tensors]
    foreign = [name for name in tensors if name not in expected]
    if lacking or foreign:
        raise ValueError(
            f"{files.weights}: the names are not those of {of}: missing {_some(lacking)};"
            f" unexpected {_some(foreign)}; {_ADVICE}"
        )
    wrong = [
        f"{name} {tuple(tensors[name].shape)} where {tuple(tensor.shape)} is due"
        for name, tensor in expected.items()
        if tensors[name].shape != tensor.shape
    ]
    if wrong:
        raise ValueError(f"{files.weights}: the shapes are not those of {of}: {_some(wrong)}")
    broken = [name for name, tensor in tensors.items() if not tensor.isfinite().all()]
    if broken:
        raise ValueError(f"{files.weights}: NaN or infinity in {_some(broken)}; {_ADVICE}")


def _some(names: Collection[Any]) -> str:
    """Return the first few names, and how many more there are."""
    if not names:
        return "nothing"
    shown = ", ".join(str(name) for name in list(names)[:_NAMED])
    return shown + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
