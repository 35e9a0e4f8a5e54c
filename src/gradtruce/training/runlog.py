"""The log of a run: one JSON object a line, of kind step, null, validation, generation or note."""

import json
import math
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, final

from gradtruce.evaluation.files import write_whole

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
        self._file = path.open("a", encoding="utf-8")

    def write(self, kind: str, **fields: Any) -> None:
        """Add a line."""
        line = json.dumps(plain({"schema": SCHEMA, "kind": kind, **fields}), allow_nan=False)
        self._file.write(line + "\n")
        self._file.flush()

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


def cut_log(path: Path, step: int) -> None:
    """Drop what was logged after a step, when a run goes on from that step."""
    kept = [entry for entry in read_log(path) if entry["step"] <= step]
    write_whole(path, "".join(json.dumps(entry) + "\n" for entry in kept))
