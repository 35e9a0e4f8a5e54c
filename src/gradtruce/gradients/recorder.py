"""A log of step records that does not make the host wait in each step."""

import json
import math
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from types import TracebackType
from typing import Any, final

from torch import Tensor

from gradtruce.gradients.record import NUMBERS, StepRecord

SCHEMA = 1
_NAMES = {
    "schema",
    "cosines",
    "norms",
    "clipped",
    *NUMBERS,
    *(part.name for part in fields(StepRecord)),
}
Extra = Tensor | float | int | str | bool | None


@final
class Recorder:
    """Writes records as JSON lines, and reads them from the device only every so many steps.

    Until then they stay where they are, a few numbers a task each. Lines are appended to a file
    that is there. Close it, or use it in a `with` statement, for the last lines to be written.

    Args:
        path: The file; its folder must be there.
        every: Records kept before they are read and written.

    Raises:
        ValueError: If `every` is below 1.

    >>> import tempfile
    >>> import torch
    >>> ones, yes = torch.ones(1), torch.tensor(True)
    >>> record = StepRecord(("a",), 1, ones, yes.expand(1), ones, ones, yes)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with Recorder(Path(folder) / "steps.jsonl") as recorder:
    ...         recorder.add(record, rate=0.1)
    ...     print((Path(folder) / "steps.jsonl").read_text()[:65])
    {"schema": 1, "step": 1, "losses": {"a": 1.0}, "coefficients": {"
    """

    def __init__(self, path: Path | str, *, every: int = 100) -> None:
        if every < 1:
            raise ValueError(f"every must be a number of records from 1 on, got {every}")
        self._every = every
        self._kept: list[tuple[StepRecord, Mapping[str, Extra]]] = []
        self._path, self._is_closed = Path(path), False
        self._path.touch()  # a folder that is not there is an error now, not after the first steps

    def add(self, record: StepRecord, **extra: Extra) -> None:
        """Keep a record, and other numbers of the step by name; a tensor may stay on its device.

        Raises:
            ValueError: If the recorder is closed, or a name is one of the record's.
        """
        if self._is_closed:
            raise ValueError("the recorder is closed")
        taken = _NAMES & extra.keys()
        if taken:
            raise ValueError(f"the record has a {min(taken)!r} of its own; choose another name")
        self._kept.append((record, extra))
        if len(self._kept) >= self._every:
            self.flush()

    def flush(self) -> None:
        """Read what is kept from the device, and write it."""
        kept, self._kept = self._kept, []
        with self._path.open("a", encoding="utf-8") as file:
            file.write("".join(json.dumps(_line(*each)) + "\n" for each in kept))

    def close(self) -> None:
        """Write what is kept; nothing can be added after it."""
        self.flush()
        self._is_closed = True

    def __enter__(self) -> "Recorder":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _line(record: StepRecord, extra: Mapping[str, Extra]) -> dict[str, Any]:
    line = {"schema": SCHEMA, **record.to("cpu").to_dict()}
    return line | {name: _plain(value) for name, value in extra.items()}


def _plain(value: Extra) -> Any:
    plain = value.tolist() if isinstance(value, Tensor) else value
    if isinstance(plain, list):
        return [_plain(each) for each in plain]
    return None if isinstance(plain, float) and not math.isfinite(plain) else plain
