"""Where a generated report differs from its reference, class by class."""

import pytest

from gradtruce.data.observations import FINDINGS
from gradtruce.evaluation.errors.compare import ERROR_CLASSES, Comparison, compare
from gradtruce.evaluation.errors.extract import Extractor
from gradtruce.evaluation.errors.lexicon import load_lexicon
from gradtruce.evaluation.errors.statement import Statement
from gradtruce.evaluation.errors.tiers import report_card

EXTRACTOR = Extractor()


def comparison(generated: str, reference: str) -> Comparison:
    lexicon = EXTRACTOR.lexicon
    return compare(EXTRACTOR.read(generated), EXTRACTOR.read(reference), lexicon)


def kinds(generated: str, reference: str) -> list[str]:
    return [error.kind for error in comparison(generated, reference).errors]


@pytest.mark.parametrize(
    ("generated", "reference", "errors"),
    [
        ("", "Small left effusion.", ["missing"]),
        ("Small left effusion.", "", ["false"]),
        ("Small left effusion.", "No effusion.", ["false"]),
        ("No effusion.", "Clear lungs.", []),
        ("Left effusion.", "Right effusion.", ["wrong_side"]),
        ("Left upper lobe consolidation.", "Left lower lobe consolidation.", ["wrong_location"]),
        ("Small effusion.", "Large effusion.", ["wrong_severity"]),
        ("Effusion.", "Large left effusion.", []),
        ("Small to moderate effusion.", "Moderate effusion.", []),
        ("Stable effusion.", "Effusion.", ["unfounded_comparison"]),
        ("Improving effusion.", "Worsening effusion.", ["unfounded_comparison"]),
        ("Effusion.", "Stable effusion.", ["omitted_comparison"]),
        ("Clear lungs. No interval change.", "Clear lungs.", ["unfounded_comparison"]),
        ("The effusion has resolved.", "Clear lungs.", ["unfounded_comparison"]),
        ("The effusion has resolved.", "No effusion. Stable.", ["unfounded_comparison"]),
        ("Clear lungs.", "The effusion has resolved.", ["omitted_comparison"]),
        ("An NG tube.", "A chest tube.", ["false", "missing"]),
        ("A catheter.", "Right PICC.", []),
    ],
)
def test_errors_by_class(generated: str, reference: str, errors: list[str]) -> None:
    assert kinds(generated, reference) == errors


@pytest.mark.parametrize(
    ("generated", "reference", "errors"),
    [
        ("Bilateral effusions.", "Left effusion. Right effusion.", []),
        ("Left effusion.", "Bilateral effusions.", ["missing"]),
        ("Bilateral effusions.", "Left effusion.", ["false"]),
        ("Bilateral effusions.", "Clear lungs.", ["false"]),
        ("Effusions.", "Bilateral effusions.", []),
    ],
)
def test_a_bilateral_finding_is_one_a_side(
    generated: str, reference: str, errors: list[str]
) -> None:
    assert kinds(generated, reference) == errors


def test_findings_are_paired_that_agree_best() -> None:
    reference = "Small left effusion. Large right effusion."
    assert kinds("Large right effusion. Small left effusion.", reference) == []
    assert kinds("Large left effusion. Large right effusion.", reference) == ["wrong_severity"]


def test_a_nodule_elsewhere_altogether_is_another_nodule() -> None:
    right = "Nodule in the left upper lobe."
    assert kinds("Nodule in the right lower lobe.", right) == ["false", "missing"]
    assert kinds("Nodule in the right upper lobe.", right) == ["wrong_side"]


def test_a_difference_in_certainty_is_counted_but_no_error() -> None:
    found = comparison("Possible effusion.", "Effusion.")
    assert (found.errors, found.matched, found.certainty_differences) == ((), 1, 1)


def test_false_and_missing_mirror_each_other() -> None:
    one, two = "Small left effusion. Edema.", "Right nodule. Edema."
    there, back = kinds(one, two), kinds(two, one)
    assert there.count("false") == back.count("missing") == 1
    assert there.count("missing") == back.count("false") == 1


@pytest.mark.parametrize(
    ("generated", "reference", "tiers"),
    [
        ("Clear lungs.", "Clear lungs.", ("accurate",)),
        ("Effusion.", "Stable effusion.", ("accurate",)),
        ("Left effusion.", "Right effusion.", ("minor",)),
        ("Mild atelectasis.", "Clear lungs.", ("minor",)),
        ("Pneumothorax.", "Clear lungs.", ("major_hallucination",)),
        ("Clear lungs.", "Pneumothorax.", ("critical_omission",)),
        ("Edema.", "Pneumothorax.", ("major_hallucination", "critical_omission")),
        ("", "", ("accurate",)),
    ],
)
def test_tiers(generated: str, reference: str, tiers: tuple[str, ...]) -> None:
    assert report_card(generated, reference, EXTRACTOR).tiers == tiers


def test_every_finding_and_degree_has_a_level() -> None:
    lexicon = load_lexicon()
    for name in FINDINGS:
        for degrees in ((), (1,), (2,), (3,), (1, 3)):
            level = lexicon.significance_of(Statement(name, severities=degrees))
            assert level in lexicon.levels
    assert {*lexicon.devices.lists, ""} == set(lexicon.device_significance)
    assert set(lexicon.device_significance.values()) <= set(lexicon.levels)


def test_significance_never_falls_with_the_degree() -> None:
    lexicon = load_lexicon()
    for levels in lexicon.significance.values():
        ranks = [lexicon.levels.index(level) for level in levels[:3]]
        assert ranks == sorted(ranks)


def test_errors_come_in_the_order_of_the_classes() -> None:
    found = kinds("New left upper nodule. Small edema.", "Right upper nodule. Large edema. Mass.")
    order: list[str] = [*ERROR_CLASSES]
    assert found == sorted(found, key=order.index)
