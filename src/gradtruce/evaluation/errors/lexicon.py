"""The words of the error report card, compiled."""

import hashlib
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final, final

from gradtruce.evaluation.errors.statement import Statement

Pattern = re.Pattern[str]

_NOT_STATED: Final = 3
_HIDDEN: Final = "hidden"


@final
@dataclass(frozen=True, eq=False)
class Words:
    """Lists of words by meaning, and what only looks like them.

    Attributes:
        lists: Pattern of each meaning, in the order of the file.
        hidden: What is passed over.
    """

    lists: Mapping[str, Pattern]
    hidden: Pattern | None

    def meanings(self, text: str) -> list[str]:
        """Return every meaning that has a word in the text, in the order of the lists."""
        clean = self.hidden.sub(" ", text) if self.hidden else text
        return [meaning for meaning, pattern in self.lists.items() if pattern.search(clean)]

    def first(self, text: str) -> str | None:
        """Return the first meaning that has a word in the text."""
        return next(iter(self.meanings(text)), None)


@final
@dataclass(frozen=True, eq=False)
class Lexicon:
    """The word file; it says what each list means.

    Attributes:
        version: Version of the word file.
        sha256: Its hash, in hexadecimal.
        attributes: Observations by the attribute that has a meaning for them.
        sides: Words of a side.
        implied_sides: Words of what lies on one side only.
        zones: Words of a zone.
        degrees: One pattern of all degrees, with a group for each list.
        not_degrees: What only looks like a degree.
        changes: Words of comparison.
        devices: Words of each kind of device.
        scopes: What parts one finding's words from the next one's.
        levels: Levels of significance, lowest first.
        serious: Level from which on an error is serious.
        significance: Level of each observation: mild, moderate, severe, not stated.
        device_significance: Level of each kind of device.

    >>> load_lexicon().sides.meanings("bibasilar")
    ['left', 'right']
    """

    version: int
    sha256: str
    attributes: Mapping[str, frozenset[str]]
    sides: Words
    implied_sides: Words
    zones: Words
    degrees: Pattern
    not_degrees: Pattern
    changes: Words
    devices: Words
    scopes: Mapping[str, Pattern]
    levels: tuple[str, ...]
    serious: str
    significance: Mapping[str, Sequence[str]]
    device_significance: Mapping[str, str]

    @property
    def identity(self) -> str:
        """Return version and hash, as kept with every score."""
        return f"error card words {self.version} (sha256 {self.sha256})"

    def severities(self, text: str) -> tuple[int, ...]:
        """Return the degrees stated in a text.

        >>> load_lexicon().severities("small to moderate left")
        (1, 2)
        """
        clean = self.not_degrees.sub(" ", text)
        found = {int(digit) for one in self.degrees.finditer(clean) for digit in _group(one)}
        return tuple(sorted(found))

    def significance_of(self, statement: Statement) -> str:
        """Return how much an error about this finding matters.

        Of several degrees the highest counts.

        >>> load_lexicon().significance_of(Statement("Pneumothorax", severities=(1,)))
        'actionable'
        """
        if statement.observation == "Support Devices":
            return self.device_significance[statement.device or ""]
        degree = max(statement.severities) - 1 if statement.severities else _NOT_STATED
        return self.significance[statement.observation][degree]

    def is_serious(self, level: str) -> bool:
        """Return whether a level makes a false or missing finding serious.

        >>> load_lexicon().is_serious("not actionable")
        False
        """
        return self.levels.index(level) >= self.levels.index(self.serious)


@cache
def load_lexicon() -> Lexicon:
    """Return the words shipped with the package.

    >>> load_lexicon().version
    2
    """
    data = files("gradtruce.evaluation.errors").joinpath("lexicon.toml").read_bytes()
    tables: dict[str, Any] = tomllib.loads(data.decode("utf-8"))
    degrees = tables["severities"]
    return Lexicon(
        version=tables["version"],
        sha256=hashlib.sha256(data).hexdigest(),
        attributes={name: frozenset(those) for name, those in tables["attributes"].items()},
        sides=_words(tables["sides"]),
        implied_sides=_words(tables["implied_sides"]),
        zones=_words(tables["zones"]),
        degrees=_one_of_each(degrees),
        not_degrees=_compile(degrees[_HIDDEN]),
        changes=_words(tables["changes"]),
        devices=_words(tables["devices"]),
        scopes={name: _compile(those) for name, those in tables["scopes"].items()},
        levels=tuple(tables["significance"]["levels"]),
        serious=tables["significance"]["serious"],
        significance=tables["significance"]["findings"],
        device_significance=tables["significance"]["devices"],
    )


def _words(table: Mapping[str, Sequence[str]]) -> Words:
    lists = {name: _compile(those) for name, those in table.items() if name != _HIDDEN}
    return Words(lists, _compile(table[_HIDDEN]) if _HIDDEN in table else None)


def _one_of_each(table: Mapping[str, Sequence[str]]) -> Pattern:
    groups = [f"(?P<_{name}>{'|'.join(those)})" for name, those in table.items() if name != _HIDDEN]
    return re.compile(rf"\b(?:{'|'.join(groups)})(?![\w-])")


def _group(match: re.Match[str]) -> str:
    return (match.lastgroup or "").strip("_")


def _compile(patterns: Sequence[str]) -> Pattern:
    return re.compile(rf"\b(?:{'|'.join(patterns)})(?!\w)")
