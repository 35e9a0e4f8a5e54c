"""From one finding, or two, to a sentence."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import numpy as np

from gradtruce.data.phantom.grammar.engine import Grammar
from gradtruce.data.study import Finding

SUPPORT_DEVICES = "Support Devices"


@final
@dataclass(frozen=True, eq=False)
class Wording:
    """Words for findings, drawn from a grammar.

    Attributes:
        grammar: The phrases.
        rng: Random numbers; the same state gives the same words.

    >>> grammar = Grammar({"np": {"edema": {"one": ["{$severity} edema"]}}, "mild": ["mild"],
    ...     "says": {"any": {"present": ["there {is} {np}"]}}}, exponent=1.0)
    >>> wording = Wording(grammar, np.random.default_rng(0))
    >>> wording.state(Finding("Edema", "edema", "mild", "bilateral"))
    'there is mild edema'
    """

    grammar: Grammar
    rng: np.random.Generator

    def write(self, symbol: str, context: Mapping[str, str] | None = None) -> str:
        """Return one text for a symbol."""
        return self.grammar.write(symbol, context or {}, self.rng)

    def choose(self, count: int) -> int:
        """Return an index below `count`, the first most often."""
        return self.grammar.choose(count, self.rng)

    def state(self, finding: Finding) -> str:
        """Return a sentence that states the finding; its change too, in most cases."""
        context = self.context(finding)
        return self.write(self._symbol(finding, context["number"]), context)

    def state_both(self, first: Finding, second: Finding) -> str:
        """Return a sentence that states two findings."""
        other = self.context(second)
        context = self.context(first) | {"np2": other["np"]}
        return self.write("pair.region", context)

    def state_with_pneumonia(self, opacity: Finding, pneumonia: Finding) -> str:
        """Return a sentence that states an opacity or consolidation and reads it as pneumonia."""
        is_definite = pneumonia.certainty == "definite"
        symbol = "pair.pneumonia" if is_definite else "pair.possible_pneumonia"
        return self.write(symbol, self.context(opacity))

    def state_gone(self, finding: Finding) -> str:
        """Return a sentence that says that a finding of the previous study is no longer there."""
        own = f"says.{finding.kind}.resolved"
        context = self.context(finding)
        if own in self.grammar:
            return self.write(own, context)
        context["gone"] = self.write(f"gone.{finding.kind}", context)
        is_plural = context["gone"].endswith(("opacities", "markings"))
        number = "many" if is_plural else "one"
        return self.write("says.any.resolved", context | _agreement(number))

    def conclude(self, finding: Finding) -> str:
        """Return an item of the impression."""
        state = "possible" if finding.certainty == "possible" else finding.change
        return self.write(f"impression.{state or 'item'}", self.context(finding))

    def context(self, finding: Finding) -> dict[str, str]:
        """Return the words that a template may use, one noun phrase chosen among them."""
        attributes = {
            "kind": finding.kind,
            "severity": finding.severity,
            "side": finding.side,
            "zone": finding.zone,
            "size": None if finding.size is None else f"{finding.size:.0f}",
        }
        context = {name: value for name, value in attributes.items() if value is not None}
        one, many = f"np.{finding.kind}.one", f"np.{finding.kind}.many"
        is_plural = many in self.grammar and (
            one not in self.grammar or finding.side == "bilateral"
        )
        context |= _agreement("many" if is_plural else "one")
        phrase = self.write(many if is_plural else one, context)
        bare = phrase.removeprefix("an ").removeprefix("a ")
        return context | {"np": phrase, "bare": bare, "the bare": f"the {bare}"}

    def _symbol(self, finding: Finding, number: str) -> str:
        state = finding.change or "present"
        if finding.certainty == "possible":
            state = "possible"
        elif state != "present" and self.rng.random() < 0.25:
            state = "present"
        own = f"says.{finding.kind}.{state}"
        if own in self.grammar:
            return own
        if finding.observation == SUPPORT_DEVICES and state != "present":
            many = f"device.{state}_many"
            return many if number == "many" and many in self.grammar else f"device.{state}"
        return f"says.any.{state}"


def _agreement(number: str) -> dict[str, str]:
    if number == "many":
        return {"number": number, "is": "are", "has": "have"}
    return {"number": number, "is": "is", "has": "has"}
