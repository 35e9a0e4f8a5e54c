"""BERT weights that a user has, into the encoder of prior reports."""

from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from gradtruce.methods.blocks.prior_text import PriorTextEncoder
from gradtruce.methods.weights.state_file import read_state, weight_file
from gradtruce.methods.weights.strict_load import load_strictly

_WORDS: Final = "embeddings.word_embeddings.weight"
_PREFIX: Final = "bert."
_LEFT: Final = ("cls.", "pooler.", "embeddings.position_ids")
"""Heads of the training of BERT, and numbers that older files have."""

_OLD: Final = {"LayerNorm.gamma": "LayerNorm.weight", "LayerNorm.beta": "LayerNorm.bias"}
"""Names in the first published files."""


def load_prior_text(encoder: PriorTextEncoder, path: str | Path) -> None:
    """Fill the encoder from BERT weights in the layout of `transformers`.

    A vocabulary may have grown behind that of the file, by tokens such as that which begins a
    report: the vectors of these stay as they are. The tokenizer must number the words as the file
    does, which no file of weights tells.

    Args:
        encoder: Changed only if everything fits.
        path: A folder with `model.safetensors` or `pytorch_model.bin`, or such a file. Nothing in
            it is run.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is damaged, of another model or size, or has more words than the encoder.
    """
    source = weight_file(path)
    state = {_renamed(name): value for name, value in read_state(source).items()}
    state = {name: value for name, value in state.items() if not name.startswith(_LEFT)}
    if _WORDS not in state:
        raise ValueError(
            f"{source}: holds no BERT under the names of transformers ({_WORDS} is not there); "
            "expected a folder such as that of bert-base-uncased"
        )
    state[_WORDS] = _grown(state[_WORDS], encoder.model.state_dict()[_WORDS], source)
    load_strictly(encoder.model, state, str(source))


def _grown(words: Tensor, own: Tensor, source: Path) -> Tensor:
    """Return the vectors of the file, and behind them those of tokens that it does not know."""
    if words.ndim != 2 or words.shape[1] != own.shape[1] or len(words) > len(own):
        raise ValueError(
            f"{source}: has {tuple(words.shape)} word vectors, which do not fit into "
            f"{tuple(own.shape)}: the tokenizer must be that of the file, with tokens added at its "
            "end or none, and prior_text_width that of the file"
        )
    return torch.cat([words.to(own), own[len(words) :]])


def _renamed(name: str) -> str:
    name = name.removeprefix(_PREFIX)
    for old, new in _OLD.items():
        if name.endswith(old):
            name = name.removesuffix(old) + new
    return name
