"""A phantom as a prepared data set."""

from collections.abc import Callable, Sequence
from pathlib import Path

from gradtruce.data.phantom.follow_ups import FOLLOW_UPS, checked_follow_ups
from gradtruce.data.phantom.level import LevelName
from gradtruce.data.phantom.source import Phantom
from gradtruce.data.prepared_manifest import Manifest
from gradtruce.data.preparing.pipeline import prepare
from gradtruce.data.sources.base import Settings


def prepare_phantom(
    folder: str | Path,
    *,
    level: LevelName = "standard",
    studies: int = 2000,
    size: int = 128,
    seed: int = 0,
    follow_ups: Sequence[float] = FOLLOW_UPS,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
    say: Callable[[str], None] | None = None,
) -> Manifest:
    """Write synthetic studies as a prepared data set and return its manifest.

    Args:
        folder: The prepared data set; one that was made with the same arguments stays as it is.
        level: How hard it is: "easy", "standard" or "hard".
        studies: How many, over all splits.
        size: Height and width of the views in pixels.
        seed: Of patients, findings, images and wording.
        follow_ups: Shares of the patients that have no, one, two … studies after their first,
            together 1; methods that compare a study with its prior one learn from these.
        workers: Processes that draw; their number changes nothing in the set.
        progress: Called with how many studies are done and how many there will be.
        say: Called with what is worth telling, such as that the set is up to date.

    Raises:
        FileExistsError: If `folder` exists and is another set.
        ValueError: If a number is out of its range, or there are too few studies for three splits.
        OSError: If the set can't be written.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as parent:
    ...     made = prepare_phantom(Path(parent) / "set", studies=60, size=48)
    ...     made.is_synthetic, sum(made.splits.values())
    (True, 60)
    """
    return prepare(
        Phantom(level, studies, size=size, seed=seed, follow_ups=checked_follow_ups(follow_ups)),
        folder,
        settings=Settings(short_side=size),
        workers=workers,
        progress=progress,
        say=say,
    )
