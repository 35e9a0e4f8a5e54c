"""CIDEr-D (Vedantam et al. 2015), exact to the COCO convention.

coco-caption's class `Cider` is CIDEr-D: counts are clipped, and a difference in length is punished.
"""

from typing import Final

import numpy as np
from jaxtyping import Float

from gradtruce.evaluation.nlg.ngrams import LONGEST, Corpus, NgramCounts, total

SIGMA: Final = 6.0
"""Width, in bigrams, of the Gaussian that punishes a difference in length."""

SCALE: Final = 10.0
"""Factor of the mean over n: identical texts score about 10."""


def cider(corpus: Corpus) -> Float[np.ndarray, " reports"]:
    """Return CIDEr-D of each report, from 0 to 10; the corpus score is their mean.

    An n-gram weighs the logarithm of documents ÷ documents that have it, so a score belongs to the
    documents it was computed on: those of two test sets, or of two parts of one, do not compare,
    and on a single document all is 0.

    >>> from gradtruce.evaluation.nlg.ngrams import read_corpus
    >>> texts = ["the heart is enlarged .", "the lungs are clear ."]
    >>> cider(read_corpus(texts, [[text] for text in texts])).round(6)
    array([10., 10.])
    """
    # length counts bigrams, as coco-caption's does
    lengths = np.maximum(0, corpus.generated_lengths - 1)[corpus.owner]
    difference = lengths - np.maximum(0, corpus.reference_lengths - 1)
    penalty = np.exp(-(difference**2) / (2 * SIGMA**2))
    cosines = sum((_cosines(corpus, n) for n in range(LONGEST)), np.zeros(len(corpus.owner)))
    references = np.bincount(corpus.owner, minlength=corpus.reports)
    return SCALE / LONGEST * total(cosines * penalty, corpus.owner, corpus.reports) / references


def _cosines(corpus: Corpus, n: int) -> Float[np.ndarray, " references"]:
    """Return clipped dot product ÷ norms of each reference and its generated text; 0/0 is 0."""
    ngrams, owner = corpus.by_length[n], corpus.owner
    rarity = np.log(corpus.documents) - np.log(np.maximum(1, ngrams.frequency))
    given, right = (
        counts.count * rarity[counts.ngram] for counts in (ngrams.generated, ngrams.references)
    )
    shared = ngrams.place >= 0
    products = np.minimum(given[ngrams.place[shared]], right[shared]) * right[shared]
    dots = total(products, ngrams.references.text[shared], len(owner))
    norms = _norms(given, ngrams.generated, corpus.reports)[owner]
    norms = norms * _norms(right, ngrams.references, len(owner))
    cosines = np.zeros_like(dots)
    np.divide(dots, norms, out=cosines, where=norms > 0)
    return cosines


def _norms(
    weights: Float[np.ndarray, " found"], counts: NgramCounts, number: int
) -> Float[np.ndarray, " number"]:
    norms: Float[np.ndarray, " number"] = np.sqrt(total(weights**2, counts.text, number))
    return norms
