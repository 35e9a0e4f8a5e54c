"""Locks that a killed process gives back: they end with the last process that holds them."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import final


@final
class Lock:
    """A lock on a file, held until `release` or until every process that has it is dead.

    A child started with `descriptor` among its `pass_fds` holds it too. Workers on one machine
    always see each other's locks; workers on several machines do where the shared file system has
    locks, as NFS 4 does.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "a"
    ...     first = Lock.take(path)
    ...     Lock.take(path) is None
    True
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    @classmethod
    def take(cls, path: Path, *, wait: bool = False) -> "Lock | None":
        """Return the lock of a file, which is made where absent; `None` if another has it.

        Args:
            path: The file.
            wait: Wait until it is free.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            os.close(descriptor)
            return None
        except BaseException:  # an interrupt while it waits
            os.close(descriptor)
            raise
        return cls(descriptor)

    def release(self) -> None:
        """Give the lock back; a child that has it holds it until it ends."""
        os.close(self.descriptor)


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
