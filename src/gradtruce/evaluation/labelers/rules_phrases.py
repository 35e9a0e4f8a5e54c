"""The phrase file of the rule-based labeler, compiled."""

import hashlib
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

Pattern = re.Pattern[str]


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
        described: What is said of an organ, by "enlarged", "normal" and "unsure".
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


@cache
def load_phrases() -> Phrases:
    """Return the phrases shipped with the package.

    >>> bool(load_phrases().mentions["Edema"].search("mild pulmonary edema"))
    True
    """
    data = files("gradtruce.evaluation.labelers").joinpath("rules.toml").read_bytes()
    tables: dict[str, Any] = tomllib.loads(data.decode("utf-8"))
    return Phrases(
        version=tables["version"],
        sha256=hashlib.sha256(data).hexdigest(),
        mentions=_compile_all(tables["mentions"]),
        organs=_compile_all(tables["organs"]),
        unmentions=_compile_all(tables["unmentions"]),
        others=_compile(tables["others"]["mentions"]),
        not_others=_compile(tables["others"]["unmentions"]),
        heart_failure=_compile(tables["implied"]["heart_failure"]),
        scopes=_compile_all(tables["scopes"]),
        described=_compile_all(tables["described"]),
    )


def _compile_all(table: Mapping[str, Sequence[str]]) -> dict[str, Pattern]:
    return {name: _compile(patterns) for name, patterns in table.items()}


def _compile(patterns: Sequence[str]) -> Pattern:
    return re.compile(rf"\b(?:{'|'.join(patterns)})(?!\w)")
