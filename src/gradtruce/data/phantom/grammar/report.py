"""The plan of a report: what is said, in which order, and what is passed over.

No sentence denies what is there: a statement of normality names what it denies, and is left out
where any of that is present or possible. Every finding is stated once.
"""

import re
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

import numpy as np

from gradtruce.data.phantom.grammar.content import REGION_OF, Facts
from gradtruce.data.phantom.grammar.engine import Grammar
from gradtruce.data.phantom.grammar.normality import Normality
from gradtruce.data.phantom.grammar.wording import SUPPORT_DEVICES, Wording
from gradtruce.data.study import Finding

_ORDERS: Final = (
    ("heart", "lungs", "pleura", "bones", "devices"),
    ("devices", "heart", "lungs", "pleura", "bones"),
    ("lungs", "pleura", "heart", "bones", "devices"),
    ("devices", "lungs", "pleura", "heart", "bones"),
    ("lungs", "heart", "pleura", "devices", "bones"),
    ("heart", "devices", "lungs", "bones", "pleura"),
)
_RANK: Final = ("Lung Lesion", "Pneumothorax", "Pneumonia", "Consolidation", "Edema")
_FILLERS: Final = ("bones", "heart", "lungs")
_FEWEST: Final = 3
_TRIES: Final = 5
_JOIN: Final = 0.35
_SAY_GONE: Final = 0.6
_SAY_SAME: Final = 0.4


@dataclass(frozen=True)
class Report:
    """The two sections of a report."""

    findings: str
    impression: str


def write_report(facts: Facts, rng: np.random.Generator, exponent: float = 1.3) -> Report:
    """Return a report that states every finding and contradicts none.

    Args:
        facts: What is true of the study.
        rng: Random numbers; the same state gives the same report.
        exponent: Exponent of the Zipf distribution over wordings, statements of normality and
            orders; lower is more varied.

    >>> nodule = Finding("Lung Lesion", "nodule", side="left", zone="upper", size=12.0)
    >>> report = write_report(Facts([nodule]), np.random.default_rng(1))
    >>> "left" in report.findings
    True
    """
    wording = Wording(_grammar(exponent), rng)
    order = _ORDERS[wording.choose(len(_ORDERS))]
    normality = Normality(facts, wording, _phrases("normals.toml"))
    sentences = _opening(facts, wording)
    for region in order:
        sentences += _positives(region, facts, wording)
        sentences += _gone(region, facts, wording)
        sentences += normality.of_region(region)
        if region == "pleura":
            sentences += normality.list_of_absences()
    for region in _FILLERS:
        if len(sentences) < _FEWEST:
            sentences += normality.of_region(region, tries=_TRIES, is_certain=True)
    return Report(" ".join(map(as_sentence, sentences)), _impression(facts, wording))


def as_sentence(text: str) -> str:
    """Return the text with a capital, a full stop and the right article before a vowel.

    >>> as_sentence("a enlarged heart")
    'An enlarged heart.'
    """
    text = re.sub(r"\b([Aa])n? (?=[aeiou8]|18 )", r"\1n ", text)
    text = re.sub(r"\b([Aa])n (?!18 )(?=[^aeiou8])", r"\1 ", text)
    return f"{text[0].upper()}{text[1:]}."


@cache
def _phrases(name: str) -> dict[str, Any]:
    text = files("gradtruce.data.phantom.grammar").joinpath(name).read_text(encoding="utf-8")
    return tomllib.loads(text)


@cache
def _grammar(exponent: float) -> Grammar:
    normals = _phrases("normals.toml")
    says = {
        region: {str(place): one["say"] for place, one in enumerate(statements)}
        for region, statements in normals.items()
    }
    return Grammar(_phrases("phrases.toml") | {"normal": says}, exponent)


def _opening(facts: Facts, wording: Wording) -> list[str]:
    sentences: list[str] = []
    if wording.rng.random() < 0.1:
        sentences.append(wording.write(f"opening.{'both' if facts.has_lateral else 'frontal'}"))
    if facts.has_prior and wording.rng.random() < 0.25:
        sentences.append(wording.write("opening.prior"))
    if facts.is_unchanged and wording.rng.random() < _SAY_SAME:
        sentences.append(wording.write("opening.same"))
    return sentences


def _positives(region: str, facts: Facts, wording: Wording) -> list[str]:
    left = facts.within(region)
    if region != "devices":
        left = [left[place] for place in wording.rng.permutation(len(left))]
    sentences = []
    while left:
        first = left.pop(0)
        partner, join = _partner(first, left, wording)
        if join is None or partner is None:
            sentences.append(wording.state(first))
        else:
            left.remove(partner)
            sentences.append(join(first, partner))
    return sentences


def _partner(
    first: Finding, left: Sequence[Finding], wording: Wording
) -> tuple[Finding | None, Callable[[Finding, Finding], str] | None]:
    """Return a finding to state in one sentence with the first, and how."""
    if wording.rng.random() > _JOIN or first.observation == SUPPORT_DEVICES:
        return None, None
    for second in left:
        if _is_reading(first, second):
            return second, wording.state_with_pneumonia
        if _is_reading(second, first):
            return second, lambda one, two: wording.state_with_pneumonia(two, one)
        if _is_plain(first) and _is_plain(second):
            return second, wording.state_both
    return None, None


def _is_plain(finding: Finding) -> bool:
    return finding.certainty == "definite" and finding.change is None


def _is_reading(opacity: Finding, pneumonia: Finding) -> bool:
    """Return whether the opacity can be read as that pneumonia: the same place, no change."""
    return (
        opacity.kind in {"hazy opacity", "consolidation"}
        and pneumonia.kind == "pneumonia"
        and (opacity.side, opacity.zone) == (pneumonia.side, pneumonia.zone)
        and _is_plain(opacity)
        and pneumonia.change is None
    )


def _gone(region: str, facts: Facts, wording: Wording) -> list[str]:
    return [
        wording.state_gone(finding)
        for finding in facts.resolved
        if REGION_OF[finding.observation] == region and wording.rng.random() < _SAY_GONE
    ]


def _impression(facts: Facts, wording: Wording) -> str:
    def rank(finding: Finding) -> int:
        name = finding.observation
        return _RANK.index(name) if name in _RANK else len(_RANK)

    findings = [one for one in facts.findings if one.observation != SUPPORT_DEVICES]
    if not findings:
        return wording.write("impression.normal")
    items = [as_sentence(wording.conclude(one)) for one in sorted(findings, key=rank)[:3]]
    if len(items) == 1:
        return items[0]
    return " ".join(f"{place}. {item}" for place, item in enumerate(items, start=1))
