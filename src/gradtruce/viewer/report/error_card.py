"""The error report card of a run: which share of its reports is how wrong, and in what."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, final

from markupsafe import Markup

from gradtruce.evaluation.errors.compare import ERROR_CLASSES
from gradtruce.evaluation.significance import Score
from gradtruce.viewer.frame.score_text import percent

PARTS: Final = (
    ("accurate", "Accurate"),
    ("minor", "Minor errors only"),
    ("hallucination", "Major hallucination"),
    ("both", "Both"),
    ("omission", "Critical omission"),
)
"""The parts of the bar, in order; they add up to all reports."""

_ERRORS: Final = {
    "false": "Finding that is not there",
    "missing": "Finding that is missing",
    "wrong_side": "Wrong side",
    "wrong_location": "Wrong zone",
    "wrong_severity": "Wrong degree",
    "unfounded_comparison": "Unfounded comparison",
    "omitted_comparison": "Omitted comparison",
}
_SPACE: Final = 8.0  # per cent of the bar that a number needs


@final
@dataclass(frozen=True)
class CardPart:
    """One part of the bar: a kind of report, and its share of all."""

    css: str
    label: str
    share: float


@final
@dataclass(frozen=True)
class ShownCard:
    """The card of one run.

    Attributes:
        label: Name of the run.
        css: Class that colours it.
        parts: The bar; shares add up to 1.
        errors: Errors a report, by class in words.
    """

    label: str
    css: str
    parts: tuple[CardPart, ...]
    errors: Mapping[str, Score]


def shown_card(label: str, css: str, scores: Mapping[str, Score]) -> ShownCard | None:
    """Return the card from the scores of the group `errors`; `None` where it was not computed.

    >>> names = ("accurate", "minor", "major_hallucination", "critical_omission")
    >>> shares = dict(zip((f"errors.{name}" for name in names), (0.5, 0.1, 0.3, 0.2)))
    >>> scores = {name: Score(value) for name, value in shares.items()}
    >>> card = shown_card("run", "arm-0", {**scores, "errors.major_and_critical": Score(0.1)})
    >>> [(part.css, round(part.share, 3)) for part in card.parts]
    [('accurate', 0.5), ('minor', 0.1), ('hallucination', 0.2), ('both', 0.1), ('omission', 0.1)]
    """
    names = ("accurate", "minor", "major_hallucination", "critical_omission", "major_and_critical")
    found = [scores.get(f"errors.{name}", Score(None)).value for name in names]
    shares = [value for value in found if value is not None]
    if len(shares) < len(names):
        return None
    accurate, minor, major, critical, both = shares
    bar = (accurate, minor, major - both, both, critical - both)
    return ShownCard(
        label,
        css,
        tuple(
            CardPart(name, words, max(share, 0.0))
            for (name, words), share in zip(PARTS, bar, strict=True)
        ),
        {
            _ERRORS.get(kind, kind.replace("_", " ")): scores[f"errors.{kind}_per_report"]
            for kind in ERROR_CLASSES
            if f"errors.{kind}_per_report" in scores
        },
    )


def card_bar(card: ShownCard) -> Markup:
    """Return the bar of a card, with the shares that have room in it.

    >>> "aria-label" in card_bar(ShownCard("run", "arm-0", (CardPart("minor", "Minor", 1.0),), {}))
    True
    """
    words = ", ".join(f"{percent(part.share)} {part.label.lower()}" for part in card.parts)
    pieces = []
    for part in card.parts:
        width = 100 * part.share
        pieces.append(
            Markup('<span class="part {}" style="width:{}%">{}</span>').format(
                part.css, f"{width:.2f}", f"{width:.0f}" if width >= _SPACE else ""
            )
        )
    return Markup('<div class="card-bar" role="img" aria-label="{}">{}</div>').format(
        f"{card.label}: {words}", Markup("").join(pieces)
    )
