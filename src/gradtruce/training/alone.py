"""One training a run folder: two would write over each other's log and checkpoints."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from gradtruce.locks import UNSUPPORTED, Lock, holder


@contextmanager
def training_alone(folder: Path) -> Iterator[str]:
    """Keep other trainings out of a run folder, there or yet to be made.

    The lock is on a hidden file beside the folder, which goes with it. It is the kernel's: it ends
    when the process does, however that happens.

    Args:
        folder: The run folder.

    Yields:
        What is to be told: "", or that the file system has no locks, so that nothing was done.

    Raises:
        BlockingIOError: If another process trains there.
        OSError: If the file can't be made.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as parent, training_alone(Path(parent) / "run") as note:
    ...     print(note or [path.name for path in Path(parent).iterdir()])
    ['.run.lock']
    """
    target = folder.resolve()
    path = target.with_name(f".{target.name}.lock")
    made_parents = [parent for parent in target.parents if not parent.exists()]
    lock, note = _taken(path, folder)
    try:
        if lock is not None:
            lock.sign()
        yield note
    finally:
        path.unlink(missing_ok=True)
        if lock is not None:
            lock.release()
        for parent in made_parents:
            with suppress(OSError):  # it holds the run
                parent.rmdir()


def _taken(path: Path, folder: Path) -> tuple[Lock | None, str]:
    """Return the lock, or where there are none what is to be told of it."""
    try:
        lock = Lock.take(path)
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise
        return None, (
            f"{path.parent} has no locks on files; see to it that nothing else trains in {folder}"
        )
    if lock is None:
        raise BlockingIOError(
            f"{holder(path)} trains in {folder}; wait for it, end it, or give another folder"
        )
    return lock, ""
