"""The folder of a saved method: as it was saved, where that can be told."""

from pathlib import Path
from typing import Final

from gradtruce.manifest import FILE, damage

TRAINER_FILE: Final = "trainer.pt"
"""What a run keeps beside a method to go on from; a method is read without it."""


def require_whole(folder: Path) -> None:
    """Refuse a saved method of which a file is not as it was saved.

    Checkpoints and what `gradtruce convert` makes have a manifest with the hash of every file. A
    folder without one, such as `save_pretrained` alone or an older version writes, is taken as it
    is.

    Raises:
        ValueError: If a file is missing or changed, or the manifest itself is damaged.
        OSError: If a file can't be read.

    >>> import tempfile
    >>> from gradtruce.manifest import write_folder
    >>> with tempfile.TemporaryDirectory() as parent:
    ...     folder = Path(parent) / "saved"
    ...     write_folder(folder, [lambda to: (to / "config.json").write_text("{}", "utf-8")])
    ...     require_whole(folder)
    ...     _ = (folder / "config.json").write_text("{ }", "utf-8")
    ...     require_whole(folder)
    Traceback (most recent call last):
    ValueError: ...saved is damaged: config.json has 3 bytes, not 2; copy it again, or resume ...
    """
    if not (folder / FILE).is_file():
        return
    if reason := damage(folder, without=(TRAINER_FILE,)):
        raise ValueError(
            f"{folder} is damaged: {reason}; copy it again, or resume the run that made it; if you "
            f"changed a file yourself, remove {FILE}"
        )
