"""The log of a run: one JSON object a line, of kind step, null, validation, generation or note."""

import json
import math
import os
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, final

SCHEMA: Final = 1


def plain(value: Any) -> Any:  # what JSON can hold, of any shape
    """Return a value with its non-finite numbers replaced by `None`, which JSON can hold.

    >>> plain({"loss": float("nan"), "steps": [1, 2.5]})
    {'loss': None, 'steps': [1, 2.5]}
    """
    if isinstance(value, Mapping):
        return {key: plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


@final
class RunLog:
    """Writes `log.jsonl`, each line as soon as it is known, so that others can follow.

    Args:
        path: The file; lines are added at its end.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "log.jsonl"
    ...     with RunLog(path) as log:
    ...         log.write("note", step=3, text="the scope widened")
    ...     [line["text"] for line in read_log(path)]
    ['the scope widened']
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("ab", buffering=0)

    def write(self, kind: str, **fields: Any) -> None:
        """Add a line.

        Raises:
            OSError: If it can't be written whole; the log is then as it was before.
        """
        line = json.dumps(plain({"schema": SCHEMA, "kind": kind, **fields}), allow_nan=False)
        rest, end = memoryview(f"{line}\n".encode()), self._size()
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            self._file.truncate(end)
            raise OSError(
                f"{self._path} could not be written ({error.strerror}); free some space and resume"
            ) from error

    def sync(self) -> int:
        """Flush it to the disk; return its size in bytes, which `cut_log` goes back to."""
        os.fsync(self._file.fileno())
        return self._size()

    def _size(self) -> int:
        return os.fstat(self._file.fileno()).st_size

    def __enter__(self) -> "RunLog":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


def read_log(path: Path, kind: str | None = None) -> Iterator[dict[str, Any]]:
    """Return the lines of a log, of one kind or all; a last line still being written is left out.

    Raises:
        ValueError: If a line before the last is no JSON object.
    """
    lines = path.read_text(encoding="utf-8").split("\n")
    for number, line in enumerate(lines[:-1], start=1):
        try:
            entry = json.loads(line)
        except json.JSONDecodeError as error:
            raise ValueError(f"{path}: line {number} is no JSON ({error}); is it a log?") from error
        if kind is None or entry.get("kind") == kind:
            yield entry


def last_line(path: Path, kinds: Collection[str]) -> dict[str, Any] | None:
    """Return the last line of one of some kinds, reading only the file's end; `None` without one.

    >>> last_line(Path("no-such-run/log.jsonl"), ["step"]) is None
    True
    """
    if not path.is_file():
        return None
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 65_536))
        lines = file.read().split(b"\n")[:-1]
    for line in reversed(lines):
        if line.startswith(b"{"):
            entry: dict[str, Any] = json.loads(line)
            if entry["kind"] in kinds:
                return entry
    return None


def cut_log(path: Path, size: int) -> None:
    """Drop what was logged since the log had a size, when a run goes on from there.

    Args:
        path: The log; where the run was stopped before there was one, it begins empty.
        size: In bytes, as `RunLog.sync` returned it.

    Raises:
        ValueError: If the log is shorter: lines are lost.
    """
    path.touch()
    found = path.stat().st_size
    if found < size:
        raise ValueError(
            f"{path} must have the {size} bytes that it had at the checkpoint, found {found}: put "
            f"the whole log back, or remove {path.parent} and train again"
        )
    os.truncate(path, size)
