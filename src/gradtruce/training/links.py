"""A name that leads to a folder beside it, and to another one at a stroke."""

import errno
import shutil
from pathlib import Path
from typing import Final

from gradtruce.manifest import Manifest, damage

_NO_LINKS: Final = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)
"""What a file system without symbolic links answers."""


def lead(name: Path, target: Path | None, *, leave_out: str) -> None:
    """Let a name lead to a folder: by a symbolic link, replaced in one rename.

    On a file system without links the name becomes a copy; there is then a moment without it.

    Args:
        name: The link.
        target: A folder beside it, with a manifest; `None` removes the name.
        leave_out: A file that a copy does without.

    Raises:
        OSError: If it can't be written.

    >>> import tempfile
    >>> from gradtruce.manifest import write_folder
    >>> with tempfile.TemporaryDirectory() as parent:
    ...     for step in ("step-1", "step-2"):
    ...         write_folder(Path(parent) / step, [])
    ...         lead(Path(parent) / "last", Path(parent) / step, leave_out="")
    ...     (Path(parent) / "last").resolve().name
    'step-2'
    """
    if target is None:
        _remove(name)
        return
    if name.is_symlink() and name.readlink() == Path(target.name):
        return
    link = name.with_name(f".{name.name}.link")
    link.unlink(missing_ok=True)
    try:
        link.symlink_to(target.name, target_is_directory=True)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        _copy(name, target, leave_out)
        return
    link.replace(name)


def _copy(name: Path, target: Path, leave_out: str) -> None:
    if not damage(name, without=(leave_out,)) and Manifest.read(name) == Manifest.read(target):
        return
    copy = name.with_name(f".{name.name}.copy")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(target, copy, ignore=shutil.ignore_patterns(leave_out))
    _remove(name)
    copy.rename(name)


def _remove(name: Path) -> None:
    if name.is_symlink():
        name.unlink()
    elif name.exists():
        former = name.with_name(f".{name.name}.former")
        shutil.rmtree(former, ignore_errors=True)
        name.rename(former)
        shutil.rmtree(former)
