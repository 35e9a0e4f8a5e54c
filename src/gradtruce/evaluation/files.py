"""Files that are there whole or not at all."""

import os
from pathlib import Path


def write_whole(path: Path, text: str) -> None:
    """Write `text` to `path` so that no reader ever sees half of it.

    The text goes to a temporary file beside `path`, which then takes its place; if that fails (a
    full disk), the temporary file is removed and an older file at `path` is left as it was.

    Raises:
        OSError: If the folder is not there, or cannot be written to.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> write_whole(folder / "scores.json", "{}")
    >>> [file.name for file in folder.iterdir()]
    ['scores.json']
    """
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path} cannot be written: there is no folder {path.parent}")
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
