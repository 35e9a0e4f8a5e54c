"""Splitting raw reports: golden reports of our own wording, in the layouts that are about."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradtruce.data.text.section_names import section_name
from gradtruce.data.text.sections import choose_target, split_sections

USUAL = """                                 FINAL REPORT
 EXAMINATION:  Chest film
_
 INDICATION:  ___ year old with a cough.
_
 TECHNIQUE:  Upright film.
_
 COMPARISON:  ___.
_
 FINDINGS:
_
 The lungs are bright: no opacity is seen
 at 9:30.
_
 IMPRESSION:
_
 1.  Nothing new.
 2.  Heart as before.
""".replace("\n_\n", "\n \n")


def test_the_usual_report_has_its_sections_under_their_names():
    assert split_sections(USUAL) == {
        "preamble": "FINAL REPORT",
        "examination": "Chest film",
        "indication": "___ year old with a cough.",
        "technique": "Upright film.",
        "comparison": "___.",
        "findings": "The lungs are bright: no opacity is seen\n at 9:30.",
        "impression": "1.  Nothing new.\n 2.  Heart as before.",
    }


def test_windows_and_old_mac_newlines_change_nothing():
    for newline in ("\r\n", "\r"):
        assert split_sections(USUAL.replace("\n", newline)) == split_sections(USUAL)


def test_a_report_without_header_is_one_section_and_its_last_paragraph():
    text = " FINAL REPORT\n A single view.\n \n No effusion.\n \n Tubes in place.\n"
    assert split_sections(text) == {
        "full_report": "FINAL REPORT\n A single view.",
        "last_paragraph": "No effusion.\n \n Tubes in place.",
    }


def test_without_findings_the_last_paragraph_is_cut_off_the_last_section():
    text = "\n INDICATION: Fall.\n \n COMPARISON: None.\n \n No broken rib.\n"
    assert split_sections(text) == {
        "indication": "Fall.",
        "comparison": "None.",
        "last_paragraph": "No broken rib.",
    }


def test_of_several_findings_the_last_that_is_not_blank_counts():
    text = "\n CHEST, TWO VIEWS:\n \n FINDINGS: Old.\n \n FINDINGS: New.\n \n PORTABLE AP:\n \n"
    assert split_sections(text) == {"findings": "New."}


def test_a_title_of_views_stands_above_findings():
    text = "\n PORTABLE UPRIGHT FILM: The tube is high.\n \n CONCLUSION: Tube high.\n"
    assert split_sections(text) == {"findings": "The tube is high.", "impression": "Tube high."}


def test_findings_and_impression_under_one_header_are_an_impression():
    for header in ("FINDINGS AND IMPRESSION", "FINDINGS/IMPRESSION", "FINDINGS/ IMPRESSION"):
        assert split_sections(f"\n {header}: All clear.\n") == {"impression": "All clear."}


def test_wet_read_and_addendum_stay_apart_from_the_report():
    text = (
        "\n WET READ: ___ ___ ___ 9:32 PM\n  Maybe a line too deep.\n ______\n FINAL REPORT\n"
        " ADDENDUM:  Told by phone.\n \n FINDINGS:  Line is fine.\n"
    )
    assert split_sections(text) == {
        "wet_read": "___ ___ ___ 9:32 PM\n  Maybe a line too deep.\n ______\n FINAL REPORT",
        "addendum": "Told by phone.",
        "findings": "Line is fine.",
    }


def test_history_joins_the_indication_and_unknown_headers_keep_their_name():
    text = "\n CLINICAL HISTORY: Fever.\n \n REASON FOR EXAM: Cough.\n \n DOSE (MGY): Low.\n"
    assert split_sections(text) == {"indication": "Fever.\nCough.", "dose (mgy)": "Low."}


def test_the_mimic_rule_takes_a_header_on_the_next_line_for_text():
    text = "\n INDICATION:  Pain.\n FINDINGS:\n IMPRESSION:  Clear.\n"
    assert split_sections(text) == {"indication": "Pain.", "findings": "IMPRESSION:  Clear."}


LOWER = "Findings: Clear lungs. Note: one view.\n\tNote: see this.\nimpression:normal\n"


def test_the_mimic_rule_knows_no_lower_case_header():
    assert split_sections(LOWER) == {"full_report": LOWER.strip()}


def test_known_headers_are_found_in_any_case_when_asked_for():
    assert split_sections(LOWER, "any_case") == {
        "findings": "Clear lungs. Note: one view.\n\tNote: see this.",
        "impression": "normal",
    }
    assert split_sections("XXXX: a\nDOSE: b", "any_case") == {
        "preamble": "XXXX: a",
        "dose": "b",
    }


def test_the_any_case_rule_reads_a_usual_report_alike():
    assert split_sections(USUAL, "any_case") == split_sections(USUAL)


LAYOUTS = {
    "one line": "INDICATION: Cough. FINDINGS: Clear lungs. IMPRESSION: Normal.",
    "one line, no full stops": "INDICATION: Cough FINDINGS: Clear lungs. IMPRESSION: Normal.",
    "one line, small letters": "Indication: Cough. Findings: Clear lungs. Impression: Normal.",
    "small letters, no full stop": "Indication: Cough Findings: Clear lungs. Impression: Normal.",
    "after a title": "Film of today. INDICATION: Cough. FINDINGS: Clear lungs. IMPRESSION: Normal.",
    "Markdown": "**Indication:** Cough.\n\n**Findings:** Clear lungs.\n\n## Impression\n\nNormal.",
    "alone on a line": "INDICATION\nCough.\n\nFINDINGS\nClear lungs.\n\nIMPRESSION\nNormal.",
    "dashes": "INDICATION - Cough.\nFINDINGS - Clear lungs.\nIMPRESSION - Normal.",
    "numbers": "1. INDICATION: Cough.\n2. FINDINGS: Clear lungs.\n3. IMPRESSION: Normal.",
    "hard blanks": "INDICATION:\u00a0Cough.\n\u00a0FINDINGS: Clear lungs.\nIMPRESSION: Normal.",
    "wide colons": "INDICATION： Cough.\nFINDINGS： Clear lungs.\nIMPRESSION： Normal.",
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_no_layout_brings_the_indication_into_the_findings(layout):
    sections = split_sections(LAYOUTS[layout], "any_case")
    assert {name: sections[name] for name in ("indication", "findings", "impression")} == {
        "indication": sections["indication"],
        "findings": "Clear lungs.",
        "impression": "Normal.",
    }
    assert sections["indication"].rstrip(".") == "Cough"


@pytest.mark.parametrize("header", ["LINES AND TUBES", "RIBS", "CHEST WALL", "OTHER FINDINGS"])
def test_what_organs_head_stays_in_the_findings(header):
    text = f"FINDINGS: Clear lungs.\n{header}: As before.\nIMPRESSION: Normal."
    assert split_sections(text, "any_case") == {
        "findings": f"Clear lungs.\n{header}: As before.",
        "impression": "Normal.",
    }


def test_organs_without_a_heading_above_them_are_findings():
    text = "INDICATION: Cough.\nLUNGS: Clear.\nHEART: Normal.\nIMPRESSION: Normal."
    assert split_sections(text, "any_case")["findings"] == "LUNGS: Clear.\nHEART: Normal."
    text = "FINDINGS:\nLUNGS: Clear.\nHEART: Normal."
    assert split_sections(text, "any_case") == {"findings": "LUNGS: Clear.\nHEART: Normal."}


def test_a_report_in_capitals_is_not_cut_at_its_colons():
    text = "FINDINGS: THE FILM SHOWS\nTHE FOLLOWING: AN EFFUSION.\nIMPRESSION: EFFUSION."
    assert split_sections(text, "any_case") == {
        "findings": "THE FILM SHOWS\nTHE FOLLOWING: AN EFFUSION.",
        "impression": "EFFUSION.",
    }


@pytest.mark.parametrize("rule", ["mimic", "any_case"])
def test_a_reason_that_names_the_chest_is_no_finding(rule):
    for header in ("REASON FOR PORTABLE CHEST", "INDICATION FOR CHEST FILM", "CLINICAL CHEST PAIN"):
        text = f"\n {header}: Cough.\n \n IMPRESSION: Normal.\n"
        assert split_sections(text, rule) == {"indication": "Cough.", "impression": "Normal."}


@pytest.mark.parametrize("rule", ["mimic", "any_case"])
def test_a_notification_about_findings_does_not_take_their_place(rule):
    text = "\n FINDINGS: Clear.\n \n COMMUNICATION OF CRITICAL FINDINGS: By phone.\n"
    assert split_sections(text, rule) == {"findings": "Clear.", "notification": "By phone."}


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("IMPRESSOIN", "impression"),
        ("FINDNGS", "findings"),
        ("COMPARSON", "comparison"),
        ("NDICATION", "indication"),
        ("CT  FINDINGS", "findings"),
        ("FRONTAL AND LATERAL", "findings"),
        ("WETREAD", "wet_read"),
        ("TECHNIQUE OF CHEST FILM", "technique"),
        ("CONCLUSIONS", "conclusions"),
    ],
)
def test_spellings_are_brought_to_one_name(header, name):
    assert section_name(header) == name


BOTH = {"findings": " Clear. ", "impression": "Normal."}


@pytest.mark.parametrize(
    ("sections", "target", "text", "used"),
    [
        (BOTH, "findings", "Clear.", ("findings",)),
        (BOTH, "findings+impression", "Clear. Normal.", ("findings", "impression")),
        (BOTH, "labeler_text", "Normal.", ("impression",)),
        ({"last_paragraph": "Fine.", "comparison": "No."}, "labeler_text", "Fine.", None),
        ({"comparison": "None."}, "labeler_text", "None.", ("comparison",)),
    ],
)
def test_the_target_is_the_section_asked_for(sections, target, text, used):
    chosen = choose_target(sections, target)
    assert (chosen.text, chosen.reason) == (text, "")
    assert used is None or chosen.sections == used


@pytest.mark.parametrize(
    ("sections", "target", "reason"),
    [
        ({}, "findings", "no findings section"),
        ({"findings": "Clear."}, "findings+impression", "no impression section"),
        ({"findings": " \n"}, "findings", "no findings section"),
        ({"findings": "___. XXXX 1 2."}, "findings", "findings holds no word"),
        (
            {"indication": "x"},
            "labeler_text",
            "none of impression, findings, last_paragraph, comparison",
        ),
    ],
)
def test_a_study_without_target_says_why(sections, target, reason):
    chosen = choose_target(sections, target)
    assert (chosen.text, chosen.sections, chosen.reason) == (None, (), reason)


PIECES = st.sampled_from(
    ["\n ", "\n", " \n", "FINDINGS", "Impression", ":", ": ", "AB", "lungs clear.", "\r\n", "\t"]
)


@pytest.mark.parametrize("rule", ["mimic", "any_case"])
@given(text=st.text() | st.lists(PIECES, max_size=30).map("".join))
def test_any_text_is_split_and_no_word_is_invented(text, rule):
    sections = split_sections(text, rule)
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    for name, body in sections.items():
        assert name
        assert body == body.strip() != ""
        assert all(part in text for part in body.split("\n"))
