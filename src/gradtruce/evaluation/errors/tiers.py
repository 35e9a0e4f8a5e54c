"""From the errors of a report to its card: how far the report can be trusted."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple, final

from gradtruce.evaluation.errors.compare import Comparison, Error, compare
from gradtruce.evaluation.errors.extract import Extractor
from gradtruce.evaluation.errors.lexicon import Lexicon
from gradtruce.evaluation.errors.statement import Findings

TIERS: Final = ("accurate", "minor", "major_hallucination", "critical_omission")
"""Major hallucination and critical omission may hold at once; the other two exclude all else."""


@final
class Card(NamedTuple):
    """The errors of one generated report.

    Attributes:
        generated: What it says.
        reference: What its reference says.
        comparison: How they differ.
        tiers: One or two of `TIERS`.
    """

    generated: Findings
    reference: Findings
    comparison: Comparison
    tiers: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:  # JSON values of several kinds
        """Return tuples, errors and tiers as JSON values."""
        return {
            "tiers": list(self.tiers),
            "errors": [error.to_json() for error in self.comparison.errors],
            "matched": self.comparison.matched,
            "certainty_differences": self.comparison.certainty_differences,
            "generated": self.generated.to_json(),
            "reference": self.reference.to_json(),
        }


def tiers_of(errors: Sequence[Error], lexicon: Lexicon) -> tuple[str, ...]:
    """Return the tiers of a report with these errors.

    An omitted comparison does not bar *accurate*: who sees one study can't compare.

    >>> from gradtruce.evaluation.errors.lexicon import load_lexicon
    >>> tiers_of([Error("false", "Pneumothorax", "urgent")], load_lexicon())
    ('major_hallucination',)
    """
    counted = [error for error in errors if error.kind != "omitted_comparison"]
    if not counted:
        return ("accurate",)
    serious = {
        error.kind
        for error in counted
        if error.kind in {"false", "missing"} and lexicon.is_serious(error.significance)
    }
    found = (("false", "major_hallucination"), ("missing", "critical_omission"))
    return tuple(tier for kind, tier in found if kind in serious) or ("minor",)


def report_card(generated: str, reference: str, extractor: Extractor) -> Card:
    """Return the card of one generated report.

    >>> report_card("small left effusion", "small right effusion", Extractor()).tiers
    ('minor',)
    """
    said, right = extractor.read(generated), extractor.read(reference)
    comparison = compare(said, right, extractor.lexicon)
    return Card(said, right, comparison, tiers_of(comparison.errors, extractor.lexicon))
