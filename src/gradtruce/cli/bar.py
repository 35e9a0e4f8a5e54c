"""Progress bars with the time left."""

import time
from types import TracebackType
from typing import final

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

QUIET_SECONDS = 15.0
TOO_EARLY = 0.02
"""Share of the work below which its time left is a guess: starting the processes weighs more."""


@final
class Bars:
    """Bars on standard error, one a name; a line now and then where that is no terminal.

    Used as a context manager.
    """

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=32),
            TextColumn("{task.percentage:>3.0f}%"),
            TextColumn("{task.fields[left]}"),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._tasks: dict[str, TaskID] = {}
        self._last_line: dict[str, tuple[str, float]] = {}  # and when the next one is due

    def __enter__(self) -> "Bars":
        """Start drawing."""
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop drawing."""
        self._progress.stop()

    @property
    def is_drawn(self) -> bool:
        """Whether there is a terminal to draw on."""
        return self._console.is_terminal

    def show(self, name: str, share: float, seconds_left: float | None, phase: str = "") -> None:
        """Move the bar of a name.

        Args:
            name: What the bar is for.
            share: From 0 to 1.
            seconds_left: Time left, where known.
            phase: What is being done now.
        """
        description = f"{name}: {phase}" if phase else name
        left = "" if seconds_left is None or share >= 1 else f"{clock(seconds_left)} left"
        if self._progress.disable:
            line = f"{description} {share:4.0%} {left}".rstrip()
            self._print_line(name, line, is_full=share >= 1)
            return
        if name not in self._tasks:
            self._tasks[name] = self._progress.add_task(description, total=1.0, left=left)
        self._progress.update(
            self._tasks[name], completed=share, description=description, left=left
        )

    def hide(self, name: str) -> None:
        """Take the bar of a name away, where it is drawn."""
        if name in self._tasks:
            self._progress.remove_task(self._tasks.pop(name))

    def say(self, text: str) -> None:
        """Print a line above the bars."""
        self._console.print(text, markup=False, highlight=False)

    def _print_line(self, name: str, line: str, *, is_full: bool) -> None:
        """Print a line every 15 seconds, and each that says 100 % once."""
        now = time.monotonic()
        last, due = self._last_line.get(name, ("", now))
        if line == last if is_full else now < due:
            return
        self._last_line[name] = (line, now + QUIET_SECONDS)
        self._console.print(line, markup=False, highlight=False)


@final
class Pace:
    """Turns "so many of so many" into a bar with the time left.

    Args:
        bars: Where it is drawn.
        name: What the bar is for.
    """

    def __init__(self, bars: Bars, name: str) -> None:
        self._bars, self._name = bars, name
        self._first: tuple[int, float] | None = None  # how many were done before, and when

    def tell(self, done: int, total: int) -> None:
        """Show that `done` of `total` are done; the first call says how many were done before."""
        now = time.monotonic()
        before, start = self._first = self._first or (done, now)
        own, rest = done - before, total - done
        left = (now - start) * rest / own if own and own >= TOO_EARLY * (own + rest) else None
        number = f"{done:>{len(f'{total:,}')},} of {total:,}"
        self._bars.show(self._name, done / total if total else 0.0, left, number)


def clock(seconds: float) -> str:
    """Return a duration as minutes and seconds.

    >>> clock(125.0)
    '2:05'
    """
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def quieten_transformers() -> None:
    """Keep the bars of `transformers` for saving and loading from between our own."""
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # of transformers
