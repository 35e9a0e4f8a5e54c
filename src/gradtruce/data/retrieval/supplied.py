"""A retrieval bank of features that a user has, such as those of a CLIP model."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import torch
from jaxtyping import Float
from safetensors import SafetensorError, safe_open
from torch import Tensor

from gradtruce.data.cluster_file import hash_of
from gradtruce.data.prepared import PreparedDataset
from gradtruce.data.retrieval.bank import RetrievalBank
from gradtruce.data.retrieval.bank_file import RetrievalFile, require_training_ids
from gradtruce.data.study import SPLITS

FEATURES: Final = "features"
"""The one matrix of such a file: a row a study."""

IDS: Final = "ids"
"""Entry of its header: the studies of the rows, as a JSON list."""

_LAYOUT: Final = (
    f"it must have one matrix {FEATURES!r}, a row a study, and in its header {IDS!r}, "
    "the studies of the rows as a JSON list"
)


def supplied_file(data: PreparedDataset, text: str | Path, images: str | Path) -> RetrievalFile:
    """Return the retrieval file of features that a user gives.

    Args:
        data: The prepared set.
        text: File of the training reports' features; it may have no other study.
        images: File of the image features of all splits; what else it has is left.

    Raises:
        FileNotFoundError: If a file is not there.
        ValueError: If a file has another layout, lacks a study, has a report that is held out, a
            row is zero or not finite, or the two widths differ.
    """
    train = data.split("train")
    every = [study for split in SPLITS for study in data.split(split).ids]
    ids, features = read_features(text)
    require_training_ids(ids, data)
    texts = _chosen(ids, features, train.ids, text)
    queries = _chosen(*read_features(images), every, images)
    if texts.shape[1] != queries.shape[1]:
        raise ValueError(
            f"text and image features must be of one width, got {texts.shape[1]} in {text} and "
            f"{queries.shape[1]} in {images}; take both from one model"
        )
    return RetrievalFile(
        RetrievalBank(train.ids, texts),
        tuple(every),
        queries,
        "features that a user gave",
        reports_sha256=hash_of(train.ids, train.reports),
    )


def read_features(path: str | Path) -> tuple[tuple[str, ...], Float[Tensor, "rows width"]]:
    """Return the studies and the features of a file.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is damaged or has another layout, or a study comes twice.

    >>> import tempfile
    >>> from safetensors.torch import save_file
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     header = {"ids": json.dumps(["s1", "s2"])}
    ...     save_file({"features": torch.eye(2)}, f"{folder}/text.safetensors", header)
    ...     read_features(f"{folder}/text.safetensors")[0]
    ('s1', 's2')
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such file of features")
    try:
        with safe_open(path, "pt") as file:
            names = list(file.keys())
            ids = json.loads((file.metadata() or {}).get(IDS, "null"))
            features = file.get_tensor(FEATURES) if FEATURES in names else torch.empty(0)
    except (SafetensorError, ValueError) as error:
        raise ValueError(f"{path}: not a file of features ({error}); {_LAYOUT}") from None
    if names != [FEATURES] or features.dim() != 2 or not isinstance(ids, list):
        raise ValueError(f"{path}: not a file of features; {_LAYOUT}")
    if len(ids) != len(features) or len(set(ids)) != len(ids):
        raise ValueError(
            f"{path}: must name a study for each of its {len(features)} rows, each once, got "
            f"{len(ids)} ids, {len(set(ids))} of them different"
        )
    return tuple(map(str, ids)), features


def _chosen(
    ids: Sequence[str],
    features: Float[Tensor, "rows width"],
    wanted: Sequence[str],
    path: str | Path,
) -> Float[Tensor, "wanted width"]:
    """Return the rows of some studies, brought to length 1."""
    places = {study: place for place, study in enumerate(ids)}
    absent = [study for study in wanted if study not in places]
    if absent:
        raise ValueError(
            f"{path}: lacks {len(absent)} of {len(wanted)} studies, for one {absent[0]!r}; "
            "give features of every study"
        )
    rows = features[[places[study] for study in wanted]].float()
    lengths = rows.norm(dim=1, keepdim=True)
    wrong = (lengths.isfinite() & (lengths > 0)).logical_not().nonzero()
    if len(wrong):
        raise ValueError(
            f"{path}: the features of study {wanted[int(wrong[0, 0])]!r} must be finite and not "
            "zero; compute them again"
        )
    directions: Tensor = rows / lengths
    return directions
