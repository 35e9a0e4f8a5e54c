"""What each published code leaves of a text, worked by hand."""

import pytest

from gradtruce.evaluation.nlg.references import FULL, HANDLINGS, PROMPTMRG, r2gen
from gradtruce.evaluation.nlg.text import squeeze


def words(number: int) -> str:
    return " ".join(f"w{i}" for i in range(number))


def test_full_leaves_texts_alone() -> None:
    assert FULL.reference(" a.\nB  ") == " a.\nB  "
    assert FULL.generated(" a.\nB  ") == " a.\nB  "


@pytest.mark.parametrize(("max_ids", "left"), [(60, 59), (100, 99)])
def test_r2gen_keeps_one_word_less_than_ids(max_ids: int, left: int) -> None:
    handling = r2gen(max_ids)
    assert handling == HANDLINGS[f"r2gen_{max_ids}"]
    for number in (left - 1, left):
        assert handling.reference(words(number)) == words(number)
    for number in (left + 1, left + 50):
        assert handling.reference(words(number)) == words(left)
    assert handling.generated(words(200)) == words(200)


def test_r2gen_writes_rare_words_as_unknown() -> None:
    handling = r2gen(60, ["the", "heart", "."])
    assert handling.reference("the heart is large .") == "the heart <unk> <unk> ."
    assert "vocabulary of 3 (sha256 " in handling.identity
    assert handling.identity != r2gen(60, ["the", "heart", ","]).identity


def test_r2gen_needs_room_for_a_word() -> None:
    with pytest.raises(ValueError, match="at least 2"):
        r2gen(1)


def test_promptmrg_keeps_a_hundred_words_of_references() -> None:
    assert PROMPTMRG.reference(words(100)) == words(100)
    assert PROMPTMRG.reference(words(101)) == words(100)
    assert PROMPTMRG.reference("a. b - c.") == "a. b - c."


@pytest.mark.parametrize(
    ("text", "scored"),
    [
        ("the heart is normal. no effusion.", "the heart is normal . no effusion ."),
        ("right - sided opacity", "right-sided opacity"),
        ("already clean . yes .", "already clean . yes ."),
        ("1.5 cm nodule - left .", "1.5 cm nodule-left ."),
        ("no stop", "no stop"),
        ("", ""),
    ],
)
def test_promptmrg_post_processes_generated_text_only(text: str, scored: str) -> None:
    assert squeeze(PROMPTMRG.generated(text)) == scored
    assert text.split() == PROMPTMRG.reference(text).split()


def test_names_and_identities_are_distinct() -> None:
    assert list(HANDLINGS) == ["full", "r2gen_60", "r2gen_100", "promptmrg"]
    assert len({handling.identity for handling in HANDLINGS.values()}) == len(HANDLINGS)
    assert all(handling.identity.startswith(f"{name}: ") for name, handling in HANDLINGS.items())
