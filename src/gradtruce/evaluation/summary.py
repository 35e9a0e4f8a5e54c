"""What to know before reading the scores of a metrics file, in a few lines."""

import re

from gradtruce.evaluation.metrics import Metrics
from gradtruce.evaluation.protocol import Protocol


def facts(metrics: Metrics) -> list[str]:
    """Return the parts of the protocols that tables can't be read without.

    Hashes are cut to their beginning; metrics.json has all of them.

    Args:
        metrics: With the groups "nlg" and "clinical", or without.

    >>> from gradtruce.evaluation.metrics import Group
    >>> card = Protocol("texts", reports=2, empty_generated=1, references="full")
    >>> facts(Metrics({"nlg": Group(card)}))[:2]
    ['reports: 2, of which 1 generated empty', 'word overlap: texts full']
    """
    found: list[str] = []
    cards = {name: group.protocol for name, group in metrics.groups.items()}
    if cards:
        found.append(_reports(next(iter(cards.values()))))
    if "clinical" in cards:
        found += [
            f"reference labels: {_short(cards['clinical'].reference_labels)}",
            f"generated labels: {_short(cards['clinical'].scored_labels)}",
            *_both_empty(metrics),
        ]
    if "nlg" in cards:
        found.append(f"word overlap: texts {cards['nlg'].references}")
        settings = cards["nlg"].settings
        if "meteor" in settings:
            found.append(f"METEOR: {_short(settings['meteor'])}, Java {settings['meteor_java']}")
    if "references" in metrics.inputs:
        found.append(f"references: {metrics.inputs['references']}, not those of the predictions")
    if cards:
        last = next(iter(cards.values()))
        numbers = ", ".join(f"{name} {number}" for name, number in last.versions.items())
        found += [f"intervals: {last.intervals}", f"versions: {numbers}"]
    return found


def _reports(card: Protocol) -> str:
    empty = f", of which {card.empty_generated} generated empty" if card.empty_generated else ""
    return f"reports: {card.reports:,}{empty}"


def _both_empty(metrics: Metrics) -> list[str]:
    """Return how many reports score 0 in a mean over reports for want of anything to find."""
    scores = metrics.groups["clinical"].scores
    count = scores.get("both_empty_14.uncertain_negative")
    if count is None or not count.value:
        return []
    return [
        f"reports without any of the 14 observations on both sides: {count.value:.0f}; each counts"
        " 0 in a mean over reports"
    ]


def _short(source: str) -> str:
    """Return a source with the beginning of its hashes only."""
    return re.sub(r"(sha256 [0-9a-f]{12})[0-9a-f]+", r"\1…", source)
