"""Agreement with coco-caption's own code and with sacrebleu, and values worked by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocoevalcap.bleu.bleu import Bleu
from pycocoevalcap.cider.cider import Cider
from pycocoevalcap.rouge.rouge import Rouge  # codespell:ignore
from sacrebleu.metrics import BLEU

from gradtruce.evaluation.nlg.lexical import LexicalScores
from gradtruce.evaluation.nlg.text import squeeze

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
    mean_d, every_d = (
        Cider().compute_score(references, generated)
        if any(map(any, references.values()))
        else (0.0, np.zeros(len(bank)))  # an assertion of coco-caption's fails where no word is
    )
    return named | {
        "rouge_l": (float(mean_f), every_f.tolist()),
        "cider": (float(mean_d), every_d.tolist()),
    }


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
    expected, scores = coco(BANK), ours(BANK).each()
    assert list(scores) == list(expected)
    for name, (_, each) in expected.items():
        np.testing.assert_allclose(scores[name], each, rtol=1e-9, atol=1e-9)


words = st.sampled_from(["a", "b", "c", "d", ".", "no", "größe", "𝛼", "l1-2"])
texts = st.lists(words, max_size=12).map(" ".join)
banks = st.lists(st.tuples(texts, st.lists(texts, min_size=1, max_size=3)), min_size=1, max_size=6)


@given(banks)
def test_scores_of_any_texts_equal_coco_captions(bank: list[tuple[str, list[str]]]) -> None:
    lexical = ours(bank)
    scores, each = lexical.scores(np.ones((1, len(bank)))), lexical.each()
    for name, (corpus, single) in coco(bank).items():
        assert scores[name][0] == pytest.approx(corpus, abs=1e-9, rel=1e-9)
        np.testing.assert_allclose(each[name], single, rtol=1e-9, atol=1e-9)


@given(st.lists(st.tuples(st.text(max_size=30), st.text(max_size=30)), min_size=1, max_size=4))
def test_scores_of_any_characters_equal_coco_captions(pairs: list[tuple[str, str]]) -> None:
    bank = [(text, [reference]) for text, reference in pairs]
    each = ours(bank).each()
    for name, (_, single) in coco(bank).items():
        np.testing.assert_allclose(each[name], single, rtol=1e-9, atol=1e-9)


def test_bleu_equals_sacrebleus() -> None:
    bank = [(text, texts) for text, texts in BANK if squeeze(text)]
    streams = [[squeeze((texts * 2)[k]) for _, texts in bank] for k in range(2)]
    scorer = BLEU(tokenize="none", smooth_method="none", force=True)
    precisions = scorer.corpus_score([squeeze(text) for text, _ in bank], streams)
    ratio = precisions.sys_len / precisions.ref_len
    expected = math.prod(precisions.precisions) ** 0.25 / 100 * math.exp(min(0, 1 - 1 / ratio))
    scores = ours(bank).scores(np.ones((1, len(bank))))
    assert scores["bleu_4"][0] == pytest.approx(expected, abs=1e-9)


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
    for name in set(expected) - {"cider"}:
        assert scores[name][0] == pytest.approx(expected[name][0], abs=1e-9)
    every = np.repeat(coco(BANK)["cider"][1], times[0].astype(int))  # rarity is of the whole set
    assert scores["cider"][0] == pytest.approx(every.mean(), abs=1e-9)


def test_a_report_without_reference_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one reference"):
        LexicalScores(["a"], [[]])


def test_numbers_of_texts_must_agree() -> None:
    with pytest.raises(ValueError, match="2 generated reports, 1 references"):
        LexicalScores(["a", "b"], [["a"]])


def test_two_systems_together_score_as_apart() -> None:
    second = [("the lungs are clear .", texts) for _, texts in BANK]
    documents = [texts for _, texts in BANK]
    both = [*BANK, *second]
    together = LexicalScores(
        [text for text, _ in both], [texts for _, texts in both], documents=documents
    )
    number = len(BANK)
    weights = np.array([[1.0] * number + [0.0] * number, [0.0] * number + [1.0] * number])
    scores = together.scores(weights)
    for row, bank in enumerate((BANK, second)):
        for name, values in ours(bank).scores(np.ones((1, number))).items():
            assert scores[name][row] == pytest.approx(values[0], abs=1e-12)


def test_an_empty_text_scores_zero_in_all() -> None:
    pairs = [("", ["the lungs are clear ."]), ("no effusion .", ["no effusion is seen ."])]
    for values in ours(pairs).each().values():
        assert values[0] == pytest.approx(0, abs=1e-6)


def test_a_report_of_a_megabyte_is_scored() -> None:
    words = [f"word{i % 5000}" for i in range(110_000)]
    texts = [" ".join(words), " ".join(words), "clear lungs ."]
    bank = [(texts[0], ["word1 word2 word3"]), (texts[1], [texts[1]]), ("clear", [texts[0]])]
    each = ours(bank).each()
    assert each["bleu_1"][1] == pytest.approx(1)
    assert each["rouge_l"][1] == 1
    assert each["rouge_l"][0] < 1e-3
