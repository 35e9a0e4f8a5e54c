"""A model that R2Gen's published code trained, as one of ours."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gradtruce.methods.r2gen import R2Gen, R2GenConfig
from gradtruce.methods.weights.backbone_file import renamed
from gradtruce.methods.weights.r2gen_names import UNUSED, VOCABULARY, r2gen_name
from gradtruce.methods.weights.r2gen_vocabulary import (
    PublishedVocabulary,
    published_vocabulary,
)
from gradtruce.methods.weights.resnet_names import CLASSES
from gradtruce.methods.weights.state_file import read_state
from gradtruce.methods.weights.strict_load import load_strictly

NEVER = -1e4
"""Score of pad and bos, which the published model cannot write: its softmax must lose nothing to
them. Finite, so that training on is safe."""


_STAGES = "visual.backbone.model.encoder.stages."
_LAYERS = "decoder.layers."


def load_published_r2gen(
    checkpoint: str | Path,
    annotation: str | Path,
    *,
    dataset: str = "iu_xray",
    min_frequency: int | None = None,
    heads: int = 8,
) -> R2Gen:
    """Return our R2Gen with published weights, its tokenizer with the words of these weights.

    It scores reports as the published code does, to the precision of the numbers. That code has one
    id for pad, bos and eos, we have three: the rows of all words are put in our order, all three
    embed as that one, eos is scored as it is, pad and bos never. All sizes are read off the file.
    There is no findings head, for theirs has none.

    Args:
        checkpoint: `model_best.pth` of R2Gen's code, or a bare state dict; nothing in it is run.
        annotation: The annotation file it was trained on, from which its vocabulary is made.
        dataset: Whose reports the annotation has.
        min_frequency: `--threshold` of the training; `None` takes that of the published scripts.
        heads: `--num_heads` of the training, also those of the memory; no tensor tells.

    Raises:
        FileNotFoundError: If a file is not there.
        ValueError: If the checkpoint is no R2Gen, or does not belong to this annotation file.

    >>> load_published_r2gen("model_best.pth", "annotation.json")
    Traceback (most recent call last):
    FileNotFoundError: model_best.pth: there is no such file of weights
    """
    source = str(checkpoint)
    published = read_state(checkpoint)
    left = (*UNUSED, *(f"module.{name}" for name in UNUSED), *CLASSES)
    state = renamed(published, r2gen_name, left)
    missing = [name for name in (*VOCABULARY, "visual.projection.0.weight") if name not in state]
    if missing:
        raise ValueError(
            f"{source}: no checkpoint of R2Gen's code: it holds nothing for {missing[0]}; expected "
            "keys such as encoder_decoder.logit.weight"
        )
    vocabulary = published_vocabulary(annotation, dataset, min_frequency)
    _check_rows(state, vocabulary, f"{source}: ", str(annotation))
    sizes = _sizes(state, heads)
    model = R2Gen(R2GenConfig(**sizes, vocab_size=len(vocabulary.rows), findings_weight=0.0))
    load_strictly(model, _reordered(state, vocabulary), source)
    model.tokenizer = vocabulary.tokenizer
    model.train(False)
    return model


def _check_rows(
    state: Mapping[str, Tensor], vocabulary: PublishedVocabulary, source: str, annotation: str
) -> None:
    rows = len(state[VOCABULARY[0]])
    if rows != vocabulary.size:
        raise ValueError(
            f"{source}has {rows} words and ends, but {annotation} gives {vocabulary.size}; name "
            "the annotation file, the data set and the smallest frequency that it was trained with"
        )


def _reordered(state: Mapping[str, Tensor], vocabulary: PublishedVocabulary) -> dict[str, Tensor]:
    """Return the weights with a row for each of our ids."""
    rows = torch.tensor(vocabulary.rows)
    moved = dict(state)
    for name in VOCABULARY:
        moved[name] = state[name][rows]
    _, weight, bias = VOCABULARY
    for unwritten in (vocabulary.tokenizer.pad_token_id, vocabulary.tokenizer.bos_token_id):
        moved[weight][unwritten] = 0.0
        moved[bias][unwritten] = NEVER
    return moved


def _sizes(state: Mapping[str, Tensor], heads: int) -> dict[str, Any]:
    """Return the fields of the configuration that shapes and names tell."""
    width = len(state["visual.projection.0.weight"])
    memory = state.get(f"{_LAYERS}0.norms.0.scale_change.0.weight")
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
        "backbone": "resnet",
        "backbone_depths": depths,
        "backbone_widths": [len(state[name]) for name in last],
        "width": width,
        "heads": heads,
        "layers": max(_count(state, _LAYERS), 1),
        "hidden": width if feedforward is None else len(feedforward),
        "memory_slots": 0 if memory is None else memory.shape[1] // width,
        "published_norm": True,
        "paper_code": True,
    }


def _count(state: Mapping[str, Tensor], prefix: str) -> int:
    """Return how many numbers follow the prefix in the names."""
    rest = (name.removeprefix(prefix) for name in state if name.startswith(prefix))
    return len({name.partition(".")[0] for name in rest})
