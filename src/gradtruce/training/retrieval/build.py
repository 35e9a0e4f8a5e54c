"""The ways to a retrieval bank, by name."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, final

import torch

from gradtruce.data.prepared import PreparedDataset
from gradtruce.data.retrieval.bank_file import RetrievalFile
from gradtruce.data.retrieval.supplied import supplied_file
from gradtruce.training.device import training_device
from gradtruce.training.retrieval.contrast import FOLDS as CONTRAST_FOLDS
from gradtruce.training.retrieval.contrast import Fitting, contrasted
from gradtruce.training.retrieval.encoder import encoder_of, preset_encoder
from gradtruce.training.retrieval.made import FOLDS, Progress, made_file, split_shares
from gradtruce.training.retrieval.regression import regressed


@final
@dataclass(frozen=True)
class Choices:
    """How a bank is made.

    Attributes:
        features: "tfidf": TF-IDF of the reports, and regression from image features to it;
            "contrastive": a small model trained on images and reports.
        width: Numbers of a report.
        preset: Method preset whose backbone looks at the images.
        size: Height and width of the images, in pixels.
        backbone_weights: ImageNet weights for it, of "tfidf"; random ones where not given.
        backbone_of: Saved method whose backbone is taken instead, of "tfidf".
        epochs: Of "contrastive"; those of `Fitting` where not given.
        folds: Parts of the training studies, each left out of the encoder that makes its queries.
        seed: Of all that is drawn.

    Raises:
        ValueError: If an option is given that the way does not take.

    >>> Choices(features="contrastive", backbone_of=Path("runs/a"))
    Traceback (most recent call last):
    ValueError: the contrastive model trains a backbone of its own: leave out --backbone-weights ...
    """

    features: Literal["tfidf", "contrastive"] = "tfidf"
    width: int = 512
    preset: str = "r2gen-tiny"
    size: int = 224
    backbone_weights: Path | None = None
    backbone_of: Path | None = None
    epochs: int | None = None
    folds: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what would be ignored."""
        if self.features == "contrastive" and (self.backbone_weights or self.backbone_of):
            raise ValueError(
                "the contrastive model trains a backbone of its own: leave out --backbone-weights "
                "and --backbone-of, or take --features tfidf"
            )
        if self.features == "tfidf" and self.epochs is not None:
            raise ValueError("--epochs needs --features contrastive; nothing else is trained")


def build_bank(
    data: PreparedDataset, choices: Choices, progress: Progress | None = None
) -> RetrievalFile:
    """Return a retrieval file; reports and labels of validation and test studies have no say.

    Raises:
        FileNotFoundError: If a preset or a file is not there.
        ValueError: If the set is too small, a report says nothing, or a file doesn't fit.
    """
    torch.manual_seed(choices.seed)
    config = preset_encoder(choices.preset, features=choices.width, image_size=choices.size)
    if choices.features == "contrastive":
        made = contrasted(
            data,
            config,
            Fitting() if choices.epochs is None else Fitting(epochs=choices.epochs),
            seed=choices.seed,
            folds=choices.folds or CONTRAST_FOLDS,
            device=training_device(),
            progress=progress,
        )
        return made_file(data, made, seed=choices.seed)
    query = encoder_of(config, weights=choices.backbone_weights, run=choices.backbone_of)
    eyes = choices.backbone_weights or choices.backbone_of or f"random {config.backbone}"
    made = regressed(
        data,
        query.to(training_device()),
        seed=choices.seed,
        folds=choices.folds or FOLDS,
        progress=progress,
    )
    made = replace(made, source=f"{made.source}, by {eyes}")
    return made_file(data, made, seed=choices.seed)


def build_supplied(data: PreparedDataset, text: Path, images: Path) -> RetrievalFile:
    """Return the retrieval file of features that a user gives, as `supplied_file` reads them.

    Raises:
        FileNotFoundError: If a file is not there.
        ValueError: If one has another layout, lacks a study or has one held out, or they differ in
            width.
    """
    file = supplied_file(data, text, images)
    return replace(file, shares=split_shares(file, data, "train"))
