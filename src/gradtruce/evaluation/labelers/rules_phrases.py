"""The phrase file of the rule-based labeler, compiled, with or without the original's quirks."""

import hashlib
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

Pattern = re.Pattern[str]
Table = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Phrases:
    """Compiled phrases; the file says what each list means.

    Attributes:
        version: Version of the phrase file.
        sha256: Hash of the phrase file, in hexadecimal.
        mentions: Names of findings, by observation.
        organs: Names of what may be normal, by observation.
        unmentions: What only looks like a mention, by observation.
        others: What bars No Finding without being one of the observations.
        not_others: What only looks like that.
        scopes: Boundaries and triggers of negation and doubt, by list name.
        heart_failure: What makes a large heart likely.
        described: What is said of an organ, by "enlarged", "normal", "unsure" and "unchanged".
        doubts_unchanged: Observations whose organ is uncertain where it is only called unchanged.
    """

    version: int
    sha256: str
    mentions: Mapping[str, Pattern]
    organs: Mapping[str, Pattern]
    unmentions: Mapping[str, Pattern]
    others: Pattern
    not_others: Pattern
    heart_failure: Pattern
    scopes: Mapping[str, Pattern]
    described: Mapping[str, Pattern]
    doubts_unchanged: frozenset[str]


@cache
def load_phrases(compat: bool = False) -> Phrases:
    """Return the phrases shipped with the package.

    Args:
        compat: Whether to misread what the original labeler misreads: the table `compat` is added
            to the lists, and the table `fixes` is left out.

    >>> bool(load_phrases().mentions["Edema"].search("mild pulmonary edema"))
    True
    """
    data = files("gradtruce.evaluation.labelers").joinpath("rules.toml").read_bytes()
    tables: dict[str, Any] = tomllib.loads(data.decode("utf-8"))
    quirks, fixes = (tables["compat"], {}) if compat else ({}, tables["fixes"])
    organs = _merge(tables["organs"], quirks.get("organs", {}))
    return Phrases(
        version=tables["version"],
        sha256=hashlib.sha256(data).hexdigest(),
        mentions=_compile_all(_merge(tables["mentions"], quirks.get("mentions", {}))),
        organs=_compile_all(organs),
        unmentions=_compile_all(_merge(tables["unmentions"], fixes)),
        others=_compile(tables["others"]["mentions"]),
        not_others=_compile(tables["others"]["unmentions"]),
        heart_failure=_compile(tables["implied"]["heart_failure"]),
        scopes=_compile_all(tables["scopes"]),
        described=_compile_all(tables["described"]),
        doubts_unchanged=frozenset(organs if compat else {"Cardiomegaly"}),
    )


def _merge(table: Table, more: Table) -> Table:
    return {name: [*table.get(name, ()), *more.get(name, ())] for name in {**table, **more}}


def _compile_all(table: Table) -> dict[str, Pattern]:
    return {name: _compile(patterns) for name, patterns in table.items()}


def _compile(patterns: Sequence[str]) -> Pattern:
    return re.compile(rf"\b(?:{'|'.join(patterns)})(?!\w)")
