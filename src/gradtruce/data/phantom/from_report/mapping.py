"""Which MeSH strings let the phantom draw which kind of finding, from `mapping.toml`."""

import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Final, final

from gradtruce.data.phantom.from_report.mesh import MeshTerm
from gradtruce.data.phantom.kinds import KINDS, Kind

_KINDS: Final = {kind.name: kind for kind in KINDS}


@final
@dataclass(frozen=True, slots=True)
class Attributes:
    """What the qualifiers of a MeSH string say; empty or `None` where they are silent.

    Attributes:
        side: "left", "right" or "bilateral".
        zones: Of "upper", "middle" and "lower"; several where the string names several.
        severity: "mild", "moderate" or "severe".
        is_several: Whether there is more than one.
        is_doubtful: Whether the string itself hedges ("borderline").
    """

    side: str | None = None
    zones: tuple[str, ...] = ()
    severity: str | None = None
    is_several: bool = False
    is_doubtful: bool = False


@final
@dataclass(frozen=True, slots=True)
class Rule:
    """What one sort of MeSH string lets the phantom draw; see `mapping.toml`."""

    heads: frozenset[str]
    any_of: frozenset[str]
    none_of: frozenset[str]
    kinds: tuple[Kind, ...]
    place_for: tuple[Kind, ...]

    def fits(self, term: MeshTerm) -> bool:
        """Return whether the rule is one for this string."""
        said = frozenset(term.qualifiers)
        return (
            term.head in self.heads
            and not said & self.none_of
            and (not self.any_of or bool(said & self.any_of))
        )


@final
@dataclass(frozen=True)
class ReportMapping:
    """All of `mapping.toml`."""

    rules: tuple[Rule, ...]
    nothing: frozenset[str]
    several: frozenset[str]
    doubtful: frozenset[str]
    sides: Mapping[str, str]
    implied_sides: Mapping[str, str]
    zones: Mapping[str, str]
    severities: Mapping[str, str]
    automatic: Mapping[str, Kind]

    def attributes(self, term: MeshTerm) -> Attributes:
        """Return what the qualifiers of a string say of side, zone and degree.

        >>> load_mapping().attributes(MeshTerm.parse("Opacity/lung/lingula/base/mild"))
        Attributes(side='left', zones=('middle', 'lower'), severity='mild', is_several=False, ...)
        """
        said = term.qualifiers
        side = _one_side(_values(said, self.sides)) or _one_side(_values(said, self.implied_sides))
        severities = _values(said, self.severities)
        return Attributes(
            side=side,
            zones=tuple(_values(said, self.zones)),
            severity=severities[0] if severities else None,
            is_several=not self.several.isdisjoint(said),
            is_doubtful=not self.doubtful.isdisjoint(said),
        )

    def rules_for(self, term: MeshTerm) -> tuple[Rule, ...]:
        """Return all rules that fit a string; none where the phantom can't show it."""
        return tuple(rule for rule in self.rules if rule.fits(term))

    def is_silent(self, term: MeshTerm) -> bool:
        """Return whether a string says that there is nothing to draw, such as "normal"."""
        return term.head in self.nothing


@cache
def load_mapping() -> ReportMapping:
    """Return the mapping that is shipped; the file is read once a process.

    >>> [rule.kinds[0].name for rule in load_mapping().rules_for(MeshTerm("cardiomegaly"))]
    ['enlarged heart']
    """
    text = resources.files(__package__).joinpath("mapping.toml").read_text(encoding="utf-8")
    table = tomllib.loads(text)
    return ReportMapping(
        rules=tuple(_rule(entry) for entry in table["rule"]),
        nothing=frozenset(table["nothing"]),
        several=frozenset(table["several"]),
        doubtful=frozenset(table["doubtful"]),
        sides=table["sides"],
        implied_sides=table["implied_sides"],
        zones=table["zones"],
        severities=table["severities"],
        automatic={term: _KINDS[name] for term, name in table["automatic"].items()},
    )


def describe_mapping() -> str:
    """Return the rules and the qualifiers as two Markdown tables.

    >>> print(describe_mapping().splitlines()[2])
    | `cardiomegaly` |  | enlarged heart (Cardiomegaly) |  |
    """
    mapping = load_mapping()
    rows = [
        "| MeSH head | with, without | draws | gives the place of, where a label calls for it |",
        "|---|---|---|---|",
        *(_row(rule) for rule in mapping.rules),
        "",
        "| attribute | value | qualifiers |",
        "|---|---|---|",
    ]
    for attribute, table in (
        ("side", {**mapping.sides, **mapping.implied_sides}),
        ("zone", mapping.zones),
        ("severity", mapping.severities),
    ):
        for value in dict.fromkeys(table.values()):
            named = _quoted(word for word, means in table.items() if means == value)
            rows.append(f"| {attribute} | {value} | {named} |")
    return "\n".join(rows)


def _row(rule: Rule) -> str:
    conditions = [_quoted(rule.any_of)] if rule.any_of else []
    if rule.none_of:
        conditions.append("not " + _quoted(rule.none_of))
    drawn = " or ".join(f"{kind.name} ({kind.observation})" for kind in rule.kinds)
    place = ", ".join(kind.name for kind in rule.place_for)
    return f"| {_quoted(rule.heads)} | {'; '.join(conditions)} | {drawn} | {place} |"


def _quoted(words: Iterable[str]) -> str:
    """Return words in code marks, since some hold a comma."""
    return ", ".join(f"`{word}`" for word in sorted(words))


def _rule(entry: Mapping[str, Any]) -> Rule:  # a table of the TOML file
    return Rule(
        heads=frozenset(entry["heads"]),
        any_of=frozenset(entry.get("any_of", ())),
        none_of=frozenset(entry.get("none_of", ())),
        kinds=tuple(_named(entry.get("kinds", ()))),
        place_for=tuple(_named(entry.get("place_for", ()))),
    )


def _named(names: Sequence[str]) -> Iterator[Kind]:
    return (_KINDS[name] for name in names)


def _values(said: Sequence[str], table: Mapping[str, str]) -> list[str]:
    return list(dict.fromkeys(table[word] for word in said if word in table))


def _one_side(sides: Sequence[str]) -> str | None:
    if len(sides) > 1:
        return "bilateral"
    return sides[0] if sides else None
