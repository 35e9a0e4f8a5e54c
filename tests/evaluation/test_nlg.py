"""Agreement with coco-caption's own code, and values worked by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocoevalcap.bleu.bleu import Bleu
from pycocoevalcap.rouge.rouge import Rouge, my_lcs  # codespell:ignore

from gradtruce.evaluation.nlg import LexicalScores, bleu, longest_common_subsequence, squeeze

BANK = [  # generated, references
    ("the heart is mildly enlarged .", ["the heart is enlarged . no effusion is seen ."]),
    ("no acute disease .", ["no acute disease ."]),
    ("", ["the lungs are clear ."]),
    ("clear", ["clear"]),
    ("clear", ["the lungs are clear and the heart is normal ."]),
    ("the the the the the the", ["the heart and the lungs are normal"]),
    ("no no no effusion effusion", ["no effusion . no pneumothorax . no effusion ."]),
    ("a b c", ["a b", "a b c d"]),  # two references equally close: the shorter counts
    ("a b c d e f", ["a b c", "d e f g h i j k l"]),  # a tie at three, and matches from both
    ("there is a left effusion", ["effusion on the left", "there is a small left effusion ."]),
    ("nothing in common here at all", ["entirely other words stand there now"]),
    ("ödem beidseits . größe normal", ["kein ödem . größe normal"]),
    ("lungs are clear . " * 12, ["lungs are clear ."]),
    ("  blanks\tand\nline  breaks .\r\n", ["blanks and line breaks .  "]),
]


def coco(bank: list[tuple[str, list[str]]]) -> dict[str, tuple[float, list[float]]]:
    """Return the corpus score and the scores of each report, by coco-caption's code."""
    references = {i: [squeeze(text) for text in texts] for i, (_, texts) in enumerate(bank)}
    generated = {i: [squeeze(text)] for i, (text, _) in enumerate(bank)}
    corpus, each = Bleu(4).compute_score(references, generated, verbose=0)
    mean_f, every_f = Rouge().compute_score(references, generated)  # codespell:ignore
    named = {f"bleu_{n + 1}": (corpus[n], each[n]) for n in range(4)}
    return named | {"rouge_l": (float(mean_f), every_f.tolist())}


def ours(bank: list[tuple[str, list[str]]]) -> LexicalScores:
    return LexicalScores([text for text, _ in bank], [texts for _, texts in bank])


@pytest.mark.parametrize("bank", [BANK, *([pair] for pair in BANK)], ids=lambda b: str(len(b)))
def test_scores_equal_coco_captions(bank: list[tuple[str, list[str]]]) -> None:
    expected = coco(bank)
    scores = ours(bank).scores(np.ones((1, len(bank))))
    assert list(scores) == list(expected)
    for name, (corpus, _) in expected.items():
        assert scores[name][0] == pytest.approx(corpus, abs=1e-9, rel=1e-9), name


def test_scores_of_single_reports_equal_coco_captions() -> None:
    expected, lexical = coco(BANK), ours(BANK)
    for n in range(4):
        np.testing.assert_allclose(
            bleu(lexical.bleu_counts)[:, n], expected[f"bleu_{n + 1}"][1], rtol=1e-9, atol=1e-9
        )
    np.testing.assert_allclose(lexical.rouge_l, expected["rouge_l"][1], rtol=1e-9, atol=1e-9)


texts = st.lists(st.sampled_from(["a", "b", "c", "d", ".", "no"]), max_size=12).map(" ".join)
banks = st.lists(st.tuples(texts, st.lists(texts, min_size=1, max_size=3)), min_size=1, max_size=6)


@given(banks)
def test_scores_of_any_texts_equal_coco_captions(bank: list[tuple[str, list[str]]]) -> None:
    scores = ours(bank).scores(np.ones((1, len(bank))))
    for name, (corpus, _) in coco(bank).items():
        assert scores[name][0] == pytest.approx(corpus, abs=1e-9, rel=1e-9)


def test_a_worked_example() -> None:
    scores = ours([("the heart is large", ["the heart is very large today"])]).scores(
        np.ones((1, 1))
    )
    brevity = math.exp(1 - 6 / 4)
    assert scores["bleu_1"][0] == pytest.approx(brevity)
    assert scores["bleu_2"][0] == pytest.approx(brevity * math.sqrt(2 / 3))
    precision, recall = 4 / 4, 4 / 6
    expected = 2.44 * precision * recall / (recall + 1.44 * precision)
    assert scores["rouge_l"][0] == pytest.approx(expected)


def test_a_bootstrap_draw_equals_the_corpus_it_stands_for() -> None:
    times = np.array([[i % 3 for i in range(len(BANK))]], dtype=float)
    repeated = [pair for i, pair in enumerate(BANK) for _ in range(i % 3)]
    scores, expected = ours(BANK).scores(times), coco(repeated)
    for name, (corpus, _) in expected.items():
        assert scores[name][0] == pytest.approx(corpus, abs=1e-9)


@given(st.lists(st.sampled_from("abcd"), max_size=80), st.lists(st.sampled_from("abcd")))
def test_common_subsequence_equals_the_textbook_table(first: list[str], second: list[str]) -> None:
    assert longest_common_subsequence(first, second) == my_lcs(first, second)


def test_a_report_without_reference_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one reference"):
        LexicalScores(["a"], [[]])


def test_numbers_of_texts_must_agree() -> None:
    with pytest.raises(ValueError, match="2 generated reports, 1 references"):
        LexicalScores(["a", "b"], [["a"]])
