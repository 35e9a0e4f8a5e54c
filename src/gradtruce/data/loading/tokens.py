"""The tokens of many reports in two flat arrays: 4 bytes a token, whatever their number."""

from collections.abc import Iterable, Sequence
from typing import final

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from gradtruce.data.tokenizer import encode


@final
class TokenRows:
    """Tokens of every report, one after the other.

    Args:
        tokenizer: Of the method.
        texts: Cleaned reports.
        max_tokens: Most tokens of a report, bos and eos included.

    Attributes:
        lengths: Tokens of every report.

    >>> from gradtruce.data.tokenizer import build_tokenizer
    >>> tokens = TokenRows(build_tokenizer(["clear lungs ."], 1), ["clear lungs .", "clear"], 60)
    >>> tokens.padded([1, 0]), tokens.lengths.tolist()
    (tensor([[1, 5, 2, 0, 0],
             [1, 5, 6, 4, 2]]), [5, 3])
    """

    def __init__(
        self, tokenizer: PreTrainedTokenizerFast, texts: Iterable[str], max_tokens: int
    ) -> None:
        rows = [np.array(encode(tokenizer, text, max_tokens), dtype=np.int32) for text in texts]
        self.lengths = np.array([len(row) for row in rows], dtype=np.int64)
        self._flat = np.concatenate([np.empty(0, dtype=np.int32), *rows])
        self._ends = np.cumsum(self.lengths)

    def padded(self, rows: Sequence[int]) -> Int[Tensor, "batch tokens"]:
        """Return the tokens of these reports, zeros after each; row -1 is a report not there."""
        longest = max((int(self.lengths[row]) for row in rows if row >= 0), default=0)
        ids = np.zeros((len(rows), longest), dtype=np.int64)
        for place, row in enumerate(rows):
            if row >= 0:
                end, length = self._ends[row], self.lengths[row]
                ids[place, :length] = self._flat[end - length : end]
        return torch.from_numpy(ids)
