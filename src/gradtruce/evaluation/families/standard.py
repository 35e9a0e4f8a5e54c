"""The families that a run scores itself by: at validation, and at the end."""

from gradtruce.evaluation.families.classification import Classification
from gradtruce.evaluation.families.clinical import Clinical, ClinicalText, LabelerCheck
from gradtruce.evaluation.families.degenerate import DegenerateOutput
from gradtruce.evaluation.families.error_card import ErrorCard
from gradtruce.evaluation.families.lexical import Lexical
from gradtruce.evaluation.family import Family
from gradtruce.evaluation.labelers.base import Labeler
from gradtruce.evaluation.labelers.cached import CachedLabeler
from gradtruce.evaluation.training_texts import TrainingTexts


def standard_families(labeler: Labeler) -> list[Family]:
    """Return what needs nothing but predictions and a labeler, and is fast.

    >>> from gradtruce.evaluation.labelers.rules import RulesLabeler
    >>> [family.name for family in standard_families(RulesLabeler())]
    ['nlg', 'clinical', 'clinical_text', 'labeler', 'classification']
    """
    reader = labeler if isinstance(labeler, CachedLabeler) else CachedLabeler(labeler)
    return [
        Lexical(),
        Clinical(reader),
        ClinicalText(reader),
        LabelerCheck(reader),
        Classification(reader),
    ]


def final_families(labeler: Labeler, training: TrainingTexts | None = None) -> list[Family]:
    """Return the standard families, the error report card and the signs of degenerate output.

    Args:
        labeler: Reads the texts.
        training: Training reports, which copied text is told by.
    """
    return [*standard_families(labeler), ErrorCard(), DegenerateOutput(training)]
