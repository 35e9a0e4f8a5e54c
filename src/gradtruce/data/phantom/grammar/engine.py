"""A context-free grammar with slots, whose alternatives are chosen by a Zipf distribution.

A symbol has alternatives, commonest first. An alternative is text with slots in braces: a slot is a
word of the context (`{np}`) or another symbol (`{place.$side.$zone}`, where `$side` stands for that
word of the context). An alternative whose slots cannot all be filled is never chosen.
"""

import re
from collections.abc import Mapping
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
        longest = max(map(len, self._symbols.values()), default=0)
        self._weights = np.arange(1, longest + 1, dtype=np.float64) ** -exponent

    def __contains__(self, symbol: str) -> bool:
        """Return whether there is such a symbol."""
        return symbol in self._symbols

    def write(self, symbol: str, context: Mapping[str, str], rng: np.random.Generator) -> str:
        """Return one text for the symbol.

        Raises:
            KeyError: If the symbol is unknown or none of its alternatives can be filled.
        """
        alternatives = self._symbols[symbol]
        usable = [one for one in alternatives if all(self._fills(s, context) for _, s in one)]
        if not usable:
            raise KeyError(f"no alternative of {symbol!r} can be filled from {sorted(context)}")
        chosen = usable[pick(self._weights[: len(usable)], rng)]
        return "".join(text + self._fill(slot, context, rng) for text, slot in chosen)

    def _fills(self, slot: str, context: Mapping[str, str]) -> bool:
        if not slot or slot in context:
            return True
        named = _WORD_OF_CONTEXT.findall(slot)
        return all(name in context for name in named) and _resolve(slot, context) in self._symbols

    def _fill(self, slot: str, context: Mapping[str, str], rng: np.random.Generator) -> str:
        if not slot:
            return ""
        return (
            context[slot] if slot in context else self.write(_resolve(slot, context), context, rng)
        )


def pick(weights: np.ndarray, rng: np.random.Generator) -> int:
    """Return an index with chance in proportion to its weight.

    >>> pick(np.array([0.0, 1.0]), np.random.default_rng(0))
    1
    """
    return int(np.searchsorted(np.cumsum(weights), rng.random() * weights.sum(), side="right"))


def _parse(text: str) -> tuple[tuple[str, str], ...]:
    """Return pairs of plain text and the slot that follows it, "" at the end."""
    return tuple((plain, slot or "") for plain, slot, _, _ in Formatter().parse(text))


def _resolve(slot: str, context: Mapping[str, str]) -> str:
    return _WORD_OF_CONTEXT.sub(lambda word: context[word[1]], slot)


def _flat(prefix: str, tree: Tree) -> list[tuple[str, list[str]]]:
    found: list[tuple[str, list[str]]] = []
    for key, value in tree.items():
        name = f"{prefix}.{key}" if prefix else key
        found += [(name, value)] if isinstance(value, list) else _flat(name, value)
    return found
