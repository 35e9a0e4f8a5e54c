"""The longest common subsequence against the textbook table, and its limit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocoevalcap.rouge.rouge import my_lcs

from gradtruce.evaluation.nlg.rouge import LONGEST_PAIR, longest_common_subsequence

tokens = st.lists(st.sampled_from("abcd"), max_size=80)


@given(tokens, tokens)
def test_common_subsequence_equals_the_textbook_table(first: list[str], second: list[str]) -> None:
    assert longest_common_subsequence(first, second) == my_lcs(first, second)


@given(tokens, tokens, tokens, tokens)
def test_shared_beginnings_and_ends_count(
    start: list[str], first: list[str], second: list[str], end: list[str]
) -> None:
    whole = [start + first + end, start + second + end]
    assert longest_common_subsequence(*whole) == my_lcs(*whole)


def test_two_texts_of_unlikely_length_are_an_error() -> None:
    first = [str(i) for i in range(LONGEST_PAIR + 1)]
    with pytest.raises(ValueError, match="50001 against 50001"):
        longest_common_subsequence(first, first[::-1])
    assert longest_common_subsequence(first, first) == len(first)
    assert longest_common_subsequence(first, ["7", "5"]) == 1
