"""One Arrow shard: written under another name, flushed, renamed; and what to know of it."""

from contextlib import suppress
from pathlib import Path
from typing import final

import pyarrow as pa
from pydantic import BaseModel, ConfigDict

from gradtruce.data.prepared_manifest import ShardRecord
from gradtruce.data.prepared_schema import SCHEMA, Row
from gradtruce.data.preparing.disk import file_sha256, publish
from gradtruce.data.sources.base import Problem
from gradtruce.data.study import Split, Study
from gradtruce.files import PARTIAL

_BATCH_BYTES = 4 << 20  # few batches make a set quick to open, small ones keep memory low
_BATCH_ROWS = 512


@final
class ShardSummary(BaseModel):
    """What is known of a finished shard without opening it.

    Attributes:
        shard: The file; `None` if every study of it was skipped, so that there is none.
        short_sides: Smallest and largest short side of its views in pixels.
        label_sources: Where its labels come from.
        is_synthetic: True if any of its studies is.
        problems: What was wrong with its studies.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    shard: ShardRecord | None
    short_sides: tuple[int, int] | None
    label_sources: tuple[str, ...]
    is_synthetic: bool
    problems: tuple[Problem, ...] = ()


@final
class ShardWriter:
    """Writes the rows of one shard; nothing has its final name before `close`.

    Args:
        path: The shard file.
        split: Of all its studies.

    >>> import tempfile
    >>> import numpy as np
    >>> from gradtruce.data.prepared_schema import to_row
    >>> from gradtruce.data.study import View
    >>> study = Study("s", "p", "val", (View(np.zeros((8, 9), np.uint8), "frontal"),), "Clear.")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     writer = ShardWriter(Path(folder) / "val-00000.arrow", "val")
    ...     writer.add(study, to_row(study))
    ...     summary = writer.close()
    >>> summary.shard.rows, summary.short_sides
    (1, (8, 8))
    """

    def __init__(self, path: Path, split: Split) -> None:
        self.split = split
        self.rows = 0
        self._path, self._partial = path, path.with_name(path.name + PARTIAL)
        self._short_sides: set[int] = set()
        self._label_sources: set[str] = set()
        self._is_synthetic = False
        self._pending: list[Row] = []
        self._pending_bytes = 0
        self._sink = pa.OSFile(str(self._partial), "wb")
        self._stream = pa.ipc.new_stream(self._sink, SCHEMA)

    def add(self, study: Study, row: Row) -> None:
        """Write a study and its row of `SCHEMA`.

        Raises:
            OSError: If it can't be written.
        """
        self.rows += 1
        self._short_sides.update(min(view.pixels.shape) for view in study.views)
        self._is_synthetic |= study.is_synthetic
        if study.labels:
            self._label_sources.add(study.label_source)
        self._pending.append(row)
        self._pending_bytes += sum(len(view["image"]) for view in row["views"])
        if self._pending_bytes >= _BATCH_BYTES or len(self._pending) >= _BATCH_ROWS:
            self._write_pending()

    def close(self, problems: tuple[Problem, ...] = ()) -> ShardSummary:
        """Finish the file and return what is in it; without a row no file is left.

        Raises:
            OSError: If it can't be written.
        """
        self._write_pending()
        self._stream.close()
        self._sink.close()
        record = None
        if self.rows:
            record = ShardRecord(
                file=self._path.name,
                split=self.split,
                rows=self.rows,
                bytes=self._partial.stat().st_size,
                sha256=file_sha256(self._partial),
            )
            publish(self._partial, self._path)
        else:
            self._partial.unlink()
        sides = self._short_sides
        return ShardSummary(
            shard=record,
            short_sides=(min(sides), max(sides)) if sides else None,
            label_sources=tuple(sorted(self._label_sources)),
            is_synthetic=self._is_synthetic,
            problems=problems,
        )

    def abandon(self) -> None:
        """Close and remove what has been written."""
        with suppress(OSError, pa.ArrowException):  # full disk, or closed before; the file goes
            self._stream.close()
        with suppress(OSError):
            self._sink.close()
        with suppress(OSError):
            self._partial.unlink(missing_ok=True)

    def _write_pending(self) -> None:
        if self._pending:
            self._stream.write_batch(pa.RecordBatch.from_pylist(self._pending, schema=SCHEMA))
            self._pending, self._pending_bytes = [], 0


def shard_name(split: Split, number: int) -> str:
    """Return the name of a shard file.

    >>> shard_name("train", 7)
    'train-00007.arrow'
    """
    return f"{split}-{number:05d}.arrow"
