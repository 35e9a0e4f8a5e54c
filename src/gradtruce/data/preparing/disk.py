"""Write files so that they are whole or not there, and know them by their hash."""

import hashlib
import os
from pathlib import Path

PARTIAL = ".partial"
"""How the name of a file ends that is being written."""


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal.

    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile() as empty:
    ...     file_sha256(Path(empty.name))[:8]
    'e3b0c442'
    """
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def flush_to_disk(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk.

    Raises:
        OSError: If they can't be written.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_whole(path: Path, text: str) -> None:
    """Write a text file: after a crash of the process it is there whole, or not at all.

    After a crash of the machine it may be torn: what is read to go on with is checked by parsing,
    and a finished set is flushed before it gets its name.

    Raises:
        OSError: If it can't be written; then nothing is left of it.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_whole(Path(folder) / "a.txt", "whole")
    ...     [path.name for path in Path(folder).iterdir()]
    ['a.txt']
    """
    partial = path.with_name(path.name + PARTIAL)
    try:
        with partial.open("w", encoding="utf-8", newline="") as stream:
            stream.write(text)
        partial.rename(path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise


def publish(partial: Path, path: Path) -> None:
    """Give a written file its name, once its content is on the disk (one flush a shard).

    Raises:
        OSError: If it can't be written.
    """
    flush_to_disk(partial)
    partial.rename(path)
