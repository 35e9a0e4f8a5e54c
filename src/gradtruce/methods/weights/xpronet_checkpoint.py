"""A model that XProNet's published code trained, as one of ours."""

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from gradtruce.data.observations import OBSERVATIONS
from gradtruce.methods.weights.published_family import (
    filled,
    published_state,
    transformer_sizes,
    with_our_words,
)
from gradtruce.methods.weights.r2gen_vocabulary import published_vocabulary
from gradtruce.methods.weights.xpronet_names import TWICE, UNUSED, xpronet_name
from gradtruce.methods.xpronet import XProNet, XProNetConfig

ROWS = "prototypes.rows"


def load_published_xpronet(
    checkpoint: str | Path,
    annotation: str | Path,
    *,
    dataset: str = "iu_xray",
    min_frequency: int | None = None,
    heads: int = 8,
    prototypes_read: int = 15,
) -> XProNet:
    """Return our XProNet with published weights, its tokenizer with the words of these weights.

    It scores reports as the published code does, to the precision of the numbers: prototypes are
    chosen by the labels of the reference report, in CheXbert's order, which is ours. All sizes are
    read off the file. There is no findings head, for theirs has none.

    Args:
        checkpoint: `model_best.pth` of XProNet's code, or a bare state dict; nothing in it is run.
        annotation: The annotation file it was trained on, from which its vocabulary is made.
        dataset: Whose reports the annotation has.
        min_frequency: `--threshold` of the training; `None` takes that of the published scripts.
        heads: `--num_heads` of the training, also those of the prototypes; no tensor tells.
        prototypes_read: `--topk` of the training; no tensor tells.

    Raises:
        FileNotFoundError: If a file is not there.
        ValueError: If the checkpoint is no XProNet, or does not belong to this annotation file.

    >>> load_published_xpronet("model_best.pth", "annotation.json")
    Traceback (most recent call last):
    FileNotFoundError: model_best.pth: there is no such file of weights
    """
    source = str(checkpoint)
    published = published_state(
        checkpoint,
        xpronet_name,
        UNUSED,
        code="XProNet's code",
        needed=(ROWS, "prototypes.reduction.weight"),
        twice=TWICE,
    )
    vocabulary = published_vocabulary(annotation, dataset, min_frequency)
    state = with_our_words(published, vocabulary, source, str(annotation))
    sizes = transformer_sizes(state, heads) | _prototype_sizes(state, source)
    config = XProNetConfig(
        **sizes,
        prototypes_read=prototypes_read,
        findings_weight=0.0,
        selecting_labels="oracle",
    )
    return filled(XProNet(config), state, vocabulary, source)


def _prototype_sizes(state: Mapping[str, Tensor], source: str) -> dict[str, int]:
    """Return how many prototypes an observation has, and how they are made up.

    That the image part is as wide as the backbone's features is how the published code makes them.
    """
    rows, features = state[ROWS].shape
    image = state["visual.projection.0.weight"].shape[1]
    if rows % len(OBSERVATIONS) or features <= image:
        raise ValueError(
            f"{source}: must hold as many prototypes for each of {len(OBSERVATIONS)} observations, "
            f"of more than {image} features; found {rows} prototypes of {features}"
        )
    return {
        "prototypes": rows // len(OBSERVATIONS),
        "image_features": image,
        "text_features": features - image,
    }
