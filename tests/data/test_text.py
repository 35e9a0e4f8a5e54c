"""Cleaning of report text."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradtruce.data.text import clean

ANNOTATION = Path(__file__).parents[3] / "shared" / "data" / "iu_xray" / "annotation.json"


@pytest.mark.parametrize(
    ("raw", "cleaned"),
    [
        (
            "1. Right-sided effusion, 2. No PTX.  XXXX..",
            "right-sided effusion . no ptx . xxxx .",
        ),
        ("A. B.C? 98.6 deg; [x] (y) it's", "a . bc 986 deg x y its ."),
        ("At the level of L1. The rest is clear.", "at the level of lthe rest is clear ."),
        ("", " ."),
        ("Clear. . Normal.", "clear .  . normal ."),
        ("a <= b @ c", "a  b  c ."),
    ],
)
def test_r2gen_mode_gives_the_golden_strings(raw, cleaned):
    assert clean(raw, "r2gen") == cleaned


@pytest.mark.parametrize(
    ("raw", "cleaned"),
    [
        (
            "1. Right-sided effusion, 2. No PTX.  XXXX..",
            "right-sided effusion . no ptx . xxxx .",
        ),
        ("Line one\nand\n  two.\nNew: ____ cm....", "line one and two . new  cm ."),
        ("Done . . . . Next.", "done .  .  .  . next ."),
        ("a" + 13 * ".", "a ."),
        ("Seen on ___ 3. 4. Mass,\r\nold", "seen on  . mass\r old ."),
        ("", " ."),
    ],
)
def test_r2gen_mimic_and_promptmrg_modes_give_the_golden_strings(raw, cleaned):
    assert clean(raw, "r2gen_mimic") == cleaned
    assert clean(raw, "promptmrg") == cleaned


def test_the_two_r2gen_modes_differ_where_lines_break():
    raw = "No\neffusion.  Clear."
    assert clean(raw, "r2gen") == "no\neffusion . clear ."
    assert clean(raw, "r2gen_mimic") == "no effusion . clear ."


@pytest.mark.parametrize(
    ("raw", "cleaned"),
    [
        ("1. Right-sided effusion, 2. No PTX.  XXXX..", "right-sided effusion . no ptx . xxxx ."),
        ("A. B.C? 98.6 deg; [x] (y) it's", "a . b . c . 98.6 deg x y its ."),
        ("At the level of L1. The rest is clear.", "at the level of l1 . the rest is clear ."),
        ("Nodule is 2. It is new.", "nodule is 2 . it is new ."),
        ("1) Heart large 2) lungs clear", "heart large . lungs clear ."),
        ("Findings: 1. Edema\n2. Mass/nodule - new", "findings . edema . mass nodule new ."),
        ("", ""),
        (" . .. ! ", ""),
        ("Measures .5 cm.", "measures .5 cm ."),
        (".5 cm nodule.", ".5 cm nodule ."),
        ("___ year-old", "year-old ."),
    ],
)
def test_clean_mode_gives_words_and_full_stops(raw, cleaned):
    assert clean(raw, "clean") == cleaned


@given(st.text(alphabet=st.characters(codec="utf-8")) | st.text(alphabet="ab .1.23)(-/!?,;:'\n_"))
def test_clean_mode_is_well_formed_for_any_text_and_cleaning_twice_changes_nothing(text):
    cleaned = clean(text, "clean")
    assert clean(cleaned, "clean") == cleaned
    assert cleaned == "" or cleaned.endswith(" .")
    assert not re.search(r"\s\s|(?:^|\. )\.(?!\d)", cleaned)


@pytest.mark.parametrize("mode", ["r2gen", "r2gen_mimic", "promptmrg"])
@given(text=st.text() | st.text(alphabet="ab .1.23)(-/!?,;:'\n_"))
def test_r2gen_modes_take_any_text(text, mode):
    cleaned = clean(text, mode)
    assert cleaned.endswith(" .")
    assert not set("\"/\\',?;*!%^&_+():<=>@[]{}") & set(cleaned)


@pytest.mark.skipif(not ANNOTATION.exists(), reason="the IU X-Ray annotation file is not there")
def test_iu_vocabulary_has_the_size_known_from_the_published_code():
    train = json.loads(ANNOTATION.read_text(encoding="utf-8"))["train"]
    counts: dict[str, int] = {}
    for record in train:
        for word in clean(record["report"], "r2gen").split():
            counts[word] = counts.get(word, 0) + 1
    assert sum(count >= 3 for count in counts.values()) == 759
