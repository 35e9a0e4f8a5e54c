"""The families that need nothing but predictions and a labeler."""

from gradtruce.evaluation.families.classification import Classification
from gradtruce.evaluation.families.clinical import Clinical, ClinicalText, LabelerCheck
from gradtruce.evaluation.families.lexical import Lexical
from gradtruce.evaluation.family import Family
from gradtruce.evaluation.labelers.base import Labeler
from gradtruce.evaluation.labelers.cached import CachedLabeler


def standard_families(labeler: Labeler) -> list[Family]:
    """Return `nlg`, `clinical`, `clinical_text`, `labeler` and `classification`.

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
