"""Open a prepared data set: memory-mapped Arrow shards, one row a study."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import final, overload

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Float

from gradtruce.data.prepared_manifest import Manifest
from gradtruce.data.prepared_rows import PreparedRows
from gradtruce.data.prepared_schema import from_row, views_from
from gradtruce.data.prepared_writer import PreparedWriter, file_sha256
from gradtruce.data.study import SPLITS, Split, Study, View

__all__ = ["PreparedDataset", "PreparedSplit", "PreparedWriter"]


@final
class PreparedSplit(Sequence[Study]):
    """The studies of one split; each is decoded when asked for.

    Attributes:
        name: "train", "val" or "test".
        rows: The Arrow rows, memory-mapped.
    """

    def __init__(self, name: Split, rows: PreparedRows) -> None:
        self.name = name
        self.rows = rows

    def __len__(self) -> int:
        """Return the number of studies."""
        return len(self.rows)

    @overload
    def __getitem__(self, index: int) -> Study: ...
    @overload
    def __getitem__(self, index: slice) -> list[Study]: ...
    def __getitem__(self, index: int | slice) -> Study | list[Study]:
        """Return one study, or several, all of it decoded."""
        if isinstance(index, slice):
            return [from_row(self.rows[i]) for i in range(*index.indices(len(self)))]
        return from_row(self.rows[index])

    def __iter__(self) -> Iterator[Study]:
        """Yield the studies in the order of the set."""
        return (from_row(self.rows[i]) for i in range(len(self)))

    def views(self, index: int) -> tuple[View, ...]:
        """Return the views of one study alone, without decoding masks."""
        return views_from(self.rows.value(index, "views"))

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """Study ids, in order."""
        return tuple(self._column("id").to_pylist())

    @cached_property
    def patients(self) -> tuple[str, ...]:
        """Patient of every study, in order."""
        return tuple(self._column("patient").to_pylist())

    @cached_property
    def reports(self) -> tuple[str, ...]:
        """Reports as the source has them, in order."""
        return tuple(self._column("report").to_pylist())

    @cached_property
    def view_positions(self) -> tuple[tuple[str, ...], ...]:
        """Positions of the views of every study, in order."""
        column = self._of_views("position", pa.string())
        return tuple(tuple(positions) for positions in column.to_pylist())

    @cached_property
    def view_flags(self) -> Mapping[str, int]:
        """How many views have text burned in, may have, and were compressed with loss."""
        burned_in = pc.list_flatten(self._of_views("burned_in", pa.bool_()))
        is_lossy = pc.list_flatten(self._of_views("is_lossy", pa.bool_()))
        return {
            "burned_in": pc.sum(burned_in).as_py() or 0,
            "burned_in_unknown": burned_in.null_count,
            "is_lossy": pc.sum(is_lossy).as_py() or 0,
        }

    @cached_property
    def labels(self) -> Float[np.ndarray, "studies observations"]:
        """State of each of the 14 observations: 1, 0, -1 (uncertain), NaN (missing)."""
        columns = self._column("labels").flatten()
        return np.stack([np.asarray(c.to_numpy(), dtype=np.float32) for c in columns], axis=1)

    def _of_views(self, field: str, kind: pa.DataType) -> pa.ChunkedArray:
        """Return one field of all views, a list a study."""
        lists = [
            pa.ListArray.from_arrays(chunk.offsets, chunk.values.field(field))
            for chunk in self._column("views").chunks
        ]
        return pa.chunked_array(lists, pa.list_(kind))

    def _column(self, name: str) -> pa.ChunkedArray:
        return self.rows.data.column(name)


@final
class PreparedDataset:
    """A prepared data set.

    Attributes:
        folder: Where it lies.
        manifest: What it says of itself.

    >>> PreparedDataset.open("no/such/folder")
    Traceback (most recent call last):
    FileNotFoundError: no/such/folder is no prepared data set (it has no manifest.json); ...
    """

    def __init__(
        self, folder: Path, manifest: Manifest, splits: dict[Split, PreparedSplit]
    ) -> None:
        self.folder = folder
        self.manifest = manifest
        self._splits = splits

    @classmethod
    def open(cls, folder: str | Path) -> "PreparedDataset":
        """Open a prepared data set; shards are checked by size and row count, not by hash.

        Raises:
            FileNotFoundError: If the folder is no prepared set or a shard is missing.
            ValueError: If the manifest or a shard is damaged.
        """
        folder = Path(folder)
        manifest = Manifest.read(folder)
        splits = {split: PreparedSplit(split, _rows(folder, manifest, split)) for split in SPLITS}
        return cls(folder, manifest, splits)

    def split(self, name: str) -> PreparedSplit:
        """Return one split.

        Raises:
            ValueError: If there is no split of that name.
        """
        if name not in self._splits:
            raise ValueError(f"no split is called {name!r}; known: {', '.join(SPLITS)}")
        return self._splits[name]

    def study(self, study_id: str) -> Study:
        """Return one study by its id.

        Raises:
            ValueError: If there is no study of that id.
        """
        if study_id not in self._places:
            raise ValueError(f"{self.folder}: no study is called {study_id!r}")
        split, index = self._places[study_id]
        return self._splits[split][index]

    def verify(self) -> None:
        """Compare every shard with its SHA-256 in the manifest: a full read.

        Raises:
            ValueError: If a shard is not as it was written.
        """
        for shard in self.manifest.shards:
            if file_sha256(self.folder / shard.file) != shard.sha256:
                raise ValueError(
                    f"{self.folder / shard.file}: damaged (its SHA-256 differs from the manifest); "
                    "prepare the set again"
                )

    @cached_property
    def _places(self) -> dict[str, tuple[Split, int]]:
        return {
            study_id: (name, index)
            for name, split in self._splits.items()
            for index, study_id in enumerate(split.ids)
        }


def _rows(folder: Path, manifest: Manifest, split: Split) -> PreparedRows:
    rows = PreparedRows(folder, [shard for shard in manifest.shards if shard.split == split])
    if not len(rows) or len(rows) != manifest.splits.get(split):
        raise ValueError(
            f"{folder}: split {split!r} must have {manifest.splits.get(split, 0)} studies and at "
            f"least one, its shards have {len(rows)}; prepare the set again"
        )
    return rows
