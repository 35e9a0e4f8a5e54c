"""The prototypes that XProNet starts from: made of the training studies of a prepared set."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
import torch
from jaxtyping import Float
from safetensors.torch import save
from torch import Tensor

from gradtruce.data.cluster_file import hash_of
from gradtruce.data.label_prototypes import balanced_blocks, label_prototypes
from gradtruce.data.loader import Loader
from gradtruce.data.prepared import PreparedDataset, PreparedSplit
from gradtruce.data.report_clusters import text_vectors
from gradtruce.data.text import clean
from gradtruce.data.tokenizer import build_tokenizer
from gradtruce.data.transforms import ImageProcessor
from gradtruce.files import write_whole
from gradtruce.methods.blocks.backbone import Backbone, build_backbone
from gradtruce.methods.blocks.pretrained import evaluating
from gradtruce.methods.blocks.prototypes import no_finding_column, selected_observations
from gradtruce.methods.registry import load
from gradtruce.methods.weights.backbone_file import load_backbone
from gradtruce.methods.xpronet import XProNetConfig
from gradtruce.training.presets import method_preset

ROWS: Final = "prototypes.rows"
"""The weight of XProNet that the file holds, by its name there."""

Progress = Callable[[int, int], None]

RECORD: Final = "gradtruce"
"""Entry of the file's header under which, as JSON, stands what it was made of."""

SCHEMA: Final = 1
BATCH: Final = 32


def preset_config(preset: str) -> XProNetConfig:
    """Return the configuration of a method preset of XProNet.

    Raises:
        FileNotFoundError: If there is no such preset.
        ValueError: If it is of another method.

    >>> preset_config("xpronet-paper").prototypes
    20
    """
    found = method_preset(preset)
    if found["name"] != XProNetConfig.model_type.removeprefix("gradtruce_"):
        raise ValueError(
            f"prototypes are for xpronet, and the preset {preset!r} is of {found['name']}"
        )
    return XProNetConfig(**found["options"])


def prototype_backbone(
    config: XProNetConfig, *, weights: str | Path | None = None, run: str | Path | None = None
) -> Backbone:
    """Return the backbone that looks at the studies.

    Args:
        config: Of the XProNet that starts from them; names the backbone where no run does.
        weights: ImageNet weights by torchvision's names; random weights where not given.
        run: Folder of a saved method, whose backbone is taken instead.

    Raises:
        FileNotFoundError: If a file is not there.
        ValueError: If both are given, or the backbone has another width than `image_features`.

    >>> config = XProNetConfig(backbone="compact", backbone_widths=[8], backbone_depths=[1])
    >>> prototype_backbone(config)
    Traceback (most recent call last):
    ValueError: the backbone must have as many channels as image_features says, 2048, got 8
    """
    if weights is not None and run is not None:
        raise ValueError("weights of a backbone and a run were both given; give one of them")
    if run is not None:
        backbone = load(run).backbone
    else:
        backbone = build_backbone(config.backbone, config.backbone_widths, config.backbone_depths)
    if backbone.width != config.image_features:
        raise ValueError(
            "the backbone must have as many channels as image_features says, "
            f"{config.image_features}, got {backbone.width}"
        )
    if weights is not None:
        load_backbone(backbone, weights)
    return backbone


def build_prototypes(
    data: PreparedDataset,
    config: XProNetConfig,
    backbone: Backbone,
    *,
    image_size: int = 224,
    is_mirrored: bool = False,
    seed: int = 0,
    progress: Progress | None = None,
) -> Float[Tensor, "prototypes features"]:
    """Return the prototypes, observation after observation, as XProNet has them.

    Of every labelled training study: the backbone's features, averaged over places and present
    views, beside TF-IDF of its report in `text_features` dimensions, both brought to a mean square
    of 1. The published text features are CheXbert's, whose weights are not ours to bring.

    Args:
        data: With labels.
        config: Of the XProNet that starts from them.
        backbone: Looks at the images.
        image_size: Height and width of the images, in pixels.
        is_mirrored: Take half of the prototypes of mirrored images, as published; but reports name
            sides.
        seed: Of k-means and of the singular vectors.
        progress: Told how many studies of how many have been looked at.

    Raises:
        ValueError: If no training study has labels, or a feature is not finite.
    """
    train = data.split("train")
    is_labelled = ~np.isnan(train.labels).all(axis=1)
    if not is_labelled.any():
        raise ValueError(
            f"{data.folder}: prototypes are made label by label, and no training study has labels; "
            "prepare the set with --labels"
        )
    labels = torch.from_numpy(train.labels[is_labelled])
    otherwise = no_finding_column(config.label_names)
    has = selected_observations(labels, config.uncertain, otherwise).numpy()
    texts = _text_features(train, config.text_features, seed)[is_labelled]
    loader = _loader(train, image_size)

    def centres(count: int, *, flip: bool) -> Float[np.ndarray, "observations count features"]:
        images = _image_features(backbone, loader, flip=flip, progress=progress)[is_labelled]
        return label_prototypes(balanced_blocks(images, texts), has, count=count, seed=seed)

    count = config.prototypes
    if is_mirrored and count > 1:
        parts = [centres(count - count // 2, flip=False), centres(count // 2, flip=True)]
        found = np.concatenate(parts, axis=1)
    else:
        found = centres(count, flip=False)
    return torch.from_numpy(found.reshape(-1, found.shape[2]).astype(np.float32))


def write_prototypes(
    path: Path,
    rows: Float[Tensor, "prototypes features"],
    data: PreparedDataset,
    *,
    seed: int,
    source: str,
) -> None:
    """Write the file that `method.start_from` takes, with what it was made of.

    Args:
        path: A safetensors file.
        rows: The prototypes.
        data: What they were made of; its training studies are kept as a hash.
        seed: Of k-means.
        source: How they were made, for the record.
    """
    train = data.split("train")
    record = {
        "schema": SCHEMA,
        "kind": "prototypes",
        "source": source,
        "seed": seed,
        "data": hash_of(train.ids, train.reports),
        "observations": list(XProNetConfig().label_names),
    }
    header = {RECORD: json.dumps(record)}  # one entry: their order in the file is by chance
    write_whole(path, save({ROWS: rows.contiguous()}, header))


def _loader(train: PreparedSplit, image_size: int) -> Loader:
    tokenizer = build_tokenizer((clean(text, "clean") for text in train.reports), min_frequency=1)
    processor = ImageProcessor(size=image_size)
    return Loader(train, tokenizer, processor, batch_size=BATCH, max_tokens=3)


def _text_features(
    train: PreparedSplit, size: int, seed: int
) -> Float[np.ndarray, "studies features"]:
    """Return vectors of the reports; features that the texts have not are 0."""
    vectors = text_vectors([clean(text, "clean") for text in train.reports], seed, size=size)
    return np.pad(vectors, ((0, 0), (0, size - vectors.shape[1])))


def _image_features(
    backbone: Backbone, loader: Loader, *, flip: bool, progress: Progress | None
) -> Float[np.ndarray, "studies features"]:
    """Return the mean of the features over the places of all present views."""
    device = next(backbone.parameters()).device
    found: list[Tensor] = []
    with evaluating(backbone):
        for each in loader:
            batch = each.to(device)
            films = batch.pixel_values[batch.view_mask]
            maps = backbone(films.flip(-1) if flip else films)
            studies = batch.view_mask.nonzero()[:, 0]
            sums = maps.new_zeros(len(batch), maps.shape[1])
            sums.index_add_(0, studies, maps.mean(dim=(2, 3)))
            found.append(sums / batch.view_mask.sum(dim=1, keepdim=True))
            if progress is not None:
                progress(min(len(found) * BATCH, loader.studies), loader.studies)
    return torch.cat(found).cpu().numpy()
