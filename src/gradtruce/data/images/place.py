"""Open a file only where it is one: regular, inside the root, reached without a loop of links."""

import errno
import os
import stat
from pathlib import Path

from gradtruce.data.images.film import MAX_BYTES


def read_regular(path: Path, root: Path | None = None) -> bytes:
    """Return the content of a regular file.

    Symbolic links are followed, and the file they lead to must lie inside `root` where one is
    given. A pipe, a device or a socket is refused without being waited for.

    Raises:
        FileNotFoundError: If there is no such file, or a folder is there.
        ValueError: If it is no regular file, lies outside `root`, is larger than `MAX_BYTES`,
            is empty, or cannot be opened.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = (Path(folder) / "a.png").write_bytes(b"abc")
    ...     read_regular(Path(folder) / "a.png", Path(folder))
    b'abc'
    """
    target = _target(path, root)
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(target, flags)  # a pipe would block an ordinary open
        with os.fdopen(descriptor, "rb") as stream:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise ValueError(f"{path}: not a regular file; an image must be one")
            _refuse_size(path, status.st_size)
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise ValueError(_unopened(path, error)) from None
    _refuse_size(path, len(content))  # it may have grown
    return content


def _target(path: Path, root: Path | None) -> Path:
    """Return the file that `path` leads to."""
    try:
        target = path.resolve(strict=True)
        home = root.resolve(strict=True) if root is not None else None
        mode = target.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(
            f"{path}: there is no such image file; correct the path or download the image"
        ) from None
    except RuntimeError:  # Python up to 3.12
        raise ValueError(f"{path}: symbolic links lead in a loop; replace the link") from None
    except OSError as error:
        raise ValueError(_unopened(path, error)) from None
    except ValueError:  # a NUL byte
        raise ValueError(f"{str(path)!r}: not a path that a file can have; correct it") from None
    if home is not None and not target.is_relative_to(home):
        raise ValueError(f"{path}: leads out of {_name(root)}; images must lie inside that folder")
    if stat.S_ISDIR(mode):
        raise FileNotFoundError(f"{path}: there is no such image file, but a folder; name a file")
    if not stat.S_ISREG(mode):
        raise ValueError(f"{path}: not a regular file; an image must be one")
    return target


def _name(root: Path | None) -> str:
    """Return the name of a folder, not its place: messages are kept in prepared sets."""
    return repr(root.resolve().name) if root is not None else ""


def _refuse_size(path: Path, size: int) -> None:
    if size > MAX_BYTES:
        raise ValueError(f"{path}: larger than {MAX_BYTES:,} bytes; shrink it or leave it out")
    if size == 0:
        raise ValueError(f"{path}: an empty file; replace it or leave it out")


def _unopened(path: Path, error: OSError) -> str:
    if error.errno == errno.ELOOP:
        return f"{path}: symbolic links lead in a loop; replace the link"
    return f"{path}: cannot be opened ({error.strerror}); make it readable or leave it out"
