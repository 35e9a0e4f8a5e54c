"""One run of `gradtruce prepare`: the bar, what stopped it, and what came of it."""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, final

if TYPE_CHECKING:
    from gradtruce.data.prepared_manifest import Manifest
    from gradtruce.data.preparing.pipeline import Progress


@final
class Stopped(Exception):  # noqa: N818 # no error: the user wanted it
    """The user interrupted a run; the message says what is kept."""


def run_prepare(folder: Path, make: "Callable[[Progress], Manifest]") -> None:
    """Make a set under a progress bar and say what came of it.

    Args:
        folder: The prepared data set.
        make: Makes it, given what to call with the progress.

    Raises:
        Stopped: If the user interrupts.
        ValueError: As `make` does; on a problem that can be skipped, it says how.
    """
    from gradtruce.cli.bar import Bars, Pace
    from gradtruce.data.preparing.problems import ProblemError

    try:
        with Bars() as bars:
            if bars.is_drawn:
                bars.show(folder.name, 0.0, None, "listing studies")
            manifest = make(Pace(bars, folder.name).tell)
    except ProblemError as error:
        raise ValueError(
            f"{error} (to leave out and list what can't be used: --on-error skip)"
        ) from error
    except KeyboardInterrupt as stop:
        kept = next(iter(getattr(stop, "__notes__", ())), "give the same command again to go on")
        raise Stopped(f"interrupted; {kept}") from None
    for line in _summary(folder, manifest):
        print(line)


def _summary(folder: Path, manifest: "Manifest") -> "Iterator[str]":
    from gradtruce.data.preparing.problems import PROBLEMS, read_problems

    if "summary" in manifest.notes:
        yield str(manifest.notes["summary"])
    problems = read_problems(folder)
    if problems:
        yield f"problems: {len(problems):,}, each listed in {folder / PROBLEMS}"
    for kind, count in manifest.problems.items():
        became = Counter(problem.action for problem in problems if problem.kind == kind)
        actions = ", ".join(f"{action} {times:,}" for action, times in became.items())
        yield f"  {count:,} {kind} ({actions})"
    counts = ", ".join(f"{split} {count:,}" for split, count in manifest.splits.items())
    kind = "synthetic studies" if manifest.is_synthetic else "studies"
    yield f"done: {folder}: {sum(manifest.splits.values()):,} {kind} ({counts})"
    yield f"card: {folder / 'card.html'}"
