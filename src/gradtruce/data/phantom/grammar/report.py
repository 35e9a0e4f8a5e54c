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

from gradtruce.data.phantom.grammar.engine import Grammar, pick
from gradtruce.data.phantom.grammar.wording import SUPPORT_DEVICES, Wording
from gradtruce.data.study import Finding

REGION_OF: Final = {
    "Enlarged Cardiomediastinum": "heart",
    "Cardiomegaly": "heart",
    "Lung Opacity": "lungs",
    "Lung Lesion": "lungs",
    "Edema": "lungs",
    "Consolidation": "lungs",
    "Pneumonia": "lungs",
    "Atelectasis": "lungs",
    "Pneumothorax": "pleura",
    "Pleural Effusion": "pleura",
    "Pleural Other": "pleura",
    "Fracture": "bones",
    "Support Devices": "devices",
}
"""Where in the report an observation is spoken of."""

_ORDERS: Final = (
    ("heart", "lungs", "pleura", "bones", "devices"),
    ("devices", "heart", "lungs", "pleura", "bones"),
    ("lungs", "pleura", "heart", "bones", "devices"),
    ("devices", "lungs", "pleura", "heart", "bones"),
    ("lungs", "heart", "pleura", "devices", "bones"),
    ("heart", "devices", "lungs", "bones", "pleura"),
)
_NORMAL_CHANCE: Final = {"heart": 0.9, "lungs": 0.85, "pleura": 0.2, "bones": 0.45}
_DENIED: Final = (
    ("Pneumothorax", 0.8),
    ("Pleural Effusion", 0.8),
    ("Consolidation", 0.35),
    ("Lung Opacity", 0.15),
    ("Edema", 0.1),
    ("Lung Lesion", 0.08),
    ("Pneumonia", 0.06),
    ("Atelectasis", 0.04),
    ("Pleural Other", 0.03),
)
_UNSAYABLE_BESIDE: Final = {
    "Lung Opacity": {
        "Lung Opacity",
        "Lung Lesion",
        "Edema",
        "Consolidation",
        "Pneumonia",
        "Atelectasis",
    },
    "Consolidation": {"Consolidation", "Pneumonia"},
    "Pneumonia": {"Consolidation", "Pneumonia"},
    "Atelectasis": {"Atelectasis", "Lung Opacity"},
}
"""What must be absent for a denial to make sense, where that is more than the thing itself."""
_RANK: Final = ("Lung Lesion", "Pneumothorax", "Pneumonia", "Consolidation", "Edema")
_JOIN: Final = 0.35
_SAY_GONE: Final = 0.6


@dataclass(frozen=True, eq=False)
class Facts:
    """What a report is to say.

    Attributes:
        findings: All that is there.
        resolved: What is gone since the previous study.
        has_prior: Whether there is a previous study.
        has_lateral: Whether there is a lateral view.
    """

    findings: Sequence[Finding]
    resolved: Sequence[Finding] = ()
    has_prior: bool = False
    has_lateral: bool = True


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
        exponent: Exponent of the Zipf distribution over wordings; lower is more varied.

    >>> nodule = Finding("Lung Lesion", "nodule", side="left", zone="upper", size=12.0)
    >>> report = write_report(Facts([nodule]), np.random.default_rng(1))
    >>> "left" in report.findings
    True
    """
    wording = Wording(_grammar(exponent), rng)
    order = _ORDERS[_zipf(len(_ORDERS), rng)]
    denied: set[str] = set()
    sentences = _opening(facts, wording)
    for region in order:
        sentences += _positives(region, facts, wording)
        sentences += _gone(region, facts, wording)
        sentences += _normals(region, facts, wording, denied)
        if region == "pleura":
            sentences += _negations(facts, wording)
    return Report(" ".join(map(as_sentence, sentences)), _impression(facts, wording))


def as_sentence(text: str) -> str:
    """Return the text with a capital, a full stop and the right article before a vowel.

    >>> as_sentence("a enlarged heart")
    'An enlarged heart.'
    """
    text = re.sub(r"\b([Aa])n? (?=[aeiou8])", r"\1n ", text)
    text = re.sub(r"\b([Aa])n (?=[^aeiou8])", r"\1 ", text)
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


def _zipf(count: int, rng: np.random.Generator) -> int:
    return pick(1.0 / np.arange(1, count + 1), rng)


def _opening(facts: Facts, wording: Wording) -> list[str]:
    sentences: list[str] = []
    if wording.rng.random() < 0.1:
        sentences.append(wording.write(f"opening.{'both' if facts.has_lateral else 'frontal'}"))
    if facts.has_prior and wording.rng.random() < 0.25:
        sentences.append(wording.write("opening.prior"))
    return sentences


def _positives(region: str, facts: Facts, wording: Wording) -> list[str]:
    left = [one for one in facts.findings if REGION_OF[one.observation] == region]
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


def _normals(region: str, facts: Facts, wording: Wording, denied: set[str]) -> list[str]:
    """Return statements of normality of a region, none of which denies what is there."""
    statements = _phrases("normals.toml").get(region, [])
    present = {finding.observation for finding in facts.findings}
    busy = 1.0 / (1.0 + 0.15 * max(len(facts.findings) - 1, 0))
    sentences = []
    for _ in range(2):
        place = _zipf(len(statements), wording.rng) if statements else 0
        if not statements or wording.rng.random() > _NORMAL_CHANCE[region] * busy:
            break
        statement = statements[place]
        denies = set(statement["denies"]) or {"the rest"}
        clear = _clear_side(facts.findings) if denies == {"the rest"} else "neither"
        if clear is None or denies & (present | denied):
            continue
        sentences.append(wording.write(f"normal.{region}.{place}", {"clear": clear}))
        denied |= denies
    return sentences


def _clear_side(findings: Sequence[Finding]) -> str | None:
    """Return the side of the chest without a finding, if all lie on the other and are local."""
    regions = ("lungs", "pleura")
    sides = {one.side for one in findings if REGION_OF[one.observation] in regions}
    in_lungs = any(REGION_OF[one.observation] == "lungs" for one in findings)
    if not in_lungs or len(sides) != 1:
        return None
    return {"left": "right", "right": "left"}.get(sides.pop() or "")


def _negations(facts: Facts, wording: Wording) -> list[str]:
    present = {finding.observation for finding in facts.findings}
    chosen = [
        name
        for name, chance in _DENIED
        if not _UNSAYABLE_BESIDE.get(name, {name}) & present and wording.rng.random() < chance
    ][:3]
    if not chosen:
        return []
    shuffled = [chosen[place] for place in wording.rng.permutation(len(chosen))]
    terms = [wording.write(f"absent.{name}") for name in shuffled]
    listed = terms[0] if len(terms) == 1 else f"{', '.join(terms[:-1])} or {terms[-1]}"
    return [wording.write("negation.frame", {"list": listed})]


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
