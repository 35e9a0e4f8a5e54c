"""A folder that is there whole or not at all, and that tells later whether it still is whole."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

from safetensors import SafetensorError

FILE: Final = "manifest.json"
SCHEMA: Final = 1

Writer = Callable[[Path], object]
"""Writes a part into a folder, such as a model's `save_pretrained`."""


@final
@dataclass(frozen=True)
class Manifest:
    """What a folder held when it was written.

    Attributes:
        files: Size in bytes and SHA-256 of every file, by name.
        facts: What its writer wants to be known of it, such as the step of a checkpoint.
    """

    files: dict[str, tuple[int, str]]
    facts: dict[str, Any]

    @classmethod
    def read(cls, folder: Path) -> "Manifest":
        """Return the manifest of a folder.

        Raises:
            FileNotFoundError: If it has none.
            ValueError: If it is damaged, or of another version.
        """
        path = folder / FILE
        try:
            table = json.loads(path.read_text(encoding="utf-8"))
            digest = table.pop("sha256")
        except (ValueError, KeyError, AttributeError) as error:
            raise ValueError(f"{path}: damaged, no manifest") from error
        if digest != _digest_of(table):
            raise ValueError(f"{path}: damaged, not what was written")
        if table["schema"] != SCHEMA:
            raise ValueError(f"{path}: schema {table['schema']!r} is not known, only {SCHEMA}")
        files = {name: (entry["size"], entry["sha256"]) for name, entry in table["files"].items()}
        return cls(files, table["facts"])


def write_folder(folder: Path, writers: Sequence[Writer], **facts: Any) -> None:
    """Write a folder under another name, flush it to the disk, and only then give it its name.

    A stop at any moment, of the process or of the machine, leaves no folder of this name, or the
    whole one. What was begun stays under a hidden name, until the next one is written.

    Args:
        folder: Must not be there.
        writers: Each writes its part.
        facts: Kept in the manifest; what JSON can hold.

    Raises:
        FileExistsError: If it is there.
        OSError: If it cannot be written; nothing is left of it then.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as parent:
    ...     folder = Path(parent) / "saved"
    ...     write_folder(folder, [lambda to: (to / "a.txt").write_text("all", "utf-8")], step=3)
    ...     print(damage(folder), Manifest.read(folder).facts)
    ...     _ = (folder / "a.txt").write_text("a", "utf-8")
    ...     damage(folder)
     {'step': 3}
    'a.txt has 1 bytes, not 3'
    """
    if folder.exists():
        raise FileExistsError(f"{folder} exists; name a new folder or remove it")
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
        for write in writers:
            write(partial)
        _seal(partial, facts)
        partial.rename(folder)
        sync_folder(folder.parent)
    except (OSError, RuntimeError, SafetensorError) as error:  # so torch tells of a full disk
        shutil.rmtree(partial, ignore_errors=True)
        reason = error.strerror if isinstance(error, OSError) else " ".join(str(error).split())
        raise OSError(
            f"{folder} could not be written ({reason}); free some space or write to another disk"
        ) from error
    except BaseException:  # an interrupt must not leave a half either
        shutil.rmtree(partial, ignore_errors=True)
        raise


def damage(folder: Path, without: Collection[str] = ()) -> str:
    """Return what of a folder is not as it was written, in words; "" where all is.

    Args:
        folder: With a manifest.
        without: Files that are not looked at, and may be missing.

    Raises:
        OSError: If a file is there but can't be read.
    """
    try:
        manifest = Manifest.read(folder)
    except FileNotFoundError:
        return f"{FILE} is not there"
    except ValueError as error:
        return str(error)
    for name, (size, digest) in manifest.files.items():
        path = folder / name
        if name in without:
            continue
        if not path.is_file():
            return f"{name} is not there"
        if path.stat().st_size != size:
            return f"{name} has {path.stat().st_size} bytes, not {size}"
        if _digest(path) != digest:
            return f"{name} is not what was written"
    return ""


def sync_file(path: Path) -> None:
    """Flush to the disk what a file holds."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Flush to the disk which names a folder holds, where the system can."""
    if os.name == "nt":
        return  # Windows opens no folders
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _seal(folder: Path, facts: dict[str, Any]) -> None:
    """Flush every file, and write the manifest last."""
    files, mode = {}, folder.stat().st_mode & 0o666
    for path in sorted(folder.iterdir()):
        path.chmod(mode)  # safetensors closes its files to all others
        files[path.name] = {"size": path.stat().st_size, "sha256": _digest(path)}
        sync_file(path)
    table: dict[str, Any] = {"schema": SCHEMA, "facts": facts, "files": files}
    text = json.dumps({**table, "sha256": _digest_of(table)}, indent=1) + "\n"
    (folder / FILE).write_text(text, encoding="utf-8")
    sync_file(folder / FILE)
    sync_folder(folder)


def _digest_of(table: dict[str, Any]) -> str:  # of JSON
    return hashlib.sha256(json.dumps(table, sort_keys=True).encode()).hexdigest()


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
