"""A bank of TF-IDF features, and ridge regression from image features to them."""

import torch

from gradtruce.data.prepared import PreparedDataset
from gradtruce.data.retrieval.report_features import report_features
from gradtruce.data.retrieval.ridge import fit_ridge
from gradtruce.training.retrieval.image_query import ImageQuery
from gradtruce.training.retrieval.made import (
    FOLDS,
    Made,
    Progress,
    image_loader,
    patient_folds,
    pooled_features,
)


def regressed(
    data: PreparedDataset,
    query: ImageQuery,
    *,
    seed: int = 0,
    folds: int = FOLDS,
    progress: Progress | None = None,
) -> Made:
    """Return features of the training studies by regression; the backbone is not trained.

    The query of a training study is by a map fitted without the studies of its patient: fitted on
    them too, training studies would find better neighbours than others, and a method would learn
    to trust its neighbours more than it may.

    Args:
        data: The prepared set; only its training split is read.
        query: Its last layer is filled.
        seed: Of the singular vectors and the folds.
        folds: Parts of the training studies.
        progress: Told how many studies of how many have been looked at.

    Raises:
        ValueError: If there are fewer patients than folds, or a report says nothing.
    """
    train = data.split("train")
    parts = patient_folds(train.patients, folds, seed)
    texts = report_features(train.ids, train.reports, width=query.config.features, seed=seed)
    images = pooled_features(query, image_loader(train, query), progress)
    ridge, held_out = fit_ridge(images.numpy(), texts, parts)
    with torch.no_grad():
        query.head.weight.copy_(torch.from_numpy(ridge.weight))
        query.head.bias.copy_(torch.from_numpy(ridge.bias))
    return Made(
        torch.from_numpy(texts),
        torch.nn.functional.normalize(torch.from_numpy(held_out), dim=1).float(),
        query,
        f"TF-IDF in {query.config.features} dimensions; ridge regression of penalty "
        f"{ridge.penalty:g} from images, {folds} folds",
    )
