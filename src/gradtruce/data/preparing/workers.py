"""Worker processes that build shards: one pipe each, no locks, nothing left when one is killed."""

import os
import signal
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Final, final

from gradtruce.data.preparing.building import ShardBuilder
from gradtruce.data.preparing.plan import PlannedShard
from gradtruce.data.preparing.shards import ShardSummary

_SECONDS_BETWEEN_NEWS: Final = 0.2
_SECONDS_TO_STOP: Final = 20.0


class _Stopped(Exception):  # noqa: N818 # no error: the run ended, and this shard with it
    """The parent has closed the pipe, or is gone."""


@final
@dataclass(frozen=True, slots=True)
class _Failed:
    error: Exception


_News = int | ShardSummary | _Failed
"""What a worker says: studies done since the last word, a finished shard, or why it failed."""


def build_all(
    builder: ShardBuilder,
    shards: Sequence[PlannedShard],
    workers: int,
    tell: Callable[[int], None],
) -> list[ShardSummary]:
    """Build shards and return their summaries, in the order of the shards.

    One worker is this process itself; more are processes that are started anew (a script needs
    `if __name__ == "__main__":`). They end within one study when this one fails or is killed.

    Args:
        builder: Builds one shard.
        shards: What to build.
        workers: How many at once, at least 1.
        tell: Called now and then with the number of studies done since the last call.

    Raises:
        ProblemError: On the first problem, if the builder stops on errors.
        OSError: If a shard can't be written.
        ChildProcessError: If a worker process died.
    """
    if workers == 1:
        return [builder.build(shard, tell) for shard in shards]
    todo = iter(enumerate(shards))
    summaries: dict[int, ShardSummary] = {}
    with _started(builder, min(workers, len(shards))) as processes:
        busy: dict[Connection, int] = {}
        for connection in processes:
            _give_next(connection, todo, busy)
        while busy:
            for ready in wait(list(busy), timeout=5 * _SECONDS_BETWEEN_NEWS):
                if not isinstance(ready, Connection):
                    raise TypeError(f"a pipe to a worker must be a Connection, got {ready!r}")
                news = _received(ready, processes[ready])
                if isinstance(news, int):
                    tell(news)
                    continue
                if isinstance(news, _Failed):
                    raise news.error
                summaries[busy.pop(ready)] = news
                _give_next(ready, todo, busy)
            tell(0)
    return [summaries[place] for place in range(len(shards))]


@contextmanager
def _started(builder: ShardBuilder, count: int) -> Iterator[dict[Connection, BaseProcess]]:
    """Start workers; closing their pipes ends them."""
    context = get_context("spawn")  # a fork would copy threads and whatever the caller has loaded
    processes: dict[Connection, BaseProcess] = {}
    try:
        for _ in range(count):
            ours, theirs = context.Pipe()
            process: BaseProcess = context.Process(
                target=_work, args=(theirs, builder), daemon=True
            )
            process.start()
            theirs.close()
            processes[ours] = process
        yield processes
    finally:
        for connection in processes:
            connection.close()
        deadline = time.monotonic() + _SECONDS_TO_STOP
        for process in processes.values():
            process.join(max(0.1, deadline - time.monotonic()))
            if process.is_alive():
                process.terminate()
                process.join()


def _give_next(
    connection: Connection,
    todo: Iterator[tuple[int, PlannedShard]],
    busy: dict[Connection, int],
) -> None:
    following = next(todo, None)
    if following is not None:
        place, shard = following
        busy[connection] = place
        with suppress(BrokenPipeError):  # it died; reading from the pipe tells
            connection.send(shard)


def _received(connection: Connection, process: BaseProcess) -> _News:
    try:
        news: _News = connection.recv()
    except (EOFError, ConnectionResetError):
        process.join(_SECONDS_TO_STOP)
        code = process.exitcode
        how = f"signal {-code}" if code is not None and code < 0 else f"exit status {code}"
        raise ChildProcessError(
            f"a worker process died ({how}): out of memory, or a decoder that crashed; a script "
            "that prepares with several workers also needs: if __name__ == '__main__'"
        ) from None
    return news


def _work(connection: Connection, builder: ShardBuilder) -> None:
    """Build one shard after the other until the pipe is closed: the main function of a worker."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent gets it too, and closes the pipe
    news = _Pacer(connection)
    with suppress(EOFError, BrokenPipeError, ConnectionResetError, _Stopped):
        while True:
            shard: PlannedShard = connection.recv()
            try:
                summary = builder.build(shard, news.tell)
            except _Stopped:
                raise
            except Exception as error:  # it is raised again in the parent
                connection.send(_Failed(_portable(error)))
                return
            news.flush()
            connection.send(summary)


@final
class _Pacer:
    """Sends the number of studies done, a few times a second."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._done = 0
        self._due = time.monotonic() + _SECONDS_BETWEEN_NEWS

    def tell(self, studies: int) -> None:
        """Count studies; raise `_Stopped` if the parent listens no more."""
        self._done += studies
        if time.monotonic() >= self._due:
            self.flush()
            self._due = time.monotonic() + _SECONDS_BETWEEN_NEWS
            if self._connection.poll():  # it sends nothing meanwhile: the pipe is closed
                raise _Stopped

    def flush(self) -> None:
        """Send what has been counted."""
        if self._done:
            try:
                self._connection.send(self._done)
            except OSError:
                raise _Stopped from None
            self._done = 0


def _portable(error: Exception) -> Exception:
    """Return an error that survives the pipe: itself, or its words."""
    if type(error).__module__ == "builtins" or type(error).__module__.startswith("gradtruce."):
        error.add_note("".join(traceback.format_exception(error)))
        return error
    return RuntimeError("".join(traceback.format_exception(error)))


def available_cores() -> int:
    """Return how many cores this process may use.

    >>> available_cores() >= 1
    True
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
