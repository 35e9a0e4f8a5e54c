"""Files that are there whole or not at all."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

PARTIAL: Final = ".partial"
"""Ending of what is not whole yet; a process that is killed leaves it."""


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file so that no reader ever sees half of it.

    The content goes to a temporary file beside `path`, is flushed to the disk, and takes its place;
    if that fails (a full disk), the temporary file is removed and an older file at `path` is left
    as it was. The file is as open to others as the system makes new files.

    Raises:
        OSError: If the folder is not there, or cannot be written to.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> write_whole(folder / "scores.json", "{}")
    >>> [file.name for file in folder.iterdir()]
    ['scores.json']
    """
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path} cannot be written: there is no folder {path.parent}")
    temporary = path.with_name(f".{path.name}.{os.getpid()}{PARTIAL}")
    try:
        with temporary.open("wb") as file:
            file.write(content.encode("utf-8") if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def require_places(outputs: Sequence[Path], inputs: Sequence[Path] = ()) -> None:
    """Refuse outputs that could not be written, or would take the place of a file that is read.

    To be asked before any work: who has waited an hour for scores wants to have them.

    Args:
        outputs: Files that will be written.
        inputs: Files and folders that are read.

    Raises:
        FileNotFoundError: If a folder is not there.
        PermissionError: If a folder can't be written to.
        ValueError: If an output is no file, is one of the inputs, or comes twice.

    >>> require_places([Path("scores.json")], [Path("./scores.json")])
    Traceback (most recent call last):
    ValueError: scores.json is one of the files read; write to another one
    """
    read = {path.resolve() for path in inputs}
    written: set[Path] = set()
    for path in outputs:
        place = path.resolve()
        if path.is_dir():
            raise ValueError(f"{path} is a folder; name the file to write")
        if not path.parent.is_dir():
            raise FileNotFoundError(f"{path} cannot be written: there is no folder {path.parent}")
        if path.exists() and not path.is_file():
            raise ValueError(f"{path} is no plain file; write to another one")
        if not os.access(path.parent, os.W_OK):
            raise PermissionError(f"{path} cannot be written: {path.parent} is read-only")
        if place in read:
            raise ValueError(f"{path} is one of the files read; write to another one")
        if place in written:
            raise ValueError(f"{path} would be written twice; give each output its own file")
        written.add(place)
