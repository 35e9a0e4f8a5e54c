"""N-grams of generated texts and of references, counted once for every score built on them."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final

import numpy as np
from jaxtyping import Float, Int

LONGEST: Final = 4
"""Longest n-gram counted."""


@dataclass(frozen=True, eq=False)
class NgramCounts:
    """How often each text has each n-gram of one length, sorted by text, then n-gram.

    Attributes:
        text: Place of the text.
        ngram: Number of the n-gram; the same n-gram has the same number in all texts.
        count: How often it is there, at least once.
    """

    text: Int[np.ndarray, " found"]
    ngram: Int[np.ndarray, " found"]
    count: Int[np.ndarray, " found"]

    def rows(self, start: int, stop: int) -> "NgramCounts":
        """Return the counts of the texts from `start` up to `stop`, numbered from 0."""
        first, last = np.searchsorted(self.text, (start, stop))
        part = slice(int(first), int(last))
        return NgramCounts(self.text[part] - start, self.ngram[part], self.count[part])


@dataclass(frozen=True, eq=False)
class PairedNgrams:
    """N-grams of one length in generated texts and in references.

    Attributes:
        generated: Counts of the generated texts.
        references: Counts of the references, those of the first report first.
        place: For each count of a reference, where the count of the same n-gram in the report's
            generated text stands; −1 where that text lacks it.
        frequency: In how many documents each n-gram occurs, by its number.
    """

    generated: NgramCounts
    references: NgramCounts
    place: Int[np.ndarray, " found"]
    frequency: Int[np.ndarray, " ngrams"]


@dataclass(frozen=True, eq=False)
class Corpus:
    """Generated texts and their references as numbers.

    Attributes:
        owner: The report that each reference is of.
        generated_lengths: Tokens of each generated text.
        reference_lengths: Tokens of each reference.
        documents: Number of documents that n-grams are looked for in.
        by_length: N-grams of length 1, 2, … .
    """

    owner: Int[np.ndarray, " references"]
    generated_lengths: Int[np.ndarray, " reports"]
    reference_lengths: Int[np.ndarray, " references"]
    documents: int
    by_length: Sequence[PairedNgrams]

    @property
    def reports(self) -> int:
        """Return the number of generated texts."""
        return len(self.generated_lengths)


def read_corpus(
    generated: Sequence[str],
    references: Sequence[Sequence[str]],
    documents: Sequence[Sequence[str]] | None = None,
) -> Corpus:
    """Return the n-grams of generated texts and references.

    Args:
        generated: One text a report.
        references: One or more texts a report.
        documents: Texts that make one document each, to count in how many documents an n-gram
            occurs; by default the references of each report.

    >>> corpus = read_corpus(["no no effusion"], [["no effusion ."]])
    >>> corpus.by_length[0].generated.count, corpus.by_length[0].place
    (array([2, 1]), array([ 0,  1, -1]))
    """
    flat = [text for texts in references for text in texts]
    others = [] if documents is None else [text for texts in documents for text in texts]
    tokens = [text.split() for text in (*generated, *flat, *others)]
    lengths = np.array([len(words) for words in tokens], dtype=np.int64)
    owner = _owners(references)
    ends = len(generated), len(generated) + len(flat), len(tokens)
    by_length = []
    for counts in count_ngrams(tokens):
        given = counts.rows(0, ends[0])
        right = counts.rows(ends[0], ends[1])
        frequency = (
            _document_frequency(right, owner)
            if documents is None
            else _document_frequency(counts.rows(ends[1], ends[2]), _owners(documents))
        )
        size = int(counts.ngram.max(initial=-1)) + 1
        frequency = np.pad(frequency, (0, size - len(frequency)))
        by_length.append(PairedNgrams(given, right, _places(given, right, owner, size), frequency))
    number = len(references) if documents is None else len(documents)
    return Corpus(owner, lengths[: ends[0]], lengths[ends[0] : ends[1]], number, by_length)


def count_ngrams(texts: Sequence[Sequence[str]]) -> list[NgramCounts]:
    """Return the counts of n-grams of length 1, 2, … LONGEST in texts of tokens.

    >>> [counts.count.tolist() for counts in count_ngrams([["no", "no", "no"], ["a"]])]
    [[3, 1], [2], [1], []]
    """
    numbers: dict[str, int] = {}
    words = [numbers.setdefault(word, len(numbers)) for word in chain.from_iterable(texts)]
    tokens = np.array(words, dtype=np.int64)
    text = np.repeat(np.arange(len(texts)), [len(words) for words in texts])
    ngram, counted = tokens, []
    for n in range(1, LONGEST + 1):
        if n > 1:  # an n-gram is the one a token shorter that begins there, and one token more
            longer = ngram[: max(0, len(tokens) - n + 1)] * len(numbers) + tokens[n - 1 :]
            ngram = np.unique(longer, return_inverse=True)[1]
        first = text[: len(ngram)]
        is_inside = first == text[n - 1 :]
        size = int(ngram.max(initial=0)) + 1
        keys, count = np.unique((first * size + ngram)[is_inside], return_counts=True)
        counted.append(NgramCounts(keys // size, keys % size, count))
    return counted


def total(
    values: Float[np.ndarray, " found"] | Int[np.ndarray, " found"],
    of: Int[np.ndarray, " found"],
    number: int,
) -> Float[np.ndarray, " number"]:
    """Return the sum of the values of each of `number` texts.

    >>> total(np.array([1, 2, 4]), np.array([0, 2, 2]), 3)
    array([1., 0., 6.])
    """
    return np.bincount(of, weights=values, minlength=number).astype(np.float64)


def _owners(groups: Sequence[Sequence[str]]) -> Int[np.ndarray, " texts"]:
    return np.repeat(np.arange(len(groups)), [len(texts) for texts in groups])


def _document_frequency(
    counts: NgramCounts, document: Int[np.ndarray, " texts"]
) -> Int[np.ndarray, " ngrams"]:
    size = int(counts.ngram.max(initial=-1)) + 1
    present = np.unique(document[counts.text] * size + counts.ngram)
    return np.bincount(present % size if size else present, minlength=size)


def _places(
    generated: NgramCounts,
    references: NgramCounts,
    owner: Int[np.ndarray, " references"],
    size: int,
) -> Int[np.ndarray, " found"]:
    have = generated.text * size + generated.ngram
    wanted = owner[references.text] * size + references.ngram
    place = np.searchsorted(have, wanted)
    is_there = place < len(have)
    is_there[is_there] = have[place[is_there]] == wanted[is_there]
    return np.where(is_there, place, -1)
