"""The card on known errors, on other wordings of the same facts, and on known findings."""

import json
from pathlib import Path

import numpy as np
import pytest

from gradtruce.data.phantom.facts import StudyFacts, sample_patients
from gradtruce.data.phantom.grammar.content import Facts
from gradtruce.data.phantom.grammar.report import write_report
from gradtruce.evaluation.errors.extract import Extractor
from gradtruce.evaluation.errors.inject import OPERATIONS, inject
from gradtruce.evaluation.errors.self_test import INJECTED_CLASSES, SelfTest, self_test
from gradtruce.evaluation.errors.tiers import report_card
from gradtruce.evaluation.errors.truth import agreement

SEED = 21
"""Phantoms of this seed were not looked at while the words were written."""

STUDIES: list[StudyFacts] = [
    study for patient in sample_patients(300, "standard", SEED) for study in patient.studies
]


@pytest.fixture(scope="module")
def result() -> SelfTest:
    return self_test([study.report for study in STUDIES], seed=0)


def test_a_report_agrees_with_itself(result: SelfTest) -> None:
    assert result.untouched_accurate == 1.0


@pytest.mark.parametrize("kind", INJECTED_CLASSES)
def test_known_errors_in_phantom_reports_are_found(result: SelfTest, kind: str) -> None:
    found = result.by_class[kind]
    assert found.injected >= 80
    assert found.recall >= 0.95
    assert found.precision >= 0.95


def test_every_operation_applies_somewhere(result: SelfTest) -> None:
    assert all(result.by_operation[name].injected for name in OPERATIONS)


def test_the_same_seed_gives_the_same_errors(result: SelfTest) -> None:
    assert self_test([study.report for study in STUDIES], seed=0) == result


def test_an_empty_self_test_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one report"):
        self_test([])


def test_another_wording_of_the_same_facts_has_no_error() -> None:
    extractor, rng = Extractor(), np.random.default_rng(5)
    first = [study for study in STUDIES if study.prior is None]
    for study in first:
        facts = Facts(study.findings, (), has_prior=False, has_lateral=True)
        other = write_report(facts, rng, exponent=1.1).findings
        card = report_card(other, study.report, extractor)
        assert card.tiers == ("accurate",), (other, study.report, card.comparison.errors)


def test_what_is_read_of_phantom_reports_is_what_was_drawn() -> None:
    read = agreement([study.report for study in STUDIES], [study.findings for study in STUDIES])
    assert (read.read, read.surplus) == (read.findings, 0)
    assert read.certain >= 0.99 * read.findings
    for name in ("side", "zone", "severity", "device"):
        assert read.stated[name] >= 50
        assert read.right[name] >= 0.99 * read.stated[name], name


def test_truth_needs_findings_for_each_report() -> None:
    with pytest.raises(ValueError, match="got 1 reports but findings of 0 studies"):
        agreement(["clear lungs"], [])


@pytest.mark.parametrize(
    ("report", "operation", "text"),
    [
        ("There is a left effusion.", "denied_finding", "There is no left effusion."),
        ("A left effusion is seen.", "denied_finding", "A left effusion is not seen."),
        ("No pneumothorax.", "affirmed_absence", "There is pneumothorax."),
        ("Clear lungs. Left effusion.", "dropped_sentence", "Clear lungs."),
        ("Left effusion.", "side_swap", "Right effusion."),
        ("Left basilar atelectasis.", "location_shift", "Left apical atelectasis."),
        ("No mass. Trace edema.", "severity_shift", "No mass. Large edema."),
    ],
)  # fmt: skip
def test_operations(report: str, operation: str, text: str) -> None:
    made = {one.operation: one.text for one in inject(report, np.random.default_rng(0))}
    assert made[operation] == text


@pytest.mark.parametrize(
    ("report", "operation"),
    [
        ("Left effusion. The effusion is small.", "side_swap"),  # two sentences speak of it
        ("Left effusion, not right.", "side_swap"),  # denied in part
        ("Left effusion larger than right.", "side_swap"),  # two sides
        ("No pneumothorax or effusion.", "affirmed_absence"),
        ("Stable edema.", "inserted_comparison"),
    ],
)
def test_an_operation_that_is_not_safe_is_left_out(report: str, operation: str) -> None:
    made = {one.operation for one in inject(report, np.random.default_rng(0))}
    assert operation not in made


def test_known_errors_in_real_reports_are_found(local_data: Path) -> None:
    rows = json.loads((local_data / "iu_xray" / "openi_reports_sections.json").read_text())
    reports = [row["findings"] for row in rows if row["findings"] and row["uid"] % 4 == 1]
    result = self_test(reports, seed=0)
    assert result.untouched_accurate == 1.0
    for kind in INJECTED_CLASSES:
        found = result.by_class[kind]
        assert found.recall >= 0.75, kind
        assert found.precision >= 0.85, kind
