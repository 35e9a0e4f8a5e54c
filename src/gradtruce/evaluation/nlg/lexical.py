"""Lexical scores without Java: corpus BLEU-1 to 4, ROUGE-L and CIDEr-D.

The convention is coco-caption's, which the field's code calls: tokens are what whitespace parts,
BLEU counts are summed over the corpus, the reference length is the closest one, ROUGE-L is the mean
over reports of an F with β = 1.2, CIDEr-D the mean over reports. Numbers equal
those of `pycocoevalcap` to 1e-9.
"""

from collections.abc import Sequence
from typing import final

import numpy as np
from jaxtyping import Float

from gradtruce.evaluation.nlg.bleu import bleu, bleu_counts
from gradtruce.evaluation.nlg.cider import cider
from gradtruce.evaluation.nlg.ngrams import LONGEST, read_corpus
from gradtruce.evaluation.nlg.rouge import rouge_l
from gradtruce.evaluation.nlg.text import squeeze


@final
class LexicalScores:
    """BLEU-1 to 4, ROUGE-L and CIDEr-D of generated reports.

    What each report contributes is counted once; corpus scores under any weighting of the reports
    (each once, or as a bootstrap draw has them) are then sums over those counts. How rare an n-gram
    is, which CIDEr-D weighs by, is that of the whole set under every weighting.

    Args:
        generated: One text a report; may be empty, and then scores 0.
        references: One or more texts a report.
        documents: References of the studies that the rarity of n-grams is taken over, for CIDEr-D;
            by default those of every report.

    Raises:
        ValueError: If the first two differ in length, a report or document has no reference, or
            generated text and reference are both too long for ROUGE-L.

    >>> lexical = LexicalScores(["the heart is normal ."], [["the heart is enlarged ."]])
    >>> lexical.scores(np.ones((1, 1)))["bleu_1"].round(6)
    array([0.8])
    """

    def __init__(
        self,
        generated: Sequence[str],
        references: Sequence[Sequence[str]],
        *,
        documents: Sequence[Sequence[str]] | None = None,
    ) -> None:
        if len(generated) != len(references):
            raise ValueError(f"{len(generated)} generated reports, {len(references)} references")
        if not all(references) or not all(documents or ()):
            raise ValueError("every report needs at least one reference text")
        generated = [squeeze(text) for text in generated]
        references = [[squeeze(text) for text in texts] for texts in references]
        corpus = read_corpus(generated, references, documents)
        self.bleu_counts = bleu_counts(corpus)
        pairs = zip(generated, references, strict=True)
        self.rouge_l = np.array([rouge_l(text, texts) for text, texts in pairs], dtype=np.float64)
        self.cider = cider(corpus)

    def scores(
        self, weights: Float[np.ndarray, "draws reports"]
    ) -> dict[str, Float[np.ndarray, " draws"]]:
        """Return corpus scores, one value a row of weights: how often each report is counted."""
        scores = bleu(weights @ self.bleu_counts)
        named = {f"bleu_{n + 1}": scores[:, n] for n in range(LONGEST)}
        reports = weights.sum(axis=1)
        means = {"rouge_l": self.rouge_l, "cider": self.cider}
        return named | {name: weights @ each / reports for name, each in means.items()}

    def each(self) -> dict[str, list[float]]:
        """Return the scores of every report on its own, by the names of the corpus scores."""
        scores = bleu(self.bleu_counts)
        named = {f"bleu_{n + 1}": scores[:, n].tolist() for n in range(LONGEST)}
        return named | {"rouge_l": self.rouge_l.tolist(), "cider": self.cider.tolist()}
