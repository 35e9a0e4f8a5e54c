"""BERT weights that a user has, into the decoder that is prompted by states."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from gradtruce.methods.blocks.prompted_decoder import STATE_TOKENS, PromptedDecoder
from gradtruce.methods.weights.state_file import read_state, weight_file
from gradtruce.methods.weights.strict_load import load_strictly

VOCABULARY: Final = "vocab.txt"

_WORDS, _POSITIONS, _BIAS = "words.weight", "positions.weight", "scores.bias"
_NAMES: Final = {
    "embeddings.word_embeddings.weight": _WORDS,
    "embeddings.position_embeddings.weight": _POSITIONS,
    "embeddings.LayerNorm": "norm",
    "cls.predictions.transform.dense": "scores.dense",
    "cls.predictions.transform.LayerNorm": "scores.norm",
    "cls.predictions.bias": _BIAS,
}
_PARTS: Final = {
    "attention.self.query": "self_attention.query",
    "attention.self.key": "self_attention.key",
    "attention.self.value": "self_attention.value",
    "attention.output.dense": "self_attention.output",
    "attention.output.LayerNorm": "norms.0",
    "intermediate.dense": "feedforward.0",
    "output.dense": "feedforward.2",
    "output.LayerNorm": "norms.2",
}
_LAYER: Final = re.compile(r"encoder\.layer\.(\d+)\.(.+)\.(weight|bias)")
_OLD: Final = {"LayerNorm.gamma": "LayerNorm.weight", "LayerNorm.beta": "LayerNorm.bias"}
"""Names in the first published files."""

_OWN: Final = re.compile(r"layers\.\d+\.(cross_attention|norms\.1)\.")
"""What BERT has not, and what keeps its random start."""


def load_bert_decoder(
    decoder: PromptedDecoder, path: str | Path, tokenizer: PreTrainedTokenizerFast | None = None
) -> None:
    """Fill the decoder from BERT weights in the layout of `transformers`, as PromptMRG starts.

    The attention to visual tokens, which BERT has not, stays as it is; so do the vectors of words
    that the file does not know, such as the token that begins a report, and those of the states. A
    file without BERT's head for words leaves ours as it is. Vectors that tell two sentences apart
    are left, as in the published code. Of the positions the first ones are taken.

    Args:
        decoder: Changed only if everything fits.
        path: A folder with `model.safetensors` or `pytorch_model.bin`, such as that of
            bert-base-uncased, or such a file. Nothing in it is run.
        tokenizer: Of the method; where the folder has a `vocab.txt`, it must number all words as
            that does.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is damaged, of another model or size, or numbers words in another way.
    """
    source = weight_file(path)
    if tokenizer is not None:
        _require_same_words(source.parent / VOCABULARY, tokenizer)
    state = {}
    for name, value in read_state(source).items():
        ours = bert_name(name)
        if ours is not None:
            state[ours] = value
    own = decoder.state_dict()
    if _WORDS not in state or _POSITIONS not in state:
        raise ValueError(
            f"{source}: holds no BERT under the names of transformers "
            "(embeddings.word_embeddings.weight, …); expected a folder such as that of "
            "bert-base-uncased"
        )
    known = len(own[_WORDS]) - len(STATE_TOKENS)
    for name in (_WORDS, _BIAS):
        if name in state:
            state[name] = _grown(state[name], own[name], known, source)
    state[_POSITIONS] = _first(state[_POSITIONS], own[_POSITIONS], source)
    kept = {name: own[name] for name in own if _keeps(name, state)}
    load_strictly(decoder, {**kept, **state}, str(source))


def bert_name(name: str) -> str | None:
    """Return the name of one of BERT's weights in our decoder, `None` where that has not got it.

    >>> bert_name("bert.encoder.layer.11.attention.output.LayerNorm.gamma")
    'layers.11.norms.0.weight'
    >>> bert_name("bert.pooler.dense.bias") is None
    True
    """
    name = name.removeprefix("bert.")
    for old, new in _OLD.items():
        name = name.replace(old, new)
    found = _LAYER.fullmatch(name)
    if found:
        part = _PARTS.get(found[2])
        return None if part is None else f"layers.{found[1]}.{part}.{found[3]}"
    stem, _, leaf = name.rpartition(".")
    return _NAMES.get(name) or (f"{_NAMES[stem]}.{leaf}" if stem in _NAMES else None)


def _keeps(name: str, state: Mapping[str, Tensor]) -> bool:
    """Return whether a weight of ours may stay as it is."""
    return bool(_OWN.match(name)) or (name.startswith("scores.") and "scores.bias" not in state)


def _grown(rows: Tensor, own: Tensor, known: int, source: Path) -> Tensor:
    """Return the rows of the file, and behind them ours of words that it does not know."""
    if rows.shape[1:] != own.shape[1:] or len(rows) > known:
        raise ValueError(
            f"{source}: has {tuple(rows.shape)} word vectors, the decoder {known} words of "
            f"{tuple(own.shape[1:])} and the states: the tokenizer must be that of the file, with "
            "tokens added at its end or none, and the width that of the file"
        )
    return torch.cat([rows.to(own), own[len(rows) :]])


def _first(rows: Tensor, own: Tensor, source: Path) -> Tensor:
    if len(rows) < len(own):
        raise ValueError(
            f"{source}: has {len(rows)} positions, the decoder {len(own)}; give it no more"
        )
    return rows[: len(own)]


def _require_same_words(path: Path, tokenizer: PreTrainedTokenizerFast) -> None:
    if not path.is_file():
        return
    ours = tokenizer.get_vocab()
    for number, word in enumerate(path.read_text(encoding="utf-8").removesuffix("\n").split("\n")):
        if ours.get(word) != number:
            raise ValueError(
                f"{path}: word {number} is {word!r}, which the tokenizer of the method numbers "
                f"{ours.get(word)}; give this file as data.vocabulary, with the tokenizer wordpiece"
            )
