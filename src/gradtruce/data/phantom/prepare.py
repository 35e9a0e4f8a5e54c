"""A phantom as a prepared data set."""

from collections.abc import Callable
from pathlib import Path

from gradtruce.data.phantom.generate import generate
from gradtruce.data.phantom.level import LevelName
from gradtruce.data.prepared import PreparedDataset, PreparedWriter
from gradtruce.data.prepared_manifest import Manifest


def prepare_phantom(
    folder: str | Path,
    *,
    level: LevelName = "standard",
    studies: int = 2000,
    size: int = 128,
    seed: int = 0,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Manifest:
    """Write synthetic studies as a prepared data set and return its manifest.

    Args:
        folder: The prepared data set; must not exist.
        level: How hard it is: "easy", "standard" or "hard".
        studies: How many, over all splits.
        size: Height and width of the views in pixels.
        seed: Of patients, findings, images and wording.
        workers: Processes that draw; their number changes nothing in the set.
        progress: Called after every study with how many are done and how many there will be.

    Raises:
        FileExistsError: If `folder` exists.
        ValueError: If a number is out of its range, or there are too few studies for three splits.
        OSError: If the set can't be written.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as parent:
    ...     made = prepare_phantom(Path(parent) / "set", studies=60, size=48)
    ...     made.is_synthetic, sum(made.splits.values())
    (True, 60)
    """
    drawn = generate(level, studies, size=size, seed=seed, workers=workers)
    parameters = {"level": level, "studies": studies, "size": size, "seed": seed}
    source = "synthetic: drawn and written by gradtruce, no patient has been seen"
    with PreparedWriter(folder, name="phantom", source=source, parameters=parameters) as writer:
        for done, study in enumerate(drawn, start=1):
            writer.add(study)
            if progress is not None:
                progress(done, studies)
    return PreparedDataset.open(folder).manifest
