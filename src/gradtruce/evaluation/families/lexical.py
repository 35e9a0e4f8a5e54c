"""Lexical scores: generated texts against reference texts, word by word."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final, final

import numpy as np
from jaxtyping import Float

from gradtruce.evaluation.families.readings import card
from gradtruce.evaluation.family import Family, Plan
from gradtruce.evaluation.nlg.lexical import LexicalScores
from gradtruce.evaluation.nlg.meteor import Meteor, MeteorUnavailable, meteor
from gradtruce.evaluation.nlg.references import FULL, ReferenceHandling
from gradtruce.evaluation.predictions import Prediction

TOKENS: Final = "whitespace; all whitespace squeezed to single blanks first"

CONVENTION: Final = (
    "coco-caption's: BLEU and METEOR from counts summed over reports, ROUGE-L (β 1.2) and CIDEr-D"
    " (0 to 10) means over reports"
)

RARITY: Final = (
    "of n-grams over the references of the distinct studies scored; intervals and tests hold it"
    " fixed, so CIDEr-D of other sets of studies does not compare"
)

NOT_ASKED: Final = "METEOR was not asked for; it needs Java and `pip install 'gradtruce[nlg]'`"


@final
class Lexical(Family):
    """BLEU-1 to 4, ROUGE-L, CIDEr-D, and METEOR where it was asked for and can be had.

    Args:
        references: What is done to texts first.
        meteor: METEOR's program; `None` leaves the score without a value. Never give it in
            validation: each plan starts Java.

    >>> from gradtruce.evaluation.predictions import Prediction
    >>> plan = Lexical().plan([Prediction("s1", "the heart is large .", "the heart is small .")])
    >>> sorted(plan.statistic(np.ones((1, 1))))
    ['bleu_1', 'bleu_2', 'bleu_3', 'bleu_4', 'cider', 'meteor', 'rouge_l']
    """

    name = "nlg"

    def __init__(self, references: ReferenceHandling = FULL, meteor: Meteor | None = None) -> None:
        self._references = references
        self._meteor = meteor

    def plan(self, predictions: Sequence[Prediction]) -> Plan:
        """Return the scores; without METEOR, that one has no value, and the reason is given.

        Raises:
            ValueError: If a study comes twice with different references, or texts are too long for
                ROUGE-L.
        """
        generated = [self._references.generated(each.generated) for each in predictions]
        references = [[self._references.reference(each.reference)] for each in predictions]
        lexical = LexicalScores(
            generated, references, documents=list(_by_study(predictions, references).values())
        )
        each: dict[str, Sequence[float]] = dict(lexical.each())
        protocol = replace(
            card(predictions, "generated texts against reference texts"),
            references=self._references.identity,
            tokens=TOKENS,
            averaging=CONVENTION,
            settings={"cider_rarity": RARITY},
        )
        try:
            statistics = self._statistics(generated, references)
        except MeteorUnavailable as error:
            statistic = _Statistic(lexical, None)
            return Plan(protocol, statistic, undefined={"meteor": str(error)}, per_report=each)
        protocol = replace(protocol, settings={**protocol.settings, **self._settings()})
        each["meteor"] = meteor(statistics).tolist()
        return Plan(protocol, _Statistic(lexical, statistics), per_report=each)

    def _statistics(
        self, generated: Sequence[str], references: Sequence[Sequence[str]]
    ) -> Float[np.ndarray, "reports 23"]:
        if self._meteor is None:
            raise MeteorUnavailable(NOT_ASKED)
        return self._meteor.statistics(generated, references)

    def _settings(self) -> Mapping[str, str]:
        return {} if self._meteor is None else self._meteor.settings


@final
class _Statistic:
    """Corpus scores under any weighting of the reports."""

    def __init__(
        self, lexical: LexicalScores, statistics: Float[np.ndarray, "reports 23"] | None
    ) -> None:
        self._lexical = lexical
        self._statistics = statistics

    def __call__(
        self, weights: Float[np.ndarray, "draws reports"]
    ) -> dict[str, Float[np.ndarray, " draws"]]:
        absent = np.full(len(weights), np.nan)
        value = absent if self._statistics is None else meteor(weights @ self._statistics)
        return {**self._lexical.scores(weights), "meteor": value}


def _by_study(
    predictions: Sequence[Prediction], references: Sequence[Sequence[str]]
) -> dict[str, Sequence[str]]:
    """Return the references of each study once, after checking that a study has the same ones."""
    found: dict[str, Sequence[str]] = {}
    for prediction, texts in zip(predictions, references, strict=True):
        if found.setdefault(prediction.id, texts) != texts:
            raise ValueError(f"study {prediction.id!r} comes twice, with different references")
    return found
