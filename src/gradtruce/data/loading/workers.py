"""Reads batches ahead in other processes, and gives them back in order."""

import multiprocessing
from collections.abc import Iterator, Sequence
from typing import Any, final

import torch
from torch.utils.data import DataLoader, Dataset

from gradtruce.data.loading.reader import GreyBatch, Request, StudyReader, StudyReadError


@final
class Workers:
    """Processes that read batches; they start at the first epoch and stay until `close`.

    Args:
        reader: Copied to every process.
        count: How many processes; 0 reads in this one.
        prefetch: Batches that each process reads ahead.
        start_method: How a process starts: "fork", "spawn" or "forkserver"; `None` is the
            platform's way.
        pin: Whether the batches come in page-locked memory.

    Raises:
        ValueError: If a number is out of its range, or the platform has no such way to start.
    """

    def __init__(
        self,
        reader: StudyReader,
        count: int,
        *,
        prefetch: int = 2,
        start_method: str | None = None,
        pin: bool = False,
    ) -> None:
        ways = multiprocessing.get_all_start_methods()
        if start_method is not None and start_method not in ways:
            raise ValueError(f"start_method must be one of {', '.join(ways)}, got {start_method!r}")
        if count < 0:
            raise ValueError(f"workers must be at least 0, got {count}")
        if prefetch < 1:
            raise ValueError(f"prefetch must be at least 1, got {prefetch}")
        self._reader, self._count, self._pin = reader, count, pin
        self._prefetch, self._start_method = prefetch, start_method
        self._plan = _Plan()
        self._loader: DataLoader[GreyBatch | StudyReadError] | None = None
        self._turn = 0

    def read(self, requests: Sequence[Request]) -> Iterator[GreyBatch]:
        """Yield the batch of every request, in order.

        Raises:
            StudyReadError: If a study can't be read.
            RuntimeError: If a process dies, or another epoch was begun meanwhile.
        """
        if self._count == 0:
            for request in requests:
                batch = self._reader.read(request)
                yield batch.pin_memory() if self._pin else batch
            return
        self._turn += 1
        turn = self._turn
        try:
            batches = self._started(requests)
            for _ in requests:
                yield self._next(batches, turn)
        except GeneratorExit:  # left early: the processes stay for the next epoch
            raise
        except BaseException:  # an interrupt must not leave processes either
            if turn == self._turn:
                self.close()
            raise

    def close(self) -> None:
        """End the processes; the next epoch starts new ones."""
        loader, self._loader = self._loader, None
        running = getattr(loader, "_iterator", None)
        if running is not None:
            running._shutdown_workers()  # torch has no public way to end them now

    def _started(self, requests: Sequence[Request]) -> Iterator[GreyBatch | StudyReadError]:
        self._plan.requests = requests
        if self._loader is None:
            self._loader = DataLoader(
                _Readings(self._reader),
                batch_size=None,
                sampler=self._plan,
                num_workers=self._count,
                prefetch_factor=self._prefetch,
                persistent_workers=True,
                multiprocessing_context=self._start_method,
                pin_memory=self._pin,
                generator=torch.Generator(),  # else the global generator moves on by an epoch
            )
        return iter(self._loader)

    def _next(self, batches: Iterator[GreyBatch | StudyReadError], turn: int) -> GreyBatch:
        if turn != self._turn:
            raise RuntimeError(
                "a new epoch of this loader was begun while this one was read; with workers a "
                "loader serves one epoch at a time: make a second loader, or set workers to 0"
            )
        try:
            read = next(batches)
        except RuntimeError as error:
            if "DataLoader worker" not in str(error):
                raise
            raise RuntimeError(
                f"a worker process of the loader died ({_one_line(error)}); most often the memory "
                "ran out: lower the number of workers or prefetch, or set workers to 0"
            ) from error
        if isinstance(read, StudyReadError):
            raise read
        return read


@final
class _Plan:
    """The requests of the epoch that is next; torch asks for them anew every epoch."""

    requests: Sequence[Request] = ()

    def __iter__(self) -> Iterator[Request]:
        return iter(self.requests)

    def __len__(self) -> int:
        return len(self.requests)


@final
class _Readings(Dataset[Any]):  # of batches or errors; torch's own types are loose here
    """What a process answers to a request: a batch, or why there is none."""

    def __init__(self, reader: StudyReader) -> None:
        self._reader = reader

    def __getitem__(self, request: Request) -> GreyBatch | StudyReadError:
        try:
            return self._reader.read(request)
        except StudyReadError as error:  # sent, not raised: torch would wrap it in its traceback
            return StudyReadError(error.row, error.reason)


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()).rstrip(".")
