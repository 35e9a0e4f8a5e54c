"""What a way of making a retrieval bank comes to, put together as its file."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, final

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from gradtruce.data.augmentation import Augmentation
from gradtruce.data.cluster_file import hash_of
from gradtruce.data.loader import Loader
from gradtruce.data.prepared import PreparedDataset, PreparedSplit
from gradtruce.data.retrieval.bank import RetrievalBank
from gradtruce.data.retrieval.bank_file import RetrievalFile
from gradtruce.data.retrieval.finding_shares import COUNTS, finding_shares
from gradtruce.data.study import SPLITS
from gradtruce.data.tokenizer import build_tokenizer
from gradtruce.methods.blocks.pretrained import evaluating
from gradtruce.training.retrieval.image_query import BATCH, ImageQuery

Progress = Callable[[int, int], None]

FOLDS: Final = 5
"""Parts of the training studies, by patient, each left out of one image encoder."""


@final
@dataclass(frozen=True, eq=False)
class Made:
    """Features of the training studies, and the encoder for all others.

    Attributes:
        texts: Of the reports.
        queries: Of the images, each by an encoder that was not fitted on the study.
        encoder: Fitted on all training studies.
        source: How they were made.
    """

    texts: Float[Tensor, "studies features"]
    queries: Float[Tensor, "studies features"]
    encoder: ImageQuery
    source: str


def made_file(data: PreparedDataset, made: Made, *, seed: int) -> RetrievalFile:
    """Return the retrieval file; of validation and test studies it reads nothing but images."""
    train = data.split("train")
    held_out = [
        query_features(made.encoder, image_loader(data.split(split), made.encoder))
        for split in SPLITS[1:]
    ]
    file = RetrievalFile(
        bank=RetrievalBank(train.ids, made.texts),
        query_ids=tuple(study for split in SPLITS for study in data.split(split).ids),
        queries=torch.cat([made.queries, *held_out]),
        source=made.source,
        seed=seed,
        reports_sha256=hash_of(train.ids, train.reports),
        encoder={name: value.cpu() for name, value in made.encoder.state_dict().items()},
        encoder_config=made.encoder.record(),
    )
    return replace(file, shares=split_shares(file, data, "train"))


def split_shares(
    file: RetrievalFile, data: PreparedDataset, split: str
) -> dict[str, dict[str, float]]:
    """Return `finding_shares` of a split by number of neighbours, 5 and 21.

    Numbers that the bank is too small for are left out, as is a set without labels.
    """
    train, asks = data.split("train"), data.split(split)
    rows = {study: row for row, study in enumerate(train.ids)}
    of_bank = torch.from_numpy(train.labels)[[rows[study] for study in file.bank.ids]]
    shares = {}
    for count in COUNTS:
        if count < len(file.bank):
            found, _ = file.bank.nearest(file.queries_of(asks.ids), count, exclude=asks.ids)
            shares[str(count)] = finding_shares(
                torch.from_numpy(asks.labels), of_bank, found, is_own_left_out=split == "train"
            )
    return {count: share for count, share in shares.items() if share}


def image_loader(
    split: PreparedSplit,
    query: ImageQuery,
    *,
    batch_size: int = BATCH,
    augmentation: Augmentation | None = None,
    seed: int | None = None,
) -> Loader:
    """Return the images of a split as an encoder takes them.

    Args:
        split: Its reports are read and not used.
        query: The encoder.
        batch_size: Studies in a batch.
        augmentation: Random changes.
        seed: Of a random order with full batches alone; the order of the set where not given.
    """
    return Loader(
        split,
        build_tokenizer(["no word is read"], min_frequency=1),
        query.processor,
        batch_size=batch_size,
        max_tokens=3,
        max_views=query.config.views,
        augmentation=augmentation,
        shuffle=seed is not None,
        drop_last=seed is not None,
        seed=seed or 0,
    )


def query_features(
    query: ImageQuery, loader: Loader, progress: Progress | None = None
) -> Float[Tensor, "studies features"]:
    """Return the query of every study of a loader."""
    return _over_images(query, query, loader, progress)


def pooled_features(
    query: ImageQuery, loader: Loader, progress: Progress | None = None
) -> Float[Tensor, "studies doubled"]:
    """Return what comes before the last layer, for every study of a loader."""
    return _over_images(query, query.pooled, loader, progress)


def patient_folds(patients: Sequence[str], count: int, seed: int) -> Int[np.ndarray, " studies"]:
    """Return a fold for each study; those of one patient share it.

    Raises:
        ValueError: If there are fewer patients than folds, or fewer than two folds.

    >>> folds = patient_folds(["a", "b", "a", "c"], 3, seed=0)
    >>> bool(folds[0] == folds[2]), sorted(set(folds.tolist()))
    (True, [0, 1, 2])
    """
    names, of_study = np.unique(np.array(patients), return_inverse=True)
    if not 2 <= count <= len(names):
        raise ValueError(
            f"the training studies of {len(names)} patients can be parted into 2 to {len(names)} "
            f"folds, got {count}; ask for fewer, or take more studies"
        )
    fold_of = np.random.default_rng(seed).permutation(len(names)) % count
    folds: Int[np.ndarray, " studies"] = fold_of[of_study]
    return folds


def _over_images(
    query: ImageQuery,
    read: Callable[[Tensor, Tensor], Tensor],
    loader: Loader,
    progress: Progress | None,
) -> Tensor:
    device = query.head.weight.device
    found: list[Tensor] = []
    with evaluating(query):
        for each in loader:
            batch = each.to(device)
            found.append(read(batch.pixel_values, batch.view_mask).cpu())
            if progress is not None:
                progress(min(len(found) * BATCH, loader.studies), loader.studies)
    return torch.cat(found)
