"""The rows of several Arrow shards as one sequence, memory-mapped; it travels as paths."""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any, final

import pyarrow as pa

from gradtruce.data.prepared_manifest import ShardRecord
from gradtruce.data.prepared_schema import SCHEMA, Row


@final
class PreparedRows:
    """Rows of shards in their order; nothing of a row is read before it is asked for.

    Pickled, it is the names of its files: a worker process maps them anew. (We open the streams
    with pyarrow: `datasets.Dataset.from_file` hashes every file's description and takes 6 seconds
    for the 265 shards of 270,000 studies, this takes a fraction of one.)

    Args:
        folder: Of the prepared set.
        shards: In order; at least one.

    Attributes:
        data: All rows as one Arrow table.

    Raises:
        FileNotFoundError: If a shard is missing.
        ValueError: If a shard is damaged, judged by size, schema and number of rows.
    """

    def __init__(self, folder: Path, shards: Sequence[ShardRecord]) -> None:
        self._folder, self._shards = folder, tuple(shards)
        tables = [_open_shard(folder / shard.file, shard) for shard in self._shards]
        self.data = pa.concat_tables(tables) if tables else SCHEMA.empty_table()
        self._batches = self.data.to_batches()
        self._ends = list(accumulate(batch.num_rows for batch in self._batches))

    def __reduce__(self) -> tuple[type["PreparedRows"], tuple[Path, tuple[ShardRecord, ...]]]:
        """Return how a copy is made in another process."""
        return PreparedRows, (self._folder, self._shards)

    def __len__(self) -> int:
        """Return the number of rows."""
        return self._ends[-1] if self._ends else 0

    def __getitem__(self, index: int) -> Row:
        """Return one row with all its columns."""
        batch, place = self._find(index)
        row: Row = batch.slice(place, 1).to_pylist()[0]
        return row

    def value(self, index: int, column: str) -> Any:  # whatever the column holds
        """Return one column of one row."""
        batch, place = self._find(index)
        return batch.column(column)[place].as_py()

    def _find(self, index: int) -> tuple[pa.RecordBatch, int]:
        found = index + len(self) if index < 0 else index
        if not 0 <= found < len(self):
            raise IndexError(f"row {index} is not there; there are {len(self):,}")
        place = bisect_right(self._ends, found)
        return self._batches[place], found - (self._ends[place - 1] if place else 0)


def _open_shard(path: Path, shard: ShardRecord) -> pa.Table:
    if not path.is_file():
        raise FileNotFoundError(f"{path}: the shard is missing; prepare the set again")
    size = path.stat().st_size
    if size != shard.bytes:
        raise ValueError(
            f"{path}: damaged, it must have {shard.bytes:,} bytes and has {size:,}; "
            "prepare the set again"
        )
    try:
        with pa.memory_map(str(path)) as stream, pa.ipc.open_stream(stream) as reader:
            table = reader.read_all()
    except (pa.ArrowException, OSError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{path}: damaged ({reason}); prepare the set again") from None
    if not table.schema.equals(SCHEMA) or table.num_rows != shard.rows:
        raise ValueError(
            f"{path}: not a shard of schema 1 with {shard.rows} studies; prepare the set again"
        )
    return table
