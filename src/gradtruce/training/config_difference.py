"""In which settings two configurations differ, wherever their files lie."""

from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any

from gradtruce.training.config_file import PATHS

Table = Mapping[str, Any]


def differences(one: Table, other: Table) -> dict[str, tuple[object, object]]:
    """Return the settings in which two configurations differ, with both values.

    Files and data sets are compared by their names alone, so a run that was moved with its data
    does not differ from what it was; saved methods, all of whose folders are called `best`, by
    their whole paths.

    Args:
        one: As config.toml has it.
        other: As config.toml has it.

    >>> differences({"data": {"path": "/here/set"}, "training": {"steps": 400}},
    ...             {"data": {"path": "/there/set"}, "training": {"steps": 800}})
    {'training.steps': (400, 800)}
    """
    first, second = dict(_settings(one)), dict(_settings(other))
    return {
        key: (first.get(key), second.get(key))
        for key in dict.fromkeys((*first, *second))
        if first.get(key) != second.get(key)
    }


def told(found: Mapping[str, tuple[object, object]], most: int = 3) -> str:
    """Return the first of some differences in words: what is, and what should be.

    >>> told({"training.steps": (300, 400), "training.clip.limit": (None, 5.0)})
    'training.steps is 300, not 400; training.clip.limit is unset, not 5.0'
    """
    shown = list(found.items())[:most]
    return "; ".join(f"{key} is {_text(one)}, not {_text(other)}" for key, (one, other) in shown)


def _settings(table: Table, place: str = "") -> Iterator[tuple[str, object]]:
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from _settings(value, f"{place}{name}.")
        elif value and name in PATHS.get(place.removesuffix("."), ()):
            given = [value] if isinstance(value, str) else value
            yield f"{place}{name}", [_name(path, is_data=place == "data.") for path in given]
        elif value is not None:
            yield f"{place}{name}", value


def _name(path: str, *, is_data: bool) -> str:
    return PurePath(path).name if is_data or PurePath(path).suffix else path


def _text(value: object) -> str:
    return "unset" if value is None else repr(value)
