"""Which words state which finding, and whether it is found, missed or invented."""

import pytest

from gradtruce.evaluation.labelers.rules import RulesLabeler
from gradtruce.viewer.report.agreement import (
    Mark,
    Piece,
    compare,
    evidence,
    mark_generated,
    mark_reference,
    read,
    sentences,
)

LABELER = RulesLabeler()


def marked(sentence: tuple[Piece, ...]) -> dict[str, str]:
    return {piece.text: str(piece.verdict) for piece in sentence if piece.verdict}


def test_a_true_finding_is_found_and_only_its_words_are_marked():
    (sentence,) = mark_generated(
        LABELER, "there is a left pleural effusion today .", {"Pleural Effusion": 1}
    )
    assert marked(sentence) == {"effusion": "found"}
    assert " ".join(piece.text for piece in sentence) == "there is a left pleural effusion today ."


def test_a_finding_that_is_not_there_is_invented():
    (sentence,) = mark_generated(LABELER, "pneumothorax on the right .", {"Pneumothorax": 0})
    assert marked(sentence) == {"pneumothorax": "invented"}


def test_a_finding_that_the_truth_does_not_mention_is_invented():
    (sentence,) = mark_generated(LABELER, "pneumothorax on the right .", {})
    assert marked(sentence) == {"pneumothorax": "invented"}


def test_denying_a_true_finding_marks_the_denial_as_missed():
    (sentence,) = mark_generated(LABELER, "there is no pneumothorax .", {"Pneumothorax": 1})
    assert marked(sentence) == {"no pneumothorax": "missed"}


def test_rightly_denying_a_finding_is_not_marked():
    (sentence,) = mark_generated(LABELER, "there is no pneumothorax .", {"Pneumothorax": 0})
    assert marked(sentence) == {}


def test_two_findings_in_one_sentence_are_marked_apart():
    (sentence,) = mark_generated(
        LABELER, "pneumothorax and pulmonary edema .", {"Pneumothorax": 1, "Edema": 0}
    )
    assert marked(sentence) == {"pneumothorax": "found", "edema": "invented"}


def test_a_reference_tells_which_run_has_the_finding():
    readings = {"first": {"Pneumothorax": 1}, "second": {"Pneumothorax": 0}}
    (sentence,) = mark_reference(LABELER, "a pneumothorax .", readings)
    (piece,) = [piece for piece in sentence if piece.marks]
    assert piece.marks == (Mark("Pneumothorax", 1, "partly", (("first", True), ("second", False))),)


@pytest.mark.parametrize(("has", "verdict"), [(True, "found"), (False, "missed")])
def test_a_reference_finding_is_found_or_missed_by_a_single_run(has: bool, verdict: str):
    readings = {"run": {"Pneumothorax": 1} if has else {}}
    (sentence,) = mark_reference(LABELER, "a pneumothorax .", readings)
    assert marked(sentence) == {"pneumothorax": verdict}


def test_a_hedged_statement_is_neither_found_nor_invented():
    (sentence,) = mark_generated(LABELER, "possible edema .", {"Edema": 1})
    assert set(marked(sentence).values()) == {"unsure"}


def test_the_evidence_is_read_like_the_whole_sentence():
    words = ["the", "lungs", "show", "no", "focal", "consolidation", "or", "effusion", "."]
    span = evidence(LABELER, words, "Pleural Effusion", 0)
    part = " ".join(words[place] for place in span)
    assert read(LABELER, [part])[0]["Pleural Effusion"] == 0
    assert len(span) < len(words)


def test_full_stops_attached_to_words_end_sentences_and_decimals_do_not():
    assert [" ".join(words) for words in sentences("A 1.5 cm nodule. Clear otherwise.")] == [
        "A 1.5 cm nodule .",
        "Clear otherwise .",
    ]


@pytest.mark.parametrize("text", ["", " ", ".", ". ."])
def test_a_report_without_words_has_no_sentence(text: str):
    assert mark_generated(LABELER, text, {"Edema": 1}) == []
    assert read(LABELER, [text]) == [{}]


def test_the_worst_verdict_of_overlapping_marks_wins():
    piece = Piece("opacity", (Mark("Edema", 1, "found"), Mark("Pneumonia", 1, "invented")))
    assert piece.verdict == "invented"


def test_uncertain_truth_makes_a_statement_unsure():
    assert compare(1, -1) == "unsure"
    assert compare(None, -1) is None
    assert compare(None, 1) == "missed"
