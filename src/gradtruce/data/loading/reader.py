"""From rows of a split to the bytes of their views: all that a worker process does."""

import copy
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, NamedTuple, final

import numpy as np
import torch
from jaxtyping import Bool, Int, UInt8
from torch import Tensor

from gradtruce.data.augmentation import Augmentation
from gradtruce.data.loading.views import in_reading_order
from gradtruce.data.prepared import PreparedSplit
from gradtruce.data.transforms import ImageProcessor, stack_grey

_Fitted = tuple[UInt8[np.ndarray, "rows columns"], ...]


@final
class StudyReadError(ValueError):
    """A study of a prepared set can't be read.

    Args:
        row: Of the split.
        reason: What went wrong.
    """

    def __init__(self, row: int, reason: str) -> None:
        super().__init__(row, reason)
        self.row, self.reason = row, reason


class Request(NamedTuple):
    """What one batch is made of.

    Attributes:
        epoch: Random changes depend on it.
        rows: Studies of the split.
    """

    epoch: int
    rows: list[int]


@final
@dataclass(frozen=True, eq=False)
class GreyBatch:
    """Views as bytes: a twelfth of what they are as floats in three channels.

    Attributes:
        grey: An absent view is black.
        mask: False where a view is absent.
        prior_grey: Of the prior studies; `None` where they were not asked for.
        prior_mask: Of the prior studies.
    """

    grey: UInt8[Tensor, "batch views size size"]
    mask: Bool[Tensor, "batch views"]
    prior_grey: UInt8[Tensor, "batch views size size"] | None = None
    prior_mask: Bool[Tensor, "batch views"] | None = None

    def to(self, device: torch.device | str) -> "GreyBatch":
        """Return it on `device`; from pinned memory without waiting."""
        return self._with_tensors(
            {
                name: tensor.to(device, non_blocking=tensor.is_pinned())
                for name, tensor in self._tensors().items()
            }
        )

    def pin_memory(self) -> "GreyBatch":
        """Return it in page-locked memory."""
        return self._with_tensors(
            {name: tensor.pin_memory() for name, tensor in self._tensors().items()}
        )

    def _tensors(self) -> dict[str, Tensor]:
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if value is not None}

    def _with_tensors(self, tensors: dict[str, Any]) -> "GreyBatch":  # replace() takes any name
        return replace(self, **tensors)


@final
class StudyReader:
    """Reads and changes views, the same way in whatever process.

    Pickled, it holds the paths of the shards, not their pixels: each process maps them itself.

    Args:
        split: Of a prepared set.
        processor: Image size.
        augmentation: Random changes; `None` takes the processor's `fit`.
        max_views: Places for views.
        seed: Of the random changes.
        cache_bytes: Fitted views that each process keeps.
        priors: Row of every study's prior study, -1 where there is none; `None` reads none.
    """

    def __init__(
        self,
        split: PreparedSplit,
        processor: ImageProcessor,
        augmentation: Augmentation | None,
        *,
        max_views: int,
        seed: int,
        cache_bytes: int,
        priors: Int[np.ndarray, " studies"] | None = None,
    ) -> None:
        self._split, self._processor, self._augmentation = split, processor, augmentation
        self._max_views, self._seed, self._priors = max_views, seed, priors
        self._cache: dict[int, _Fitted] = {}
        self._cache_left = self._cache_bytes = cache_bytes

    def __getstate__(self) -> dict[str, Any]:
        """Return what another process needs; columns that were read, and the cache, stay here."""
        split = copy.copy(self._split)
        for name in [key for key in vars(split) if _is_cached(split, key)]:
            del vars(split)[name]
        fresh = {"_split": split, "_cache": {}, "_cache_left": self._cache_bytes}
        return vars(self) | fresh

    def read(self, request: Request) -> GreyBatch:
        """Return the views of the studies, changed as seed, epoch and study say.

        Raises:
            StudyReadError: If a study can't be read.
        """
        current, prior = [], []
        for row in request.rows:
            random = np.random.default_rng([self._seed, request.epoch, row])
            state = random.bit_generator.state
            current.append(self._drawn(row, random))
            if self._priors is not None:
                random.bit_generator.state = state  # the same draws, place by place
                before = int(self._priors[row])
                prior.append(self._drawn(before, random) if before >= 0 else ())
        stacked = stack_grey(current, self._processor.size, self._max_views)
        if self._priors is None:
            return GreyBatch(*stacked)
        return GreyBatch(*stacked, *stack_grey(prior, self._processor.size, self._max_views))

    def _drawn(self, row: int, random: np.random.Generator) -> _Fitted:
        try:
            fitted = self._fitted(row)
        except Exception as error:  # whatever it is, the study must be named
            raise StudyReadError(row, f"{type(error).__name__}: {error}") from error
        augmentation, size = self._augmentation, self._processor.size
        if augmentation is None:
            return fitted
        return tuple(augmentation.apply(view, size, augmentation.draw(random)) for view in fitted)

    def _fitted(self, row: int) -> _Fitted:
        if row in self._cache:
            return self._cache[row]
        views = in_reading_order(self._split.views(row))[: self._max_views]
        if self._augmentation is None:
            fitted = tuple(self._processor.fit(view.pixels) for view in views)
        else:
            size = self._processor.size
            fitted = tuple(self._augmentation.fit(view.pixels, size) for view in views)
        weight = sum(view.nbytes for view in fitted)
        if weight <= self._cache_left:
            self._cache_left -= weight
            self._cache[row] = fitted
        return fitted


def prior_rows(split: PreparedSplit) -> Int[np.ndarray, " studies"]:
    """Return the row of every study's prior study, -1 where it has none in the split."""
    places = {study_id: row for row, study_id in enumerate(split.ids)}
    priors = split.rows.data.column("prior").to_pylist()
    return np.array([-1 if prior is None else places.get(prior, -1) for prior in priors])


def _is_cached(split: PreparedSplit, name: str) -> bool:
    return isinstance(getattr(type(split), name, None), cached_property)
