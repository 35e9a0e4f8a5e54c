"""CIDEr-D worked by hand, and what its weights hang on."""

import math

import numpy as np
import pytest

from gradtruce.evaluation.nlg.cider import cider
from gradtruce.evaluation.nlg.ngrams import read_corpus


def test_a_worked_example() -> None:
    scores = cider(read_corpus(["a a b", "c"], [["a b"], ["c d"]]))
    # two documents, each n-gram in one: all weigh log 2, which cancels in the cosines
    unigrams = (1 * 1 + 1 * 1) / (math.sqrt(2**2 + 1) * math.sqrt(2))  # "a" twice, clipped to 1
    bigrams = 1 / (math.sqrt(2) * 1)  # "a a", "a b" against "a b"
    penalty = math.exp(-(1**2) / (2 * 6**2))  # two bigrams against one
    assert scores[0] == pytest.approx(10 / 4 * (unigrams + bigrams) * penalty)
    penalty = math.exp(-(1**2) / (2 * 6**2))  # none against one
    assert scores[1] == pytest.approx(10 / 4 * (1 / math.sqrt(2)) * penalty)


def test_what_every_document_has_weighs_nothing() -> None:
    texts = ["a b", "a c"]
    scores = cider(read_corpus(["a", "c"], [[text] for text in texts]))
    assert scores[0] == 0
    assert scores[1] > 0


def test_one_document_makes_no_word_rare() -> None:
    assert cider(read_corpus(["a b"], [["a b"]]))[0] == 0


def test_documents_may_be_others_than_the_references_scored() -> None:
    references = [["a b"], ["a c"], ["d e"]]
    whole = cider(read_corpus(["a b", "a", "e"], references))
    part = cider(read_corpus(["e", "e", "a b"], [["d e"], ["d e"], ["a b"]], references))
    np.testing.assert_allclose(part, [whole[2], whole[2], whole[0]], rtol=1e-12)
