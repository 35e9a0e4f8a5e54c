"""A model that R2Gen's published code trained, as one of ours."""

from pathlib import Path

from gradtruce.methods.r2gen import R2Gen, R2GenConfig
from gradtruce.methods.weights.published_family import (
    filled,
    published_state,
    transformer_sizes,
    with_our_words,
)
from gradtruce.methods.weights.r2gen_names import UNUSED, r2gen_name
from gradtruce.methods.weights.r2gen_vocabulary import published_vocabulary

_MEMORY = "decoder.layers.0.norms.0.scale_change.0.weight"
"""Its columns are the slots of the relational memory, times the width."""


def load_published_r2gen(
    checkpoint: str | Path,
    annotation: str | Path,
    *,
    dataset: str = "iu_xray",
    min_frequency: int | None = None,
    heads: int = 8,
) -> R2Gen:
    """Return our R2Gen with published weights, its tokenizer with the words of these weights.

    It scores reports as the published code does, to the precision of the numbers. All sizes are
    read off the file. There is no findings head, for theirs has none.

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
    published = published_state(checkpoint, r2gen_name, UNUSED, code="R2Gen's code")
    vocabulary = published_vocabulary(annotation, dataset, min_frequency)
    state = with_our_words(published, vocabulary, source, str(annotation))
    sizes = transformer_sizes(state, heads)
    memory = state.get(_MEMORY)
    slots = 0 if memory is None else memory.shape[1] // sizes["width"]
    model = R2Gen(R2GenConfig(**sizes, memory_slots=slots, findings_weight=0.0))
    return filled(model, state, vocabulary, source)
