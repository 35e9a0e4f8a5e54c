"""Read a text file that may be anything: the whole text, or one line that says what is wrong."""

import errno
import os
import stat
from pathlib import Path
from typing import Final

REPORT_LIMIT: Final = 1_000_000
"""Bytes; a radiology report has some hundreds."""


def read_text(
    path: str | Path, *, root: str | Path | None = None, limit: int = REPORT_LIMIT
) -> str:
    r"""Return the text of a UTF-8 file; a byte order mark is dropped.

    Args:
        path: The file, relative to the working folder as usual.
        root: Folder that the file must be in once links are followed; `None` allows any place.
        limit: The file must be shorter than so many bytes.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no regular file, is outside `root`, too long or not UTF-8.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "report.txt"
    ...     _ = path.write_bytes(b"Clear lungs.\n")
    ...     read_text(path, root=folder)
    'Clear lungs.\n'
    """
    found = regular_file(path, root=root)
    with found.open("rb") as file:
        content = file.read(limit)
    if len(content) >= limit:
        raise ValueError(
            f"{path}: a report must be shorter than {limit:,} bytes, this has "
            f"{found.stat().st_size:,}; it is probably another kind of file"
        )
    return decode_utf8(content, str(path))


def decode_utf8(content: bytes, name: str) -> str:
    """Return bytes as text without byte order mark; the name stands in the message.

    Raises:
        ValueError: If they are not UTF-8.

    >>> decode_utf8(bytes([0xEF, 0xBB, 0xBF]) + b"Clear.", "a.txt")
    'Clear.'
    """
    try:
        return content.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{name}: not UTF-8 text, the byte at offset {error.start} is "
            f"0x{content[error.start]:02x}; convert the file to UTF-8"
        ) from None


def regular_file(path: str | Path, *, root: str | Path | None = None) -> Path:
    """Return where a file really is, links followed.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no regular file, its links go round, or it is outside `root`.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     regular_file(Path(folder) / ".." / "elsewhere", root=folder)
    Traceback (most recent call last):
    FileNotFoundError: ...elsewhere: there is no such file
    """
    try:
        real = Path(os.path.realpath(path, strict=True))
        mode = real.stat().st_mode
    except OSError as error:
        raise _unreachable(path, error) from None
    except ValueError:
        raise ValueError(f"{str(path)!r}: not a path; it holds a character no path has") from None
    if root is not None and not real.is_relative_to(os.path.realpath(root)):
        name = Path(os.path.realpath(root)).name  # not its place: messages are kept in sets
        raise ValueError(f"{path}: leads out of {name!r}; keep all files in one folder")
    if not stat.S_ISREG(mode):
        raise ValueError(f"{path}: not a regular file but a folder, pipe or device")
    return real


def _unreachable(path: str | Path, error: OSError) -> Exception:
    if error.errno == errno.ELOOP:
        return ValueError(f"{path}: its symbolic links go round in a circle; delete one of them")
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return FileNotFoundError(f"{path}: there is no such file")
    if error.errno == errno.ENAMETOOLONG:
        return ValueError(f"{str(path)[:60]}…: the name is too long for a file")
    return error
