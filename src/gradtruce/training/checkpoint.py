"""Checkpoints: folders that `from_pretrained` reads, written whole or not at all."""

import pickle
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError

TRAINER_FILE: Final = "trainer.pt"


def save_checkpoint(
    folder: Path,
    writers: Sequence[Callable[[Path], object]],
    trainer: Mapping[str, Any] | None = None,
) -> None:
    """Write a checkpoint folder; one that is there is replaced at the end, in two renames.

    Args:
        folder: The checkpoint, such as `checkpoints/best`.
        writers: Each writes a part into a folder, such as a model's `save_pretrained`.
        trainer: What a run needs to go on; tensors, numbers, text, and lists and dicts of them.

    Raises:
        OSError: If it cannot be written; the former checkpoint is then still there.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as parent:
    ...     save_checkpoint(Path(parent) / "last", [], {"step": 3})
    ...     load_trainer(Path(parent) / "last")
    {'step': 3}
    """
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
        for write in writers:
            write(partial)
        if trainer is not None:
            torch.save(dict(trainer), partial / TRAINER_FILE)
    except (RuntimeError, SafetensorError) as error:  # how torch and safetensors tell a full disk
        shutil.rmtree(partial, ignore_errors=True)
        reason = " ".join(str(error).split())
        raise OSError(
            f"{folder}: the checkpoint could not be written ({reason}); free some space or write "
            "to another disk"
        ) from error
    except BaseException:  # an interrupt must not leave a half either
        shutil.rmtree(partial, ignore_errors=True)
        raise
    former = _former(folder)
    shutil.rmtree(former, ignore_errors=True)
    if folder.exists():
        folder.rename(former)
    partial.rename(folder)
    shutil.rmtree(former, ignore_errors=True)


def recover(folder: Path) -> Path:
    """Return the checkpoint, put back if a run was stopped between the two renames.

    Raises:
        FileNotFoundError: If there is no such checkpoint.
    """
    former = _former(folder)
    if not folder.is_dir() and former.is_dir():
        former.rename(folder)
    if not folder.is_dir():
        raise FileNotFoundError(
            f"{folder}: no such checkpoint; the run was stopped before one: "
            f"remove {folder.parent.parent} and train again"
        )
    return folder


def load_trainer(folder: Path) -> dict[str, Any]:
    """Return what a run needs to go on; only tensors and plain values are unpickled.

    Raises:
        FileNotFoundError: If the checkpoint holds no such file.
        ValueError: If the file is damaged.
    """
    path = folder / TRAINER_FILE
    if not path.is_file():
        raise FileNotFoundError(f"{path}: not there; only `checkpoints/last` can be resumed")
    try:
        state: dict[str, Any] = torch.load(path, weights_only=True)
    except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise ValueError(f"{path}: damaged, the run can't be resumed; train again") from error
    return state


def _former(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.former")
