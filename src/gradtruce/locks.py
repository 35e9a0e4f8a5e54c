"""Locks that a killed process gives back: they end with the last process that holds them."""

import errno
import os
import socket
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, final

UNSUPPORTED: Final = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)
"""What a system says that has no such locks: Windows, and some shared file systems."""

_held: "weakref.WeakSet[Lock]" = weakref.WeakSet()  # of this process, for `_let_go_in_fork`


@final
class Lock:
    """A lock on a file, held until `release` or until every process that has it is dead.

    A child started with `descriptor` among its `pass_fds` holds it too; a fork does not, so that
    what a killed process leaves behind holds nothing. Workers on one machine always see each
    other's locks; workers on several machines do where the shared file system has locks, as NFS 4
    does.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "a"
    ...     first = Lock.take(path)
    ...     Lock.take(path) is None
    True
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        _held.add(self)

    @classmethod
    def take(cls, path: Path, *, wait: bool = False) -> "Lock | None":
        """Return the lock of a file, which is made where absent; `None` if another has it.

        Args:
            path: The file.
            wait: Wait until it is free.

        Raises:
            OSError: If the file can't be made, or with a number of `UNSUPPORTED` where there are
                no locks.
        """
        while True:
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            except FileNotFoundError:  # who made the folder, and was refused, has removed it
                continue
            try:
                _lock(descriptor, wait=wait)
                is_there = _is_file_at(path, descriptor)
            except BlockingIOError:
                os.close(descriptor)
                return None
            except BaseException:  # an interrupt while it waits
                os.close(descriptor)
                raise
            if is_there:
                return cls(descriptor)
            os.close(descriptor)  # who held it has removed the file meanwhile

    def sign(self) -> None:
        """Write into the file who holds the lock, for `holder`."""
        os.truncate(self.descriptor, 0)
        os.pwrite(self.descriptor, f"process {os.getpid()} on {socket.gethostname()}".encode(), 0)

    def release(self) -> None:
        """Give the lock back; a child that has it holds it until it ends.

        Who holds it may remove the file before.
        """
        if self in _held:
            _held.discard(self)
            os.close(self.descriptor)


def holder(path: Path) -> str:
    """Return who holds the lock of a file, as far as its signature tells.

    >>> holder(Path("nowhere"))
    'another process'
    """
    try:
        return path.read_text(encoding="utf-8") or "another process"
    except FileNotFoundError:
        return "another process"


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of a file, waiting for it first.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder, locked(Path(folder) / "a"):
    ...     Lock.take(Path(folder) / "a") is None
    True
    """
    lock = Lock.take(path, wait=True)
    assert lock is not None  # it waits
    try:
        yield
    finally:
        lock.release()


def _lock(descriptor: int, *, wait: bool) -> None:
    try:
        import fcntl  # noqa: PLC0415 # of Unix
    except ImportError:
        raise OSError(errno.ENOSYS, "this system has no locks on files") from None
    fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))


def _is_file_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _let_go_in_fork() -> None:
    """Close the locks that a fork was born with: they are those of the process it comes from."""
    for lock in list(_held):
        lock.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go_in_fork)
