"""Lexical scores: corpus BLEU-1 to 4 and ROUGE-L, exact to the COCO convention.

The convention (coco-caption, which the field's code calls): tokens are what whitespace separates,
BLEU counts are summed over the corpus, the reference length is the closest one, ROUGE-L is the mean
over reports of an F with β = 1.2. Numbers equal those of `pycocoevalcap` to 1e-9.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Final, final

import numpy as np
from jaxtyping import Float

LONGEST: Final = 4
"""Longest n-gram of BLEU."""

ROUGE_BETA: Final = 1.2
"""Weight of recall against precision in ROUGE-L."""

TINY: Final = 1e-15
SMALL: Final = 1e-9
"""Added by coco-caption above and below each fraction line, so that 0/0 is about 0."""


@final
class LexicalScores:
    """BLEU-1 to 4 and ROUGE-L of generated reports.

    What each report contributes is counted once; corpus scores under any weighting of the reports
    (each once, or as a bootstrap draw has them) are then sums over those counts.

    Args:
        generated: One text a report; may be empty.
        references: One or more texts a report.

    Raises:
        ValueError: If the two differ in length, or a report has no reference.

    >>> lexical = LexicalScores(["the heart is normal ."], [["the heart is enlarged ."]])
    >>> lexical.scores(np.ones((1, 1)))["bleu_1"].round(6)
    array([0.8])
    """

    def __init__(self, generated: Sequence[str], references: Sequence[Sequence[str]]) -> None:
        if len(generated) != len(references):
            raise ValueError(f"{len(generated)} generated reports, {len(references)} references")
        if not all(references):
            raise ValueError("every report needs at least one reference text")
        pairs = [
            (squeeze(text), [squeeze(other) for other in texts])
            for text, texts in zip(generated, references, strict=True)
        ]
        counts = [bleu_counts(text, texts) for text, texts in pairs]
        self.bleu_counts = np.array(counts, dtype=np.float64).reshape(len(pairs), 2 * LONGEST + 2)
        self.rouge_l = np.array([rouge_l(text, texts) for text, texts in pairs], dtype=np.float64)

    def scores(
        self, weights: Float[np.ndarray, "draws reports"]
    ) -> dict[str, Float[np.ndarray, " draws"]]:
        """Return corpus scores, one value a row of weights: how often each report is counted."""
        scores = bleu(weights @ self.bleu_counts)
        named = {f"bleu_{n + 1}": scores[:, n] for n in range(LONGEST)}
        return named | {"rouge_l": weights @ self.rouge_l / weights.sum(axis=1)}


def squeeze(text: str) -> str:
    r"""Return the text with all whitespace, line breaks too, as single blanks and none at the ends.

    >>> squeeze(" clear   lungs\n.")
    'clear lungs .'
    """
    return " ".join(text.split())


def bleu_counts(generated: str, references: Sequence[str]) -> list[int]:
    """Return what one report adds to corpus BLEU.

    Returns:
        Number of n-grams also in a reference for n = 1 to 4 (each counted at most as often as in
        the reference that has it most), number of n-grams for n = 1 to 4, length, and length of
        the closest reference, of two equally close the shorter.

    >>> bleu_counts("no no effusion", ["no effusion ."])
    [2, 1, 0, 0, 3, 2, 1, 0, 3, 3]
    """
    tokens = generated.split()
    most: Counter[tuple[str, ...]] = Counter()
    for reference in references:
        most |= _ngrams(reference.split())
    found = _ngrams(tokens) & most
    correct = [0] * LONGEST
    for ngram, count in found.items():
        correct[len(ngram) - 1] += count
    guesses = [max(0, len(tokens) - n) for n in range(LONGEST)]
    lengths = [len(reference.split()) for reference in references]
    closest = min(lengths, key=lambda length: (abs(length - len(tokens)), length))
    return [*correct, *guesses, len(tokens), closest]


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


def rouge_l(generated: str, references: Sequence[str]) -> float:
    """Return ROUGE-L of one report: best precision and best recall over the references, then F.

    Texts must be squeezed. An empty text is one empty token, as in coco-caption.

    >>> round(rouge_l("heart is normal", ["the heart is normal"]), 4)
    0.8356
    """
    tokens = generated.split(" ")
    precision = recall = 0.0
    for reference in references:
        others = reference.split(" ")
        common = longest_common_subsequence(tokens, others)
        precision = max(precision, common / len(tokens))
        recall = max(recall, common / len(others))
    if precision == 0 or recall == 0:
        return 0.0
    square = ROUGE_BETA**2
    return (1 + square) * precision * recall / (recall + square * precision)


def longest_common_subsequence(first: Sequence[str], second: Sequence[str]) -> int:
    """Return the length of the longest common subsequence.

    One row of the textbook table at a time, held as the bits of an integer (Hyyrö 2004): a bit is 0
    where the row's length steps up.

    >>> longest_common_subsequence("a b c d".split(), "b x d".split())
    2
    """
    places: dict[str, int] = {}
    for place, token in enumerate(first):
        places[token] = places.get(token, 0) | 1 << place
    every = (1 << len(first)) - 1
    row = every
    for token in second:
        matches = row & places.get(token, 0)
        row = ((row + matches) | (row - matches)) & every
    return len(first) - row.bit_count()


def _ngrams(tokens: Sequence[str]) -> Counter[tuple[str, ...]]:
    return Counter(
        tuple(tokens[start : start + n])
        for n in range(1, LONGEST + 1)
        for start in range(len(tokens) - n + 1)
    )
