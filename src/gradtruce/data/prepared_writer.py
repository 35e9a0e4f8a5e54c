"""Write a prepared data set: all of it appears at the end, or nothing."""

import csv
import hashlib
import os
import shutil
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, final

import pyarrow as pa

from gradtruce.data.prepared_manifest import Manifest, ShardRecord
from gradtruce.data.prepared_schema import SCHEMA, Row, to_row
from gradtruce.data.study import SPLITS, Split, Study

_ROWS_A_BATCH = 32  # about 1 MB at 128 px: small enough to keep, large enough to write at once


@final
class PreparedWriter:
    """Writes studies into a temporary sibling folder, renamed to `folder` when all is well.

    Used as a context manager. Any error inside, an interrupt or a full disk too, leaves nothing.

    Args:
        folder: The prepared data set; must not exist.
        name: What the set is called in tables and pages.
        source: Where the studies come from, in words.
        parameters: With what the set is made, such as seed and size; kept in the manifest.
        shard_rows: Most studies in one shard file.

    Attributes:
        notes: JSON values to keep in the manifest, such as missing-image counts; may be filled
            while writing.

    Raises:
        FileExistsError: If `folder` exists.
        ValueError: On a study that breaks a rule, a duplicate id, a patient in two splits, a prior
            study that is not there, or (at the end) a split without a study.

    >>> import tempfile
    >>> import numpy as np
    >>> from gradtruce.data.prepared import PreparedDataset
    >>> from gradtruce.data.study import View
    >>> film = View(np.zeros((8, 8), dtype=np.uint8), "frontal")
    >>> with tempfile.TemporaryDirectory() as parent:
    ...     with PreparedWriter(Path(parent) / "set", name="tiny", source="by hand") as writer:
    ...         for split in SPLITS:
    ...             writer.add(Study(split, split, split, (film,), "Clear lungs."))
    ...     PreparedDataset.open(Path(parent) / "set").split("val")[0].report
    'Clear lungs.'
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        name: str,
        source: str,
        parameters: Mapping[str, Any] | None = None,  # any JSON value
        shard_rows: int = 4096,
    ) -> None:
        self._folder = Path(os.path.abspath(folder))  # noqa: PTH100 # resolve() would follow links
        self._temporary = (
            self._folder.parent / f".{self._folder.name}.{uuid.uuid4().hex[:8]}.partial"
        )
        self._name, self._source = name, source
        self._parameters = dict(parameters or {})
        self._shard_rows = shard_rows
        self.notes: dict[str, Any] = {}  # any JSON value
        self._made_parents: list[Path] = []
        self._open_shards: dict[Split, _Shard] = {}
        self._done_shards: list[ShardRecord] = []
        self._register = _Register()

    def __enter__(self) -> "PreparedWriter":
        """Make the temporary folder."""
        if self._folder.exists() or self._folder.is_symlink():
            raise FileExistsError(f"{self._folder} exists; remove it or give another folder")
        try:
            with _naming_target(self._folder):
                self._made_parents = [p for p in self._folder.parents if not p.exists()]
                self._folder.parent.mkdir(parents=True, exist_ok=True)
                self._temporary.mkdir()
        except BaseException:
            self._abandon()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Rename the temporary folder to its target, or remove it after an error."""
        if kind is not None:
            self._abandon()
            return
        try:
            self._finish()
        except BaseException:  # an interrupt must not leave a half either
            self._abandon()
            raise

    def add(self, study: Study) -> None:
        """Write one study.

        Raises:
            ValueError: If the study breaks a rule; the message names it and says what to do.
            OSError: If it can't be written.
        """
        row = to_row(study)
        self._register.enter(study)
        with _naming_target(self._folder):
            shard = self._open_shards.get(study.split) or self._new_shard(study.split)
            shard.add(row)
            if shard.rows == self._shard_rows:
                self._done_shards.append(self._open_shards.pop(study.split).close())

    def write_table(self, file: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Write a CSV file beside the shards, such as `missing.csv`."""
        with (
            _naming_target(self._folder),
            (self._temporary / file).open("w", encoding="utf-8", newline="") as stream,
        ):
            csv.writer(stream).writerows([header, *rows])

    def _new_shard(self, split: Split) -> "_Shard":
        number = sum(shard.split == split for shard in self._done_shards)
        shard = _Shard(self._temporary / f"{split}-{number:05d}.arrow", split)
        self._open_shards[split] = shard
        return shard

    def _finish(self) -> None:
        self._register.check()
        with _naming_target(self._folder):
            self._done_shards += [shard.close() for shard in self._open_shards.values()]
            self._manifest().write(self._temporary)
            for path in sorted(self._temporary.iterdir()):
                _flush_to_disk(path)
            _flush_to_disk(self._temporary)
            self._temporary.rename(self._folder)
            _flush_to_disk(self._folder.parent)

    def _manifest(self) -> Manifest:
        register = self._register
        return Manifest(
            schema=1,
            name=self._name,
            source=self._source,
            is_synthetic=register.is_synthetic,
            label_source="; ".join(sorted(register.label_sources)),
            splits={split: register.counts[split] for split in SPLITS},
            short_side=(min(register.short_sides), max(register.short_sides)),
            shards=tuple(sorted(self._done_shards, key=lambda s: (SPLITS.index(s.split), s.file))),
            parameters=self._parameters,
            notes=self.notes,
        )

    def _abandon(self) -> None:
        for shard in self._open_shards.values():
            shard.abandon()
        shutil.rmtree(self._temporary, ignore_errors=True)
        for parent in self._made_parents:
            with suppress(OSError):  # something else has been put there meanwhile
                parent.rmdir()


@final
class _Register:
    """What must hold over all studies: unique ids, a patient in one split, priors that exist."""

    def __init__(self) -> None:
        self.counts: dict[Split, int] = dict.fromkeys(SPLITS, 0)
        self.label_sources: set[str] = set()
        self.short_sides: set[int] = set()
        self.is_synthetic = False
        self._patient_of: dict[str, str] = {}
        self._split_of: dict[str, tuple[Split, str]] = {}
        self._priors: list[tuple[str, str]] = []

    def enter(self, study: Study) -> None:
        """Take a study in, or refuse it."""
        if study.id in self._patient_of:
            raise ValueError(f"study {study.id!r}: the id occurs twice; make ids unique")
        split, first = self._split_of.setdefault(study.patient, (study.split, study.id))
        if split != study.split:
            raise ValueError(
                f"study {study.id!r}: patient {study.patient!r} is in {study.split!r}, "
                f"but in {split!r} with study {first!r}; put all studies of a patient in one split"
            )
        self._patient_of[study.id] = study.patient
        self.counts[study.split] += 1
        self.is_synthetic |= study.is_synthetic
        self.short_sides.update(min(view.pixels.shape) for view in study.views)
        if study.labels:
            self.label_sources.add(study.label_source)
        if study.prior is not None:
            self._priors.append((study.id, study.prior))

    def check(self) -> None:
        """Refuse a set with an empty split or a prior study that is not there."""
        for study, prior in self._priors:
            if self._patient_of.get(prior) != self._patient_of[study]:
                raise ValueError(
                    f"study {study!r}: its prior {prior!r} is no study of the same patient in this "
                    "set; add that study or leave prior out"
                )
        for split, count in self.counts.items():
            if count == 0:
                raise ValueError(
                    f"split {split!r} has no study; every split needs at least one: "
                    "move studies there or use a larger source"
                )


@final
class _Shard:
    """One Arrow stream that is being written."""

    def __init__(self, path: Path, split: Split) -> None:
        self.split = split
        self.rows = 0
        self._path = path
        self._pending: list[Row] = []
        self._sink = pa.OSFile(str(path), "wb")
        self._stream = pa.ipc.new_stream(self._sink, SCHEMA)

    def add(self, row: Row) -> None:
        self.rows += 1
        self._pending.append(row)
        if len(self._pending) == _ROWS_A_BATCH:
            self._write_pending()

    def close(self) -> ShardRecord:
        self._write_pending()
        self._stream.close()
        self._sink.close()
        return ShardRecord(
            file=self._path.name,
            split=self.split,
            rows=self.rows,
            bytes=self._path.stat().st_size,
            sha256=file_sha256(self._path),
        )

    def abandon(self) -> None:
        with suppress(OSError, pa.ArrowException):  # full disk, or closed before; the file goes
            self._stream.close()
        with suppress(OSError):
            self._sink.close()

    def _write_pending(self) -> None:
        if self._pending:
            self._stream.write_batch(pa.RecordBatch.from_pylist(self._pending, schema=SCHEMA))
            self._pending = []


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal.

    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile() as empty:
    ...     file_sha256(Path(empty.name))[:8]
    'e3b0c442'
    """
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextmanager
def _naming_target(folder: Path) -> Iterator[None]:
    """Name the data set in the error of a write that failed, such as a full disk."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or " ".join(str(error).split())
        raise OSError(
            f"could not write the prepared set {folder}: {reason}; nothing of it was kept: "
            "free some space or give another folder"
        ) from error


def _flush_to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
