"""A context-free grammar with slots, whose alternatives are chosen by a Zipf distribution.

A symbol has alternatives, commonest first. An alternative is text with slots in braces: a slot is a
word of the context (`{np}`) or another symbol (`{place.$side.$zone}`, where `$side` stands for that
word of the context). An alternative whose slots cannot all be filled is never chosen.
"""

import re
from collections.abc import Mapping
from functools import cache
from string import Formatter
from typing import Any, Final, final

import numpy as np

Tree = Mapping[str, Any]  # tables in tables, down to lists of texts

_WORD_OF_CONTEXT: Final = re.compile(r"\$(\w+)")


@final
class Grammar:
    """Symbols with their alternatives.

    Args:
        tree: Alternatives in nested tables; a symbol's name is its path, joined by dots.
        exponent: Alternative r is chosen with weight r^-exponent (Zipf); 0 or more.

    Raises:
        ValueError: If a symbol has no alternative or `exponent` is negative.

    >>> grammar = Grammar({"greeting": ["good {time.$part}"], "time": {"late": ["evening"]}}, 1.0)
    >>> grammar.write("greeting", {"part": "late"}, np.random.default_rng(0))
    'good evening'
    """

    def __init__(self, tree: Tree, exponent: float) -> None:
        if exponent < 0:
            raise ValueError(f"the exponent of the wording must be at least 0, got {exponent}")
        self._symbols = {name: tuple(map(_parse, texts)) for name, texts in _flat("", tree)}
        empty = [name for name, alternatives in self._symbols.items() if not alternatives]
        if empty:
            raise ValueError(f"every symbol needs an alternative; {empty[0]!r} has none")
        self._exponent = exponent

    def __contains__(self, symbol: str) -> bool:
        """Return whether there is such a symbol."""
        return symbol in self._symbols

    def choose(self, count: int, rng: np.random.Generator) -> int:
        """Return an index below `count`, chosen as an alternative is."""
        return pick(_zipf(count, self._exponent), rng)

    def write(self, symbol: str, context: Mapping[str, str], rng: np.random.Generator) -> str:
        """Return one text for the symbol.

        Raises:
            KeyError: If the symbol, or one that it needs, is in neither grammar nor context.
        """
        alternatives = self._symbols[symbol]
        chosen = alternatives[self.choose(len(alternatives), rng)]
        return "".join(text + self._fill(slot, context, rng) for text, slot in chosen)

    def _fill(self, slot: str, context: Mapping[str, str], rng: np.random.Generator) -> str:
        if not slot:
            return ""
        if slot in context:
            return context[slot]
        symbol = _WORD_OF_CONTEXT.sub(lambda word: context[word[1]], slot)
        return self.write(symbol, context, rng)


def pick(weights: np.ndarray, rng: np.random.Generator) -> int:
    """Return an index with chance in proportion to its weight.

    >>> pick(np.array([0.0, 1.0]), np.random.default_rng(0))
    1
    """
    return int(np.searchsorted(np.cumsum(weights), rng.random() * weights.sum(), side="right"))


@cache
def _zipf(count: int, exponent: float) -> np.ndarray:
    return np.arange(1, count + 1, dtype=np.float64) ** -exponent


def _parse(text: str) -> tuple[tuple[str, str], ...]:
    """Return pairs of plain text and the slot that follows it, "" at the end."""
    return tuple((plain, slot or "") for plain, slot, _, _ in Formatter().parse(text))


def _flat(prefix: str, tree: Tree) -> list[tuple[str, list[str]]]:
    found: list[tuple[str, list[str]]] = []
    for key, value in tree.items():
        name = f"{prefix}.{key}" if prefix else key
        found += [(name, value)] if isinstance(value, list) else _flat(name, value)
    return found
