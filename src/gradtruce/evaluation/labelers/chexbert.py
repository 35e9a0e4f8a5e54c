"""CheXbert as a labeler, with weights that the user has; and its vectors of whole reports."""

import logging
from collections.abc import Iterator, Sequence
from typing import Final, final

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from gradtruce.data.observations import MISSING, NEGATIVE, OBSERVATIONS, POSITIVE, UNCERTAIN
from gradtruce.data.prepared_writer import file_sha256
from gradtruce.evaluation.labelers.base import Labeler
from gradtruce.evaluation.labelers.chexbert_checkpoint import load_chexbert
from gradtruce.evaluation.labelers.chexbert_model import HEADS
from gradtruce.evaluation.labelers.chexbert_text import Preprocess, ReportTokenizer, Tokens
from gradtruce.evaluation.labelers.weights import CheXbertFiles

_STATES: Final = np.array([MISSING, POSITIVE, NEGATIVE, UNCERTAIN])
_COLUMNS: Final = [HEADS.index(name) for name in OBSERVATIONS]
_SHORT: Final = 12
_log = logging.getLogger(__name__)


@final
class CheXbertLabeler(Labeler):
    r"""Labels reports with CheXbert (Smit et al. 2020).

    Reports go through the network in batches of like length, padding masked, so what is read in
    one does not depend on its company. Of a report longer than the network (512 tokens) the end is
    not read: `truncated` tells which. Unlike the wrappers of the R2Gen family, loading is strict.

    Args:
        files: Where the network lies, as `locate_chexbert` finds it.
        preprocess: "original", or "promptmrg" as in PromptMRG's wrapper; see `clean`.
        device: Where the network runs.
        batch_size: Reports in a batch.

    Raises:
        FileNotFoundError: If a file is not there.
        ValueError: If a file is not what it should be, checkpoint and vocabulary don't fit each
            other, the device is not on this machine or `batch_size` is below 1.

    >>> import tempfile
    >>> from pathlib import Path
    >>> from transformers import BertConfig
    >>> from gradtruce.evaluation.labelers.chexbert_model import CheXbert
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\nedema\n.\n")
    >>> config = BertConfig(vocab_size=6, hidden_size=64, num_hidden_layers=1,
    ...     num_attention_heads=1, intermediate_size=8, max_position_embeddings=5)
    >>> weights = CheXbert(config).state_dict()
    >>> weights = {f"module.{name}": tensor for name, tensor in weights.items()}
    >>> torch.save({"model_state_dict": weights}, folder / "chexbert.pth")
    >>> files = CheXbertFiles(folder / "chexbert.pth", folder / "vocab.txt")
    >>> labeler = CheXbertLabeler(files)  # random weights: shapes can be told, states can't
    >>> labeler.label(["Edema .", ""]).shape, labeler.embed(["Edema ."]).shape
    ((2, 14), (1, 64))
    """

    def __init__(
        self,
        files: CheXbertFiles,
        *,
        preprocess: Preprocess = "original",
        device: str = "cpu",
        batch_size: int = 32,
    ) -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size}")
        self._device = _check_device(device)
        self._batch_size = batch_size
        self._model = load_chexbert(files)
        config = self._model.bert.config
        self._tokenizer = ReportTokenizer(
            files.vocabulary, longest=config.max_position_embeddings, preprocess=preprocess
        )
        if self._tokenizer.size != config.vocab_size:
            raise ValueError(
                f"{files.vocabulary} has {self._tokenizer.size} tokens and {files.weights} is for"
                f" {config.vocab_size}; give the vocab.txt of bert-base-uncased (30522 tokens)"
            )
        self._model.to(self._device)
        self._identity = _identity(files, preprocess)

    @property
    def identity(self) -> str:
        """Return the SHA-256 of weights, vocabulary and configuration, and the preprocessing."""
        return self._identity

    def label(self, reports: Sequence[str]) -> Float[np.ndarray, "reports observations"]:
        """Return the likeliest state of each observation; an empty report is read as [CLS] [SEP].

        No Finding is 1 or NaN.
        """
        states = np.full((len(reports), len(OBSERVATIONS)), MISSING)
        for rows, vectors in self._read(reports):
            codes = self._model.codes(vectors).cpu().numpy()
            states[rows] = _STATES[codes[:, _COLUMNS]]
        return states

    def embed(self, reports: Sequence[str]) -> Float[np.ndarray, "reports hidden"]:
        """Return the [CLS] vector of the last layer for each report."""
        hidden = self._model.bert.config.hidden_size
        embeddings = np.zeros((len(reports), hidden), dtype=np.float32)
        for rows, vectors in self._read(reports):
            embeddings[rows] = vectors.cpu().numpy()
        return embeddings

    def truncated(self, reports: Sequence[str]) -> Bool[np.ndarray, " reports"]:
        """Return which reports are longer than the network reads."""
        flags = [self._tokenizer.encode(report).is_truncated for report in reports]
        return np.array(flags, dtype=bool)

    def _read(self, reports: Sequence[str]) -> Iterator[tuple[list[int], Tensor]]:
        """Yield the rows of a batch and their [CLS] vectors, the shortest reports first."""
        tokens = [self._tokenizer.encode(report) for report in reports]
        truncated = sum(one.is_truncated for one in tokens)
        if truncated:
            _log.info("%d of %d reports are longer than CheXbert reads", truncated, len(tokens))
        order = sorted(range(len(tokens)), key=lambda row: len(tokens[row].ids))
        for start in range(0, len(order), self._batch_size):
            rows = order[start : start + self._batch_size]
            yield rows, self._model(*self._batch([tokens[row] for row in rows]))

    def _batch(self, tokens: Sequence[Tokens]) -> tuple[Tensor, Tensor]:
        """Return ids and mask of reports, padded to the longest of them."""
        longest = max(len(one.ids) for one in tokens)
        ids = torch.full((len(tokens), longest), self._tokenizer.padding)
        mask = torch.zeros_like(ids)
        for row, one in enumerate(tokens):
            ids[row, : len(one.ids)] = torch.tensor(one.ids)
            mask[row, : len(one.ids)] = 1
        return ids.to(self._device), mask.to(self._device)


def _check_device(name: str) -> torch.device:
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).split("\n")[0]
        raise ValueError(f"no device {name!r} on this machine ({reason}); try 'cpu'") from None
    return device


def _identity(files: CheXbertFiles, preprocess: Preprocess) -> str:
    parts = [
        f"weights sha256 {file_sha256(files.weights)}",
        f"vocabulary sha256 {file_sha256(files.vocabulary)[:_SHORT]}",
    ]
    if files.config is not None:
        parts.append(f"configuration sha256 {file_sha256(files.config)[:_SHORT]}")
    return f"chexbert ({', '.join(parts)}, preprocess {preprocess})"
