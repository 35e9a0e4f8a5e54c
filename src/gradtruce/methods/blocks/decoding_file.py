"""How a run generated its reports, kept beside the weights so that `predict` does the same."""

import json
from dataclasses import asdict, fields
from os import PathLike
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter, ValidationError

from gradtruce.methods.base import Decoding

FILE: Final = "decoding.json"
SCHEMA: Final = 1


def write_decoding(folder: str | PathLike[str], decoding: Decoding) -> None:
    """Write the decoding into the folder of a saved method.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_decoding(folder, Decoding(beams=1, max_tokens=80))
    ...     read_decoding(folder).max_tokens
    80
    """
    text = json.dumps({"schema": SCHEMA, **asdict(decoding)}, indent=1) + "\n"
    (Path(folder) / FILE).write_text(text, encoding="utf-8")


def read_decoding(folder: str | PathLike[str]) -> Decoding | None:
    """Return the decoding in the folder of a saved method; `None` where nothing was saved.

    Raises:
        ValueError: If the file is damaged, or of another version.
    """
    path = Path(folder) / FILE
    if not path.is_file():
        return None
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: damaged, not JSON; take another checkpoint") from error
    if not isinstance(table, dict) or table.pop("schema", None) != SCHEMA:
        raise ValueError(f"{path}: must have the schema {SCHEMA}; save the method again")
    known = [item.name for item in fields(Decoding)]
    strange = [name for name in table if name not in known]
    if strange:
        raise ValueError(f"{path}: knows no {strange[0]!r}, but {', '.join(known)}")
    try:
        decoding: Decoding = TypeAdapter(Decoding).validate_json(json.dumps(table), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ValueError(f"{path}: {where}: {first['msg']}, got {first['input']!r}") from error
    return decoding
