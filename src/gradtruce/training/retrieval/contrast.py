"""A small image-text contrastive model, and what it makes of the training studies."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, final

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from gradtruce.data.augmentation import Augmentation
from gradtruce.data.batch import Batch
from gradtruce.data.loader import Loader
from gradtruce.data.prepared import PreparedDataset
from gradtruce.data.retrieval.report_features import report_features
from gradtruce.training.retrieval.image_query import EncoderConfig, ImageQuery
from gradtruce.training.retrieval.made import (
    Made,
    Progress,
    image_loader,
    patient_folds,
    query_features,
)

WORDS: Final = 256
"""Numbers of a report before the linear layer."""

FOLDS: Final = 4
"""Each costs an image encoder of its own; with few, each sees far fewer studies than there are."""

HOTTEST: Final = 100.0
"""Largest factor of the cosines, as in CLIP (Radford et al. 2021)."""


@final
@dataclass(frozen=True)
class Fitting:
    """How the model is trained.

    Attributes:
        epochs: Passes over the training studies.
        batch_size: Studies that are told apart.
        learning_rate: Peak rate; it rises over the first tenth of the steps, then falls as a
            cosine.
        weight_decay: Of AdamW, on everything but the temperature.
        temperature: At the start; it is learned.

    >>> Fitting().batch_size
    64
    """

    epochs: int = 10
    batch_size: int = 64
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    temperature: float = 0.07


def contrasted(
    data: PreparedDataset,
    config: EncoderConfig,
    fitting: Fitting,
    *,
    seed: int = 0,
    folds: int = FOLDS,
    device: torch.device | str = "cpu",
    progress: Progress | None = None,
) -> Made:
    """Return features of the training studies by a contrastive model trained on them.

    One image encoder and a linear layer over TF-IDF of the reports are trained together. Beside
    them, for each fold, an image encoder of its own is trained towards the same reports, which do
    not move for it, on all studies but the fold's; it makes the queries of the fold. So no training
    query is by an encoder that saw its study. The linear layer did see all training reports, with
    their images.

    Args:
        data: The prepared set; only its training split is read.
        config: Of the image encoders, all of random weights.
        fitting: How they are trained.
        seed: Of weights, order, random crops, singular vectors and folds.
        folds: Parts of the training studies, by patient.
        device: Where they are trained.
        progress: Told how many steps of how many are taken.

    Raises:
        ValueError: If there are fewer patients than folds, or a report says nothing.
    """
    train = data.split("train")
    parts = patient_folds(train.patients, folds, seed)
    torch.manual_seed(seed)
    model = _Model(config, _word_features(train.ids, train.reports, seed), train.reports, folds)
    model.to(device)
    batch_size = min(fitting.batch_size, len(train))
    loader = image_loader(
        train, model.encoders[0], batch_size=batch_size, augmentation=Augmentation(), seed=seed
    )
    _fit(model, loader, torch.from_numpy(parts), fitting, progress)
    with torch.no_grad():
        texts = model.texts(torch.arange(len(train))).cpu()
    queries = torch.empty_like(texts)
    for fold, encoder in enumerate(model.encoders[1:]):
        left = torch.from_numpy(parts == fold)
        queries[left] = query_features(encoder, image_loader(train, encoder))[left]
    source = (
        f"contrastive model over TF-IDF, {fitting.epochs} epochs of batches of {batch_size}, "
        f"{folds} folds"
    )
    return Made(texts, queries, model.encoders[0], source)


@final
class _Model(nn.Module):
    """Encoders of images, the first for all studies and one for each fold; a layer for reports."""

    def __init__(
        self,
        config: EncoderConfig,
        words: Float[Tensor, "studies words"],
        reports: Sequence[str],
        folds: int,
    ) -> None:
        super().__init__()
        self.words: Tensor
        self.register_buffer("words", words)
        codes = {text: code for code, text in enumerate(dict.fromkeys(reports))}
        self.same: Tensor
        self.register_buffer("same", torch.tensor([codes[text] for text in reports]))
        self.report = nn.Linear(words.shape[1], config.features)
        self.encoders: list[ImageQuery] = [ImageQuery(config) for _ in range(folds + 1)]
        self._registered = nn.ModuleList(self.encoders)
        self.heat = nn.Parameter(torch.zeros(folds + 1))

    def texts(self, rows: Int[Tensor, " batch"]) -> Float[Tensor, "batch features"]:
        """Return the features of some reports."""
        return nn.functional.normalize(self.report(self.words[rows]), dim=1)

    def loss(
        self, batch: Batch, rows: Int[Tensor, " batch"], folds: Int[Tensor, " batch"]
    ) -> Tensor:
        """Return the sum of the losses of all encoders."""
        texts = self.texts(rows)
        losses = []
        for place, encoder in enumerate(self.encoders):
            kept = folds != place - 1
            if int(kept.sum()) < 2:  # nothing to tell apart
                continue
            queries = encoder(batch.pixel_values[kept], batch.view_mask[kept])
            theirs = texts[kept] if place == 0 else texts[kept].detach()
            same = self.same[rows[kept]]
            losses.append(
                symmetric_contrast(
                    queries @ theirs.T * self.heat[place].exp().clamp(max=HOTTEST),
                    same[:, None] == same,
                )
            )
        return torch.stack(losses).sum()


def symmetric_contrast(
    scores: Float[Tensor, "studies studies"], is_match: Bool[Tensor, "studies studies"]
) -> Float[Tensor, ""]:
    """Return InfoNCE of images asking for reports and of reports asking for images, the mean.

    As CLIP (Radford et al. 2021), but where reports are equal each is as right as the other.

    Args:
        scores: Of each image, a row, with each report.
        is_match: Which reports are those of an image; at least one in each row.

    >>> symmetric_contrast(torch.zeros(2, 2), torch.eye(2, dtype=torch.bool))
    tensor(0.6931)
    """
    shares = is_match.to(scores.dtype)
    shares = shares / shares.sum(dim=1, keepdim=True)
    asks = (nn.functional.cross_entropy(each, shares) for each in (scores, scores.T))
    return torch.stack(list(asks)).mean()


def _fit(
    model: _Model,
    loader: Loader,
    folds: Int[Tensor, " studies"],
    fitting: Fitting,
    progress: Progress | None,
) -> None:
    with torch.no_grad():
        model.heat.fill_(-math.log(fitting.temperature))
    rest = [parameter for parameter in model.parameters() if parameter is not model.heat]
    groups = [
        {"params": rest, "weight_decay": fitting.weight_decay},
        {"params": [model.heat], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=fitting.learning_rate)
    steps = fitting.epochs * len(loader)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, fitting.learning_rate, total_steps=steps, pct_start=0.1
    )
    places = {study: row for row, study in enumerate(loader.split.ids)}
    device = model.heat.device
    model.train()
    for epoch in range(fitting.epochs):
        loader.set_epoch(epoch)
        for number, batch in enumerate(loader, 1):
            rows = torch.tensor([places[study] for study in batch.ids])
            optimizer.zero_grad()
            loss = model.loss(batch.to(device), rows.to(device), folds[rows].to(device))
            torch.autograd.backward(loss)
            optimizer.step()
            schedule.step()
            if progress is not None:
                progress(epoch * len(loader) + number, steps)


def _word_features(
    studies: Sequence[str], reports: Sequence[str], seed: int
) -> Float[Tensor, "studies words"]:
    width = min(WORDS, len(reports))
    features: Float[np.ndarray, "studies words"] = report_features(
        studies, reports, width=width, seed=seed
    )
    return torch.from_numpy(features)
