"""What checkpoints of R2Gen's code, and of those built on it, have in common."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from gradtruce.methods.base import Decoding
from gradtruce.methods.blocks.encoder_decoder import EncoderDecoderMethod
from gradtruce.methods.weights.backbone_file import renamed
from gradtruce.methods.weights.r2gen_vocabulary import PublishedVocabulary
from gradtruce.methods.weights.resnet_names import CLASSES
from gradtruce.methods.weights.state_file import read_state
from gradtruce.methods.weights.strict_load import load_strictly

NEVER = -1e4
"""Score of pad and bos, which a published model cannot write: its softmax must lose nothing to
them. Finite, so that training on is safe."""

WORD_ROWS = ("decoder.embedding.weight", "decoder.scores.weight", "decoder.scores.bias")
"""Our names of the tensors with a row for every word."""

PROJECTION = "visual.projection.0.weight"

_WRAPPER = "module."
"""Begins every name that `nn.DataParallel` has written."""

_STAGES = "visual.backbone.model.encoder.stages."
_LAYERS = "decoder.layers."

MethodT = TypeVar("MethodT", bound=EncoderDecoderMethod)


def published_state(
    checkpoint: str | Path,
    rename: Callable[[str], str],
    unused: Sequence[str],
    *,
    code: str,
    needed: Sequence[str] = (),
    twice: tuple[str, str] | None = None,
) -> dict[str, Tensor]:
    """Return the tensors of a published checkpoint under our names; nothing in it is run.

    Args:
        checkpoint: `model_best.pth`, or a bare state dict.
        rename: From a published name to ours.
        unused: Published names to leave out.
        code: What a message calls the code.
        needed: Our names that must be there, besides words and projection.
        twice: How names begin that the code holds twice; those that begin as the first are left
            out, once they have been found equal to those of the second.

    Raises:
        FileNotFoundError: If the file is not there.
        ValueError: If it is damaged, or lacks what every checkpoint of the code has.
    """
    state = {name.removeprefix(_WRAPPER): value for name, value in read_state(checkpoint).items()}
    if twice is not None:
        state = _without_copies(state, *twice, source=str(checkpoint))
    state = renamed(state, rename, (*unused, *CLASSES))
    missing = [name for name in (*WORD_ROWS, PROJECTION, *needed) if name not in state]
    if missing:
        raise ValueError(
            f"{checkpoint}: no checkpoint of {code}: it holds nothing for {missing[0]}; expected "
            "keys such as encoder_decoder.logit.weight"
        )
    return state


def _without_copies(
    state: Mapping[str, Tensor], copy: str, kept: str, *, source: str
) -> dict[str, Tensor]:
    for name, value in state.items():
        if name.startswith(copy):
            other = state.get(kept + name.removeprefix(copy))
            if other is None or not torch.equal(other, value):
                raise ValueError(
                    f"{source}: {name} and {kept + name.removeprefix(copy)} must be one tensor in "
                    "two places; take the file as the published code wrote it"
                )
    return {name: value for name, value in state.items() if not name.startswith(copy)}


def with_our_words(
    state: Mapping[str, Tensor], vocabulary: PublishedVocabulary, source: str, annotation: str
) -> dict[str, Tensor]:
    """Return the weights with a row for each of our ids.

    The published codes have one id for pad, bos and eos, we have three: the rows of all words are
    put in our order, all three embed as that one, eos is scored as it is, pad and bos never.

    Raises:
        ValueError: If the checkpoint has another number of words than the vocabulary.
    """
    found = len(state[WORD_ROWS[0]])
    if found != vocabulary.size:
        raise ValueError(
            f"{source}: has {found} words and ends, but {annotation} gives {vocabulary.size}; name "
            "the annotation file, the data set and the smallest frequency that it was trained with"
        )
    rows = torch.tensor(vocabulary.rows)
    moved = dict(state)
    for name in WORD_ROWS:
        moved[name] = state[name][rows]
    _, weight, bias = WORD_ROWS
    for unwritten in (vocabulary.tokenizer.pad_token_id, vocabulary.tokenizer.bos_token_id):
        moved[weight][unwritten] = 0.0
        moved[bias][unwritten] = NEVER
    return moved


def transformer_sizes(state: Mapping[str, Tensor], heads: int) -> dict[str, Any]:
    """Return the fields that every configuration has and that shapes and names tell.

    Args:
        state: By our names.
        heads: Of every attention; no tensor tells.

    Raises:
        ValueError: If the visual extractor is no ResNet of bottleneck layers.
    """
    width = len(state[PROJECTION])
    feedforward = state.get(f"{_LAYERS}0.feedforward.0.weight")
    stages = _count(state, _STAGES)
    depths = [_count(state, f"{_STAGES}{stage}.layers.") for stage in range(stages)]
    last = [f"{_STAGES}{stage}.layers.0.layer.2.normalization.weight" for stage in range(stages)]
    if not stages or not all(name in state for name in last):
        raise ValueError(
            "the visual extractor in the checkpoint must be a ResNet of bottleneck layers, as "
            "ResNet-101; no other can be converted"
        )
    return {
        "vocab_size": len(state[WORD_ROWS[0]]),
        "backbone": "resnet",
        "backbone_depths": depths,
        "backbone_widths": [len(state[name]) for name in last],
        "width": width,
        "heads": heads,
        "layers": max(_count(state, _LAYERS), 1),
        "hidden": width if feedforward is None else len(feedforward),
        "published_norm": True,
        "paper_code": True,
    }


def filled(
    model: MethodT, state: Mapping[str, Tensor], vocabulary: PublishedVocabulary, source: str
) -> MethodT:
    """Return the model with all of these weights, words and decoding, in evaluation mode.

    Raises:
        ValueError: If names or shapes differ from the model's.
    """
    load_strictly(model, state, source)
    model.tokenizer = vocabulary.tokenizer
    model.decoding = Decoding(search="published", max_tokens=vocabulary.max_tokens)
    model.train(False)
    return model


def _count(state: Mapping[str, Tensor], prefix: str) -> int:
    """Return how many numbers follow the prefix in the names."""
    rest = (name.removeprefix(prefix) for name in state if name.startswith(prefix))
    return len({name.partition(".")[0] for name in rest})
