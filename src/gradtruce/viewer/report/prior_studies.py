"""The prior studies that a saved method compares studies with, as its training had them."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from transformers import PreTrainedTokenizerFast

from gradtruce.data.loading.tokens import TokenRows
from gradtruce.data.loading.views import in_reading_order
from gradtruce.data.observations import OBSERVATIONS
from gradtruce.data.prepared import PreparedDataset
from gradtruce.data.study import Study
from gradtruce.data.text import clean
from gradtruce.data.transforms import ImageProcessor, stack_views
from gradtruce.training.config import DataConfig

Priors = Callable[[Study], Study | None]
"""From a study to the one before it, its report cleaned; `None` where there is none."""


def priors_of(config: DataConfig, dataset: PreparedDataset) -> Priors | None:
    """Return what finds the prior of a study of the set; `None` where the run reads no priors.

    Args:
        config: Of the run; says whether priors are read, and how their reports are cleaned.
        dataset: Where the studies are.
    """
    if not config.priors:
        return None

    def find(study: Study) -> Study | None:
        if study.prior is None:
            return None
        prior = dataset.study(study.prior)
        return replace(prior, report=clean(prior.report, config.cleaning))

    return find


def prior_fields(
    priors: Sequence[Study | None],
    tokenizer: PreTrainedTokenizerFast,
    processor: ImageProcessor,
    max_views: int,
    max_tokens: int,
) -> dict[str, Any]:  # fields of a batch
    """Return the fields of a batch that tell of the prior studies, as a `Loader` has them.

    Args:
        priors: The prior of every study; `None` where it has none.
        tokenizer: Of the method.
        processor: Of the method.
        max_views: Places for views.
        max_tokens: Most tokens of a report.
    """
    views = [in_reading_order(prior.views)[:max_views] if prior else () for prior in priors]
    fitted = [[processor.fit(view.pixels) for view in each] for each in views]
    pixel_values, mask = stack_views(fitted, processor, max_views)
    texts = [prior.report if prior else "" for prior in priors]
    rows = [row if prior else -1 for row, prior in enumerate(priors)]
    return {
        "prior_pixel_values": pixel_values,
        "prior_mask": mask,
        "prior_input_ids": TokenRows(tokenizer, texts, max_tokens).padded(rows),
        "prior_labels": torch.tensor([states_of(prior) for prior in priors]),
    }


def states_of(study: Study | None) -> list[float]:
    """Return the state of each observation as a batch has it; NaN where nothing is known."""
    labels = study.labels if study else {}
    return [float(labels.get(name, math.nan)) for name in OBSERVATIONS]
