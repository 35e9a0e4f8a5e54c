"""A search whose answers are kept beside the bank, so that a large one is searched once."""

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Final, final

import numpy as np
import torch
from jaxtyping import Int

from gradtruce.data.retrieval.bank_file import RetrievalFile
from gradtruce.data.retrieval.neighbours import Neighbours
from gradtruce.files import write_whole

LEAST: Final = 10**8
"""Pairs of study and report from which on an answer is kept: about a second's search of one core.

A training split of 10,000 studies is as many; that of MIMIC-CXR 7 · 10¹⁰."""

SCHEMA: Final = 1
"""To be raised when a search would find other rows, or the file another form."""

_DTYPE: Final = np.dtype("<i4")


@final
class KeptSearch:
    """Searches a bank, and keeps what takes long to find.

    An answer is an npy file beside the bank, rows × neighbours, named by a hash of the bank's file,
    the studies and the number of neighbours: another bank or split is another file, so none is
    ever out of date. It is written whole or not at all, and mapped when it is read. In a folder
    that can't be written to nothing is kept. Answers of a processor and of a GPU may differ where
    two reports nearly tie; the one that is there first counts.

    Args:
        path: Of the bank's file.
        file: Its content.
        least: Pairs of study and report from which on an answer is kept.

    Attributes:
        file: The bank's file.

    >>> import tempfile
    >>> from gradtruce.data.retrieval.bank import RetrievalBank
    >>> bank = RetrievalBank(["a", "b", "c"], torch.eye(3))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "bank.safetensors"
    ...     RetrievalFile(bank, ("a", "x"), torch.eye(3)[:2], "by hand").write(path)
    ...     search = KeptSearch(path, RetrievalFile.read(path), least=1)
    ...     search.neighbours(["a", "x"], 1).rows.tolist(), len(list(Path(folder).glob("*.npy")))
    ([[1], [1]], 1)
    """

    def __init__(self, path: Path, file: RetrievalFile, *, least: int = LEAST) -> None:
        self.file = file
        self._path, self._least = path, least

    def neighbours(
        self,
        studies: Sequence[str],
        count: int,
        device: torch.device | str = "cpu",
        progress: Callable[[int, int], None] | None = None,
    ) -> Neighbours:
        """Return the neighbours of some studies, none of which finds itself.

        Args:
            studies: Ids.
            count: How many neighbours each has.
            device: Where they are searched, unless they are known.
            progress: Told how many studies of how many have theirs, where that takes long.

        Raises:
            ValueError: If a study has no query, the bank has too few reports, or a kept answer is
                damaged.
            OSError: If an answer can't be written, as on a full disk.
        """
        if len(studies) * len(self.file.bank) < self._least:
            return Neighbours.of(self.file, studies, count, device)
        answer = self.answer(studies, count)
        if answer.is_file():
            return Neighbours(self.file.bank, _read(answer, (len(studies), count)))
        found = Neighbours.of(self.file, studies, count, device, progress)
        if os.access(answer.parent, os.W_OK):
            _write(answer, found.rows)
        return found

    def answer(self, studies: Sequence[str], count: int) -> Path:
        """Return the file of an answer, whether it is there or not."""
        asked = json.dumps([SCHEMA, self._digest, count, list(studies)])
        name = hashlib.blake2b(asked.encode(), digest_size=8).hexdigest()
        return self._path.with_name(f"{self._path.name}.neighbours-{name}.npy")

    @cached_property
    def _digest(self) -> str:
        with self._path.open("rb") as stream:
            return hashlib.file_digest(stream, "blake2b").hexdigest()


def _read(path: Path, shape: tuple[int, int]) -> Int[torch.Tensor, "studies neighbours"]:
    try:
        rows = np.load(path, mmap_mode="c")  # torch wants pages that could be written to
    except (ValueError, EOFError) as error:
        raise ValueError(f"{path}: damaged ({error}); remove it, it is made again") from None
    if rows.shape != shape or rows.dtype != _DTYPE:
        raise ValueError(
            f"{path}: damaged, {shape[0]} rows of {shape[1]} whole numbers were expected; remove "
            "it, it is made again"
        )
    return torch.from_numpy(rows)


def _write(path: Path, rows: Int[torch.Tensor, "studies neighbours"]) -> None:
    stream = BytesIO()
    np.save(stream, rows.cpu().numpy().astype(_DTYPE))
    write_whole(path, stream.getvalue())
