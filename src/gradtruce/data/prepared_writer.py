"""Write a prepared data set: all of it appears at the end, or nothing."""

import csv
import os
import shutil
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, final

from gradtruce.data.prepared_manifest import Manifest
from gradtruce.data.prepared_schema import to_row
from gradtruce.data.preparing.disk import file_sha256, flush_to_disk
from gradtruce.data.preparing.shards import ShardSummary, ShardWriter, shard_name
from gradtruce.data.preparing.summing import manifest_of
from gradtruce.data.study import SPLITS, Split, Study

__all__ = ["PreparedWriter", "file_sha256"]


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
        self._open_shards: dict[Split, ShardWriter] = {}
        self._done_shards: list[ShardSummary] = []
        self._shards_of: dict[Split, int] = dict.fromkeys(SPLITS, 0)
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
            shard.add(study, row)
            if shard.rows == self._shard_rows:
                self._done_shards.append(self._open_shards.pop(study.split).close())

    def write_table(self, file: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Write a CSV file beside the shards, such as `missing.csv`."""
        with (
            _naming_target(self._folder),
            (self._temporary / file).open("w", encoding="utf-8", newline="") as stream,
        ):
            csv.writer(stream).writerows([header, *rows])

    def _new_shard(self, split: Split) -> ShardWriter:
        number = self._shards_of[split]
        self._shards_of[split] += 1
        shard = ShardWriter(self._temporary / shard_name(split, number), split)
        self._open_shards[split] = shard
        return shard

    def _finish(self) -> None:
        self._register.check()
        with _naming_target(self._folder):
            self._done_shards += [shard.close() for shard in self._open_shards.values()]
            self._manifest().write(self._temporary)
            for path in sorted(self._temporary.iterdir()):
                flush_to_disk(path)
            flush_to_disk(self._temporary)
            self._temporary.rename(self._folder)
            flush_to_disk(self._folder.parent)

    def _manifest(self) -> Manifest:
        return manifest_of(
            self._done_shards,
            name=self._name,
            source=self._source,
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
