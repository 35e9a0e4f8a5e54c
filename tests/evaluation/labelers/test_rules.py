"""The rule-based labeler."""

import hashlib
import logging
import time
from importlib.resources import files

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradtruce.data.observations import OBSERVATIONS
from gradtruce.evaluation.labelers.rules import RulesLabeler
from gradtruce.evaluation.labelers.rules_sentence import sentences

LABELER = RulesLabeler()
SHORT = {
    "EC": "Enlarged Cardiomediastinum",
    "CM": "Cardiomegaly",
    "LO": "Lung Opacity",
    "LL": "Lung Lesion",
    "ED": "Edema",
    "CO": "Consolidation",
    "PN": "Pneumonia",
    "AT": "Atelectasis",
    "PX": "Pneumothorax",
    "PE": "Pleural Effusion",
    "PO": "Pleural Other",
    "FX": "Fracture",
    "SD": "Support Devices",
    "NF": "No Finding",
}


def read(report, labeler=LABELER):
    """Return what is said, by short name; what is not mentioned is left out."""
    row = dict(zip(OBSERVATIONS, labeler.label([report])[0], strict=True))
    return {short: int(row[name]) for short, name in SHORT.items() if not np.isnan(row[name])}


@pytest.mark.parametrize(
    ("report", "expected"),
    [
        # one of each
        ("The mediastinum is widened.", {"EC": 1}),
        ("Marked cardiomegaly.", {"CM": 1}),
        ("Left basilar opacities.", {"LO": 1}),
        ("A 5 mm nodule is seen.", {"LL": 1}),
        ("Mild pulmonary edema.", {"ED": 1}),
        ("Lobar consolidation.", {"CO": 1}),
        ("Findings of pneumonia.", {"PN": 1}),
        ("Platelike atelectasis.", {"AT": 1}),
        ("Small apical pneumothorax.", {"PX": 1}),
        ("Layering effusion.", {"PE": 1}),
        ("Apical pleural thickening.", {"PO": 1}),
        ("Displaced rib fractures.", {"FX": 1}),
        ("Endotracheal tube above the carina.", {"SD": 1, "NF": 1}),
        ("Lungs are clear.", {"NF": 1}),
        # negation and how far it reaches
        ("No pneumothorax or pleural effusion.", {"PX": 0, "PE": 0, "NF": 1}),
        (
            "No focal consolidation, effusion, or pneumothorax.",
            {"CO": 0, "PE": 0, "PX": 0, "NF": 1},
        ),
        ("No pneumothorax, but a small effusion.", {"PX": 0, "PE": 1}),
        ("No effusion, mild edema.", {"PE": 0, "ED": 1}),
        ("No effusion and the heart is enlarged.", {"PE": 0, "CM": 1}),
        ("Small effusion without pneumothorax.", {"PE": 1, "PX": 0}),
        ("Pneumothorax is not seen.", {"PX": 0, "NF": 1}),
        ("The effusion has resolved.", {"PE": 0, "NF": 1}),
        ("The chest tube has been removed.", {"SD": 0, "NF": 1}),
        ("No change in the left effusion.", {"PE": 1}),
        ("Lungs are free of airspace disease.", {"LO": 0, "NF": 1}),
        # doubt
        ("Possible effusion.", {"PE": -1}),
        ("Pneumonia cannot be excluded.", {"PN": -1}),
        ("Cannot exclude pneumonia.", {"PN": -1}),
        ("No new infiltrate.", {"LO": -1}),
        ("Opacity which may represent pneumonia.", {"LO": 1, "PN": -1}),
        ("Opacity, may reflect atelectasis or consolidation.", {"LO": 1, "AT": -1, "CO": -1}),
        ("Atelectasis versus infiltrate at the base.", {"AT": -1, "LO": -1}),
        ("Mild pulmonary vascular congestion.", {"ED": -1}),
        # positive goes before uncertain before negative
        ("No effusion. Possible effusion.", {"PE": -1}),
        ("Possible effusion. Small effusion. No effusion.", {"PE": 1}),
        # organs: by what is said of them
        ("Heart size is normal.", {"CM": 0, "NF": 1}),
        ("The heart is not enlarged.", {"CM": 0, "NF": 1}),
        ("Heart size is borderline.", {"CM": -1}),
        ("Heart size upper limits of normal.", {"CM": 0, "NF": 1}),
        ("The heart is stable.", {"CM": -1}),
        ("The heart is stable and mildly enlarged.", {"CM": 1}),
        ("Enlarged cardiac silhouette.", {"CM": 1}),
        ("Heart and mediastinum are normal.", {"CM": 0, "EC": 0, "NF": 1}),
        ("The heart is enlarged, mediastinum normal.", {"CM": 1, "EC": 0}),
        ("No widening of the mediastinum.", {"EC": 0, "NF": 1}),
        ("The mediastinum is unchanged.", {"NF": 1}),
        ("The heart may be mildly enlarged.", {"CM": -1}),
        # what only looks like a mention
        ("History of tuberculosis treatment.", {"NF": 1}),
        ("Kerley lines are absent.", {"ED": 0, "NF": 1}),
        ("Vertebral body collapse.", {"NF": 1}),
        ("Supportive care was given.", {"NF": 1}),
        ("Pericardial effusion.", {"NF": 1}),
        ("Opacity over the left heart border.", {"LO": 1}),
        ("Massive effusion.", {"PE": 1}),
        # others bar No Finding, unless they are denied
        ("Calcified nodules.", {}),
        ("Hyperexpanded but clear lungs.", {}),
        ("Degenerative changes of the spine.", {}),
        ("No degenerative change.", {"NF": 1}),
        # heart failure makes a large heart likely
        ("Congestive heart failure.", {"ED": 1, "CM": -1}),
        ("No evidence of heart failure.", {"ED": 0, "NF": 1}),
        # text as R2Gen cleans it
        (
            "no pneumothorax or effusion . heart size is normal .",
            {"PX": 0, "PE": 0, "CM": 0, "NF": 1},
        ),
    ],
)
def test_a_report_is_read_as_a_radiologist_would(report, expected):
    assert read(report) == expected


def test_an_empty_report_says_nothing_unless_asked_to_be_normal(caplog):
    with caplog.at_level(logging.INFO):
        assert read("") == read(" . ") == {}
    assert "1 of 1 reports are empty" in caplog.text
    assert read("", RulesLabeler(empty_policy="normal")) == {"NF": 1}


def test_no_finding_is_never_negative_or_uncertain():
    rows = LABELER.label(["Edema.", "Possible edema.", "Normal."])
    assert np.isnan(rows[:2, -1]).all()
    assert rows[2, -1] == 1


def test_enumerators_begin_sentences_and_decimals_do_not_end_them():
    report = "1. Nodule of 1.5 cm, stable. 2) No mass/effusion and/or edema\n3. L1. Clear"
    assert sentences(report) == [
        "nodule of 1.5 cm, stable",
        "no mass or effusion or edema",
        "l1",
        "clear",
    ]


def test_the_identity_names_version_and_hash_of_the_phrases():
    data = files("gradtruce.evaluation.labelers").joinpath("rules.toml").read_bytes()
    assert LABELER.identity == f"rules 3 (sha256 {hashlib.sha256(data).hexdigest()}, empty blank)"


def test_the_identity_tells_the_policies_apart():
    identities = {
        RulesLabeler(empty_policy=policy, compat=compat).identity
        for policy in ("blank", "normal")
        for compat in (False, True)
    }
    assert len(identities) == 4
    assert sum(one.endswith(", compat)") for one in identities) == 2


def test_a_policy_that_is_none_is_refused():
    with pytest.raises(ValueError, match="'blank' or 'normal', got 'skip'"):
        RulesLabeler(empty_policy="skip")


# What the original misreads: the report, our reading, and its own.
QUIRKS = [
    ("Plate-like atelectasis.", {"AT": 1}, {"AT": 1, "SD": 1}),
    ("Intact end plates.", {"NF": 1}, {"SD": 1, "NF": 1}),
    ("Old tuberculosis.", {"NF": 1}, {"SD": 1, "NF": 1}),
    ("Supportive care only.", {"NF": 1}, {"SD": 1, "NF": 1}),
    ("Kerley lines.", {"ED": 1}, {"ED": 1, "SD": 1}),
    ("Thin pleural line.", {"NF": 1}, {"SD": 1, "NF": 1}),
    ("Vertebral body collapse.", {"NF": 1}, {"AT": 1}),
    ("Pulmonary fibrosis.", {}, {"PO": 1}),
    ("The aortic contour is normal.", {"NF": 1}, {"EC": 0, "NF": 1}),
    ("The mediastinum is unchanged.", {"NF": 1}, {"EC": -1}),
]


@pytest.mark.parametrize(("report", "ours", "original"), QUIRKS)
def test_compat_misreads_what_the_original_misreads(report, ours, original):
    assert read(report) == ours
    assert read(report, RulesLabeler(compat=True)) == original


def test_compat_changes_nothing_else():
    report = "Large effusion. Possible edema. No mass. The heart is normal. Chest tube in place."
    assert read(report) == read(report, RulesLabeler(compat=True))


def test_no_report_gives_a_matrix_without_rows():
    assert LABELER.label([]).shape == (0, 14)


@given(st.text() | st.text(alphabet="no effusin,.-/ 1\n"))
def test_any_text_is_read(report):
    states = LABELER.label([report])[0]
    assert all(np.isnan(state) or state in {-1, 0, 1} for state in states)


@pytest.mark.parametrize(
    "text",
    [
        "Small\u00a0effusion.",
        "Small e\ufb00usion\u200b.",
        "small effusion \u2014 no mass",
        "SMALL EFFUSION\u3002",
    ],
)
def test_characters_of_word_processors_are_read_as_what_they_stand_for(text):
    assert read(text)["PE"] == 1


# Texts without an end: time must grow with their length, not with its square.
ENDLESS = [
    "small effusion or edema and ",
    "no mass, ",
    "is not ",
    "appear",
    "nodular ",
    "\n\n \r\n",
    "1. ",
    "a",
    "\U0001fac1",
    "calcified a b ",
    "the heart and the mediastinum ",
]


@pytest.mark.parametrize("text", ENDLESS)
def test_a_report_without_end_takes_time_in_proportion(text):
    def seconds(length):
        report = "".join(f"{text}{number} " for number in range(length // len(text)))[:length]
        start = time.process_time()
        RulesLabeler().label([report])
        return time.process_time() - start

    seconds(1000)
    small, large = seconds(2**13), seconds(2**16)
    assert large < 24 * small + 0.5  # eight times as long


@pytest.mark.parametrize("text", ["\n\n \r\n", "a", "1. ", "no effusion. "])
def test_a_report_of_a_megabyte_is_read_in_seconds(text):
    start = time.process_time()
    RulesLabeler().label([text * (2**20 // len(text))])
    assert time.process_time() - start < 5


def test_a_finding_late_in_a_text_without_stops_is_found():
    assert read("clear lungs and " * 5000 + "a large effusion")["PE"] == 1
