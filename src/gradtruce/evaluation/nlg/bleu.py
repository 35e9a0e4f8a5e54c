"""Corpus BLEU-1 to 4, exact to the COCO convention."""

from typing import Final

import numpy as np
from jaxtyping import Float

from gradtruce.evaluation.nlg.ngrams import LONGEST, Corpus, total

TINY: Final = 1e-15
SMALL: Final = 1e-9
"""Added by coco-caption above and below each fraction line, so that 0/0 is about 0."""


def bleu_counts(corpus: Corpus) -> Float[np.ndarray, "reports 10"]:
    """Return what each report adds to corpus BLEU.

    Returns:
        Number of n-grams also in a reference for n = 1 to 4 (each counted at most as often as in
        the reference that has it most), number of n-grams for n = 1 to 4, length, and length of
        the closest reference, of two equally close the shorter.

    >>> from gradtruce.evaluation.nlg.ngrams import read_corpus
    >>> bleu_counts(read_corpus(["no no effusion"], [["no effusion ."]]))
    array([[2., 1., 0., 0., 3., 2., 1., 0., 3., 3.]])
    """
    columns = []
    for ngrams in corpus.by_length:
        given, right = ngrams.generated, ngrams.references
        most = np.zeros(len(given.count), dtype=np.int64)
        shared = ngrams.place >= 0
        np.maximum.at(most, ngrams.place[shared], right.count[shared])
        columns.append(total(np.minimum(given.count, most), given.text, corpus.reports))
    lengths = corpus.generated_lengths
    columns += [np.maximum(0.0, lengths - n) for n in range(LONGEST)]
    return np.stack([*columns, lengths.astype(np.float64), _closest(corpus)], axis=1)


def bleu(counts: Float[np.ndarray, "*draws 10"]) -> Float[np.ndarray, "*draws 4"]:
    """Return BLEU-1 to 4 from (summed) counts: geometric mean of precisions, brevity penalty.

    A row of one report gives that report's own BLEU, as coco-caption has it.

    >>> bleu(np.array([2, 1, 0, 0, 3, 2, 1, 0, 3, 3], dtype=float)).round(3)
    array([0.667, 0.577, 0.   , 0.   ])
    """
    correct, guesses = counts[..., :LONGEST], counts[..., LONGEST : 2 * LONGEST]
    products = np.cumprod((correct + TINY) / (guesses + SMALL), axis=-1)
    means = products ** (1.0 / np.arange(1, LONGEST + 1))
    ratio = (counts[..., -2] + TINY) / (counts[..., -1] + SMALL)
    brevity = np.exp(np.minimum(0.0, 1.0 - 1.0 / ratio))
    return means * brevity[..., None]


def _closest(corpus: Corpus) -> Float[np.ndarray, " reports"]:
    distance = np.abs(corpus.reference_lengths - corpus.generated_lengths[corpus.owner])
    order = np.lexsort((corpus.reference_lengths, distance, corpus.owner))
    firsts = np.searchsorted(corpus.owner, np.arange(corpus.reports))
    return corpus.reference_lengths[order][firsts].astype(np.float64)
