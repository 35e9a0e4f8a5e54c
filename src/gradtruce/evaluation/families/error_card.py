"""The error report card as a family of scores: shares of tiers, errors of each class."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import final

import numpy as np
from jaxtyping import Float

from gradtruce.evaluation.errors.compare import ERROR_CLASSES
from gradtruce.evaluation.errors.extract import Extractor
from gradtruce.evaluation.errors.tiers import TIERS, Card, report_card
from gradtruce.evaluation.family import Family, Plan
from gradtruce.evaluation.predictions import Prediction
from gradtruce.evaluation.protocol import Protocol
from gradtruce.evaluation.significance import Statistic


@final
class ErrorCard(Family):
    """Findings of the generated report compared with those of the reference, one by one.

    Scores are means over reports: shares of the tiers of `TIERS` and of reports with both major
    hallucination and critical omission, and errors of each class a report. accurate + minor +
    major_hallucination + critical_omission - major_and_critical is 1.

    >>> plan = ErrorCard().plan([Prediction("s1", "small left effusion", "small right effusion")])
    >>> plan.per_report["card"][0]["tiers"]
    ['minor']
    """

    name = "errors"

    def __init__(self) -> None:
        self._extractor = Extractor()

    def plan(self, predictions: Sequence[Prediction]) -> Plan:
        """Return the scores, and the card of each report; no score where a reference is blank."""
        lexicon = self._extractor.lexicon
        protocol = Protocol(
            compares="findings with attributes, generated against reference text",
            reports=len(predictions),
            empty_generated=sum(not one.generated.strip() for one in predictions),
            averaging="mean over reports",
            uncertain="stated; a difference in certainty alone is counted, but is no error",
            missing="absent; an attribute that one side leaves open is no error",
            settings={
                "words": lexicon.identity,
                "extractor": self._extractor.identity,
                "serious_from": lexicon.serious,
            },
        )
        blank = [one.id for one in predictions if not one.reference.strip()]
        if blank:
            why = f"{len(blank)} of {len(predictions)} predictions have no reference text"
            return Plan(protocol, reason=f"{why}, the first is {blank[0]!r}")
        if not predictions:
            return Plan(protocol, reason="there is no prediction to score")
        cards = [report_card(one.generated, one.reference, self._extractor) for one in predictions]
        return Plan(
            protocol,
            _mean_over_reports([_values(card) for card in cards]),
            counts=_counts(cards),
            per_report={"card": [card.to_json() for card in cards]},
        )


def _values(card: Card) -> dict[str, float]:
    """Return what is averaged of one report."""
    values = {tier: float(tier in card.tiers) for tier in TIERS}
    values["major_and_critical"] = float({*TIERS[2:]} <= {*card.tiers})
    number = Counter(error.kind for error in card.comparison.errors)
    for kind in ERROR_CLASSES:
        values[f"{kind}_per_report"] = float(number[kind])
    values["certainty_difference_per_report"] = float(card.comparison.certainty_differences)
    return values


def _counts(cards: Sequence[Card]) -> dict[str, int]:
    return {
        "reference_findings": sum(len(card.reference.present) for card in cards),
        "generated_findings": sum(len(card.generated.present) for card in cards),
        "matched_findings": sum(card.comparison.matched for card in cards),
        "reports_without_finding_on_both_sides": sum(
            not card.reference.present and not card.generated.present for card in cards
        ),
    }


def _mean_over_reports(rows: Sequence[Mapping[str, float]]) -> Statistic:
    names = list(rows[0])
    values = np.array([[row[name] for name in names] for row in rows])

    def statistic(
        weights: Float[np.ndarray, "draws reports"],
    ) -> dict[str, Float[np.ndarray, " draws"]]:
        means = weights @ values / weights.sum(axis=1, keepdims=True)
        return {name: means[:, place] for place, name in enumerate(names)}

    return statistic
