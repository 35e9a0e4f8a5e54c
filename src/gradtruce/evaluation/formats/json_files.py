"""JSON and JSON Lines files, with errors that say where."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from gradtruce.evaluation.formats.texts import read_text


def json_lines(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each object of a JSON Lines file, after a name of its place for messages.

    Blank lines are passed over. Only a line feed ends a line: U+2028 may stand in a text.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is no text, or a line is no JSON object or gives a field twice.

    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "reports.jsonl"
    >>> _ = file.write_text('{"id": "s1"}')
    >>> [fields for _, fields in json_lines(file)]
    [{'id': 's1'}]
    """
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if line.strip():
            where = f"{path}, line {number}"
            yield where, parse_object(line, where)


def parse_object(line: str, where: str) -> dict[str, Any]:
    """Return the JSON object that a line holds.

    Raises:
        ValueError: If it holds something else; the message says where.

    >>> parse_object('{"id": "s1"}', "p.jsonl, line 1")
    {'id': 's1'}
    """
    try:
        fields = json.loads(line, object_pairs_hook=_without_repeats)
    except (json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"{where}: not JSON ({error}); expected one object a line") from None
    except _RepeatedKeyError as error:
        raise ValueError(f"{where}: field {error.key!r} is given twice; keep one") from None
    if not isinstance(fields, dict):
        found = type(fields).__name__
        raise ValueError(f"{where}: expected a JSON object, found {found}")  # noqa: TRY004 # a file's content
    return fields


def read_json(path: Path) -> Any:  # whatever a JSON file holds
    """Return what a JSON file holds; a key that comes twice in an object is an error.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is no text or not JSON, or an object has a key twice (an id of two
            studies, where ids are keys).

    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "predictions.json"
    >>> _ = file.write_text('{"s1": "clear .", "s1": "clear ."}')
    >>> read_json(file)
    Traceback (most recent call last):
    ValueError: ...predictions.json: key 's1' comes twice; every study may come once
    """
    try:
        return json.loads(read_text(path), object_pairs_hook=_without_repeats)
    except (json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"{path}: not JSON ({error})") from None
    except _RepeatedKeyError as error:
        message = f"{path}: key {error.key!r} comes twice; every study may come once"
        raise ValueError(message) from None


def text_field(fields: Mapping[str, object], name: str, where: str) -> str:
    """Return a field that must be there and be text.

    Raises:
        ValueError: If it is missing or something else; the message says where.

    >>> text_field({"id": "s1"}, "id", "p.jsonl, line 1")
    's1'
    """
    if name not in fields:
        raise ValueError(f"{where}: field {name!r} is missing; found {sorted(fields)}")
    value = fields[name]
    if not isinstance(value, str):
        message = f"{where}: field {name!r} must be text in quotes, found {value!r:.80}"
        raise ValueError(message)  # noqa: TRY004 # a file's content
    return value


class _RepeatedKeyError(Exception):
    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        ((key, _),) = Counter(key for key, _ in pairs).most_common(1)
        raise _RepeatedKeyError(key)
    return fields
