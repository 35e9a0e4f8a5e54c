"""Statements of normality: what is denied, and never what is there."""

from collections.abc import Mapping
from typing import Any, Final, final

from gradtruce.data.phantom.grammar.content import REGION_OF, Facts
from gradtruce.data.phantom.grammar.wording import Wording

_CHANCE: Final = {"heart": 0.95, "lungs": 0.9, "pleura": 0.2, "bones": 0.6, "devices": 0.0}
_DENIED: Final = {
    "Pneumothorax": 0.8,
    "Pleural Effusion": 0.8,
    "Consolidation": 0.35,
    "Lung Opacity": 0.15,
    "Edema": 0.1,
    "Lung Lesion": 0.08,
    "Pneumonia": 0.06,
    "Atelectasis": 0.04,
    "Pleural Other": 0.03,
}
"""How often each is denied by name."""

_LUNGS: Final = frozenset(name for name, region in REGION_OF.items() if region == "lungs")
_UNSAYABLE_BESIDE: Final = {
    "Lung Opacity": _LUNGS,
    "Consolidation": frozenset({"Consolidation", "Pneumonia"}),
    "Pneumonia": frozenset({"Consolidation", "Pneumonia"}),
    "Atelectasis": frozenset({"Atelectasis", "Lung Opacity"}),
}
"""What must be absent for a denial to make sense, where that is more than the thing itself."""

_REST: Final = "the rest of the lungs"
_CLEAR_AND: Final = 0.25
_MOST_TERMS: Final = 3
_DRAWS: Final = 2


@final
class Normality:
    """Says what is normal in a study, nothing twice.

    Args:
        facts: What is there, and so must not be denied.
        wording: The words.
        statements: By region, each with what it denies ("denies").
    """

    def __init__(
        self, facts: Facts, wording: Wording, statements: Mapping[str, list[dict[str, Any]]]
    ) -> None:
        self._facts = facts
        self._wording = wording
        self._statements = statements
        self._denied: set[str] = set()
        self._has_listed = False

    def of_region(self, region: str, *, tries: int = 2, is_certain: bool = False) -> list[str]:
        """Return statements about one region; fewer where there is more else to say."""
        rng = self._wording.rng
        busy = 1.0 + 0.12 * max(len(self._facts.findings) - 1, 0)
        chance = 1.0 if is_certain else _CHANCE[region] / busy
        sentences = []
        for _ in range(tries):
            if rng.random() >= chance:
                break
            sentences += self._statement(region)
        return sentences

    def list_of_absences(self) -> list[str]:
        """Return one sentence that denies several findings by name, or nothing."""
        terms = [] if self._has_listed else self._terms()
        return [self._wording.write("negation.frame", {"list": _listed(terms)})] if terms else []

    def _statement(self, region: str) -> list[str]:
        statements = self._statements.get(region, [])
        if not statements:
            return []
        if region == "lungs" and self._may_deny(set(_LUNGS)):
            terms = self._terms() if self._wording.rng.random() < _CLEAR_AND else []
            if terms:
                self._has_listed = True
                self._denied |= _LUNGS
                return [self._wording.write("negation.clear", {"list": _listed(terms)})]
        for _ in range(_DRAWS):
            place = self._wording.choose(len(statements))
            denies = set(statements[place]["denies"]) or {_REST}
            clear = self._facts.clear_side() if denies == {_REST} else "neither"
            if clear is not None and self._may_deny(denies):
                self._denied |= denies
                return [self._wording.write(f"normal.{region}.{place}", {"clear": clear})]
        return []

    def _may_deny(self, denies: set[str]) -> bool:
        return not denies & (self._facts.observations | self._denied)

    def _terms(self) -> list[str]:
        rng = self._wording.rng
        there = self._facts.observations
        sayable = [name for name in _DENIED if not _UNSAYABLE_BESIDE.get(name, {name}) & there]
        chosen = [name for name in sayable if rng.random() < _DENIED[name]][:_MOST_TERMS]
        return [self._wording.write(f"absent.{chosen[at]}") for at in rng.permutation(len(chosen))]


def _listed(terms: list[str]) -> str:
    return terms[0] if len(terms) == 1 else f"{', '.join(terms[:-1])} or {terms[-1]}"
