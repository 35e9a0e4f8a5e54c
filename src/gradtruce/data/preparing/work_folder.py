"""The hidden folder in which a set is prepared; it outlives a crash, and no reader takes it."""

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, final

from gradtruce.data.preparing.disk import flush_to_disk
from gradtruce.files import PARTIAL, write_whole
from gradtruce.locks import Lock, holder

_PLAN: Final = "plan.json"
_LOCK: Final = "lock"
_HASHES: Final = {
    "fingerprint": "the files it is made from have changed",
    "plan_sha256": "the list of its studies has changed",
}


@final
class WorkFolder:
    """`.<name>.preparing` beside the target: the set so far, its plan, summaries of its shards.

    Args:
        target: The prepared data set.

    Attributes:
        path: The work folder.
        set_folder: What becomes the target.
        finished_folder: A summary of every finished shard.

    >>> WorkFolder(Path("data/mine")).path.as_posix()
    'data/.mine.preparing'
    """

    def __init__(self, target: Path) -> None:
        self.target = target
        self.path = target.parent / f".{target.name}.preparing"
        self.set_folder = self.path / "set"
        self.finished_folder = self.path / "finished"
        self._made_parents: list[Path] = []

    @contextmanager
    def held(self) -> Iterator[None]:
        """Make the folder and keep other processes out of it.

        The lock is the kernel's: it goes when the process does, however that ends.

        Raises:
            FileExistsError: If another process prepares the same set, or has just done so.
            OSError: If the folder can't be made.
        """
        self._made_parents = [p for p in self.target.parents if not p.exists()]
        self.path.mkdir(parents=True, exist_ok=True)
        lock = Lock.take(self.path / _LOCK)
        if lock is None:
            raise FileExistsError(
                f"{self.target} is being prepared by {holder(self.path / _LOCK)}; "
                "wait for it, or end it"
            )
        try:
            if self.target.exists():
                self.remove()
                raise FileExistsError(f"{self.target} was prepared by another process just now")
            lock.sign()
            for folder in (self.set_folder, self.finished_folder):
                folder.mkdir(exist_ok=True)
                for rest in folder.glob(f"*{PARTIAL}"):  # of a process that was killed
                    rest.unlink()
            yield
        finally:
            lock.release()

    def claim(self, identity: Mapping[str, Any]) -> None:
        """Say what is prepared here, or refuse to go on with something else.

        Args:
            identity: All that decides the set, JSON values by name.

        Raises:
            FileExistsError: If another set was begun here; the message says what differs.
            OSError: If it can't be written.
        """
        path = self.path / _PLAN
        try:
            begun = json.loads(path.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):  # never begun: the file is written whole
            write_whole(path, json.dumps(identity, indent=2) + "\n")
            return
        differing = differences(begun, identity)
        if differing:
            raise FileExistsError(
                f"{self.path}: holds the beginning of another set ({differing}); "
                "give the same arguments to go on with it, or remove that folder to begin anew"
            )

    def publish(self) -> None:
        """Flush the set, give it its name and remove the rest.

        Raises:
            OSError: If it can't be written.
        """
        for path in sorted(self.set_folder.iterdir()):
            flush_to_disk(path)
        flush_to_disk(self.set_folder)
        self.set_folder.rename(self.target)
        flush_to_disk(self.target.parent)
        shutil.rmtree(self.path, ignore_errors=True)

    def finished(self) -> int:
        """Return how many shards are finished."""
        return sum(1 for _ in self.finished_folder.glob("*.json"))

    def clear_rest(self) -> None:
        """Remove what a process left that was killed just after it gave the set its name."""
        if self.path.is_dir() and not self.set_folder.exists():
            shutil.rmtree(self.path, ignore_errors=True)

    def remove(self) -> None:
        """Remove the folder, and the parents that were made for it if they are empty."""
        shutil.rmtree(self.path, ignore_errors=True)
        for parent in self._made_parents:
            with suppress(OSError):  # something else has been put there meanwhile
                parent.rmdir()


def differences(begun: Mapping[str, Any], asked: Mapping[str, Any]) -> str:
    """Return in words which values differ; "" if none.

    Hashes are named only where nothing else differs: they follow from arguments and files.

    >>> differences({"size": 64, "seed": 0}, {"size": 128, "seed": 0})
    'size: 64 there, 128 asked for'
    """
    names = [name for name in {**begun, **asked} if begun.get(name) != asked.get(name)]
    told = [name for name in names if name not in _HASHES] or names
    return "; ".join(_difference(name, begun.get(name), asked.get(name)) for name in told)


def _difference(name: str, begun: object, asked: object) -> str:
    if name in _HASHES:
        return _HASHES[name]
    if isinstance(begun, Mapping) and isinstance(asked, Mapping):
        return differences(
            {f"{name}.{key}": value for key, value in begun.items()},
            {f"{name}.{key}": value for key, value in asked.items()},
        )
    return f"{name}: {_short(begun)} there, {_short(asked)} asked for"


def _short(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else f'{text[:12]}…"'
