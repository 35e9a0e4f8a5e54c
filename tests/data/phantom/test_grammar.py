"""Reports of synthetic studies."""

import itertools
import re
from collections import Counter
from functools import cache

import numpy as np
import pytest

from gradtruce.data.observations import FINDINGS
from gradtruce.data.phantom.disease import DIFFICULTIES, MAY_BE_HEDGED
from gradtruce.data.phantom.facts import sample_patients
from gradtruce.data.phantom.grammar.content import Facts
from gradtruce.data.phantom.grammar.engine import Grammar
from gradtruce.data.phantom.grammar.report import as_sentence, write_report
from gradtruce.data.phantom.kinds import KINDS
from gradtruce.data.study import Finding
from gradtruce.data.text import clean
from gradtruce.evaluation.labelers.rules import RulesLabeler
from gradtruce.evaluation.labelers.rules_phrases import load_phrases
from gradtruce.evaluation.labelers.rules_sentence import SentenceReader, sentences

GONE = re.compile(r"resol|no longer|removed|removal")


@cache
def studies(level="standard"):
    patients = sample_patients(250 if level == "standard" else 100, level, seed=2)
    return tuple(study for patient in patients for study in patient.studies)


def report_of(*findings, seed=0, **facts):
    return write_report(Facts(findings, **facts), np.random.default_rng(seed))


def test_the_commonest_wording_is_chosen_most_often_and_the_rarest_still_is():
    grammar = Grammar({"word": ["first", "second", "third", "fourth"]}, 1.3)
    rng = np.random.default_rng(0)
    counts = Counter(grammar.write("word", {}, rng) for _ in range(2000))
    assert [word for word, _ in counts.most_common()] == ["first", "second", "third", "fourth"]
    assert counts["first"] / counts["second"] == pytest.approx(2**1.3, rel=0.2)


def test_the_exponent_rules_orders_and_statements_too():
    nothing = Facts(())
    reports = {
        exponent: {
            write_report(nothing, np.random.default_rng(seed), exponent).findings.split(".")[0]
            for seed in range(60)
        }
        for exponent in (0.0, 30.0)
    }
    assert len(reports[30.0]) <= 3  # the commonest first sentence, now and then an opening
    assert len(reports[0.0]) > 20


def test_a_slot_that_is_neither_word_nor_symbol_is_an_error_that_names_it():
    grammar = Grammar({"word": ["{size}"]}, 1.0)
    with pytest.raises(KeyError, match="size"):
        grammar.write("word", {"side": "left"}, np.random.default_rng(0))


def test_an_empty_symbol_or_a_negative_exponent_is_refused():
    with pytest.raises(ValueError, match="'word' has none"):
        Grammar({"word": []}, 1.0)
    with pytest.raises(ValueError, match="at least 0, got -1"):
        Grammar({"word": ["one"]}, -1.0)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a enlarged heart", "An enlarged heart."),
        ("there is a 8 mm nodule", "There is an 8 mm nodule."),
        ("a 18 mm nodule", "An 18 mm nodule."),
        ("a 1.8 cm nodule", "A 1.8 cm nodule."),
        ("an hazy opacity", "A hazy opacity."),
    ],
)
def test_a_sentence_has_a_capital_a_full_stop_and_the_right_article(text, sentence):
    assert as_sentence(text) == sentence


def test_every_kind_can_be_said_with_every_attribute_and_change():
    changes = (
        ("definite", None),
        ("possible", None),
        *(("definite", change) for change in ("new", "increased", "decreased", "unchanged")),
    )
    for kind, (certainty, change) in itertools.product(KINDS, changes):
        is_device = kind.observation == "Support Devices"
        if certainty == "possible" and kind.name not in MAY_BE_HEDGED:
            continue
        if is_device and change in {"increased", "decreased"}:
            continue
        size = kind.size and kind.size[0]
        attributes = (kind.sides, kind.zones, kind.severities)
        for side, zone, severity in itertools.product(*(one or (None,) for one in attributes)):
            finding = Finding(
                kind.observation, kind.name, severity, side, zone, size, certainty, change
            )
            report = report_of(finding, has_prior=change is not None, seed=len(kind.name))
            assert not set("{}$") & set(report.findings + report.impression)


def test_the_same_random_numbers_give_the_same_report():
    nodule = Finding("Lung Lesion", "nodule", side="left", zone="upper", size=12.0)
    assert report_of(nodule, seed=4) == report_of(nodule, seed=4)
    assert len({report_of(nodule, seed=seed).findings for seed in range(20)}) > 15


@pytest.mark.parametrize("level", DIFFICULTIES)
@pytest.mark.parametrize("mode", [None, "clean", "r2gen"])
def test_the_labeler_reads_the_truth_from_the_report(level, mode):
    texts = [
        study.report if mode is None else clean(study.report, mode) for study in studies(level)
    ]
    read = RulesLabeler().label(texts)[:, : len(FINDINGS)]
    truth = np.array([[study.labels[name] for name in FINDINGS] for study in studies(level)])
    for state, least in ((1, 0.99), (-1, 0.95)):
        both = ((read == state) & (truth == state)).sum()
        said = (read == state).sum() + (truth == state).sum()
        assert said == 0 or 2 * both / said >= least


def test_no_sentence_denies_what_is_there():
    reader = SentenceReader(load_phrases())
    for study in studies():
        for sentence in (one for one in sentences(study.report) if not GONE.search(one)):
            denied = {name for name, state in reader.read(sentence) if state == 0}
            assert not [name for name in denied if study.labels.get(name, 0) != 0], study.report


def test_lungs_are_not_called_clear_beside_a_finding_in_them():
    in_lungs = ("Lung Opacity", "Lung Lesion", "Edema", "Consolidation", "Pneumonia", "Atelectasis")
    claim = re.compile(r"\blungs (?:are|appear) clear|clear lungs")
    called_clear = [study for study in studies() if claim.search(study.report.lower())]
    assert len(called_clear) > 40
    assert not [one.report for one in called_clear if any(one.labels[name] for name in in_lungs)]


def test_infiltrate_is_not_denied_beside_consolidation():
    opaque = [one for one in studies() if one.labels["Consolidation"] == 1]
    denial = re.compile(
        r"\b(?:no|without|negative for)\b[^.]*(?:infiltrate|airspace|focal opacity)"
    )
    assert not [one.report for one in opaque if denial.search(one.report.lower())]


@pytest.mark.parametrize("side", ["left", "right"])
def test_the_other_side_is_named_only_to_call_it_clear(side):
    other = {"left": "right", "right": "left"}[side]
    mass = Finding("Lung Lesion", "mass", side=side, zone="upper", size=40.0)
    for seed in range(60):
        text = report_of(mass, seed=seed).findings.lower()
        assert side in text
        assert other not in text.replace(f"the {other} lung is clear", "")


def test_a_size_is_stated_as_it_is():
    nodule = Finding("Lung Lesion", "nodule", side="left", zone="upper", size=15.0)
    texts = [report_of(nodule, seed=seed).findings for seed in range(100)]
    stated = [re.search(r"\b([\d.]+) (?:mm|cm)", text) for text in texts]
    assert {match[0] for match in stated if match} == {"15 mm", "1.5 cm"}


def test_reports_have_the_length_and_the_vocabulary_of_short_real_ones():
    texts = [clean(study.report, "clean") for study in studies()]
    lengths = [len(text.split()) for text in texts]
    assert 30 <= np.mean(lengths) <= 50
    assert min(lengths) >= 8
    assert 250 <= len({word for text in texts for word in text.split()}) <= 450
    assert 3 <= np.mean([text.count(" .") for text in texts]) <= 7


def test_some_reports_hold_the_blanks_of_de_identification():
    assert 0.1 < np.mean(["XXXX" in study.report for study in studies()]) < 0.5


def test_harder_levels_have_more_varied_wording():
    facts = Facts([Finding("Edema", "pulmonary edema", "mild", "bilateral")])
    commonest = []
    for difficulty in (DIFFICULTIES[level] for level in ("easy", "standard", "hard")):
        rng = np.random.default_rng(0)
        texts = [write_report(facts, rng, difficulty.wording).impression for _ in range(200)]
        commonest.append(max(Counter(texts).values()))
    assert commonest[0] > commonest[1] > commonest[2]


def test_a_change_is_mostly_said():
    words = re.compile(r"increase|worsen|larger")
    grown = [
        one for one in studies() if any(finding.change == "increased" for finding in one.findings)
    ]
    assert np.mean([bool(words.search(one.report.lower())) for one in grown]) > 0.6


def test_an_impression_names_the_findings_or_says_that_there_is_none():
    for study in studies():
        impression = study.sections["impression"]
        assert impression.endswith(".")
        assert impression.startswith("1. ") == ("2. " in impression)
    edema = Finding("Edema", "pulmonary edema", "mild", "bilateral")
    assert "edema" in report_of(edema).impression.lower()
