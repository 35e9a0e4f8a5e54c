"""From a split of a prepared set to batches, in an order that depends on seed and epoch alone."""

from collections.abc import Iterator, Mapping
from typing import final

import numpy as np
import torch
from jaxtyping import Int, UInt8
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from gradtruce.data.batch import Batch
from gradtruce.data.prepared import PreparedSplit
from gradtruce.data.study import View
from gradtruce.data.text import CleaningMode, clean
from gradtruce.data.tokenizer import encode
from gradtruce.data.transforms import Augmentation, ImageProcessor, stack_views

CACHE_BYTES = 1 << 30
"""Resized views kept in memory; IU X-Ray at 224 px with two views takes a third of it."""

_Fitted = tuple[UInt8[np.ndarray, "rows columns"], ...]


@final
class Loader:
    """Yields the batches of one epoch of a split.

    The order depends on `(seed, epoch)`, the random part of a view on `(seed, epoch, study)`: two
    runs of the same seed see the same data, whatever they do with it. It all runs in the calling
    process: resized views are kept, so from the second epoch on nothing is decoded.

    Args:
        split: Studies of a prepared set.
        tokenizer: Of the method, as `build_tokenizer` makes it.
        processor: Image size and normalisation.
        batch_size: Studies in a batch.
        max_tokens: Most tokens of a report, bos and eos included; `Batch.reports` is never cut.
        cleaning: Mode of `text.clean`, for tokens and references alike.
        augmentation: Random changes of the views, for training.
        shuffle: Whether every epoch has its own order.
        drop_last: Whether an incomplete last batch is left out.
        seed: Of order and augmentation.
        max_views: Places for views; a study's first frontal and first lateral view come first.
        clusters: Cluster of a report by study id, for `Batch.clusters`; -1 where it has none.
        limit: Takes only the first so many studies of the split.
        cache_bytes: Resized views that are kept in memory, in bytes; the rest is decoded anew.

    Raises:
        ValueError: If a number is below 1, or there are fewer studies than one batch holds
            although incomplete batches are dropped.

    >>> import tempfile
    >>> from gradtruce.data.prepared import PreparedDataset, PreparedWriter
    >>> from gradtruce.data.study import SPLITS, Study
    >>> from gradtruce.data.tokenizer import build_tokenizer
    >>> film = View(np.zeros((8, 8), dtype=np.uint8), "frontal")
    >>> folder = tempfile.TemporaryDirectory()
    >>> with PreparedWriter(folder.name + "/set", name="tiny", source="") as writer:
    ...     for name in SPLITS:
    ...         writer.add(Study(name, name, name, (film,), "Clear lungs."))
    >>> split = PreparedDataset.open(folder.name + "/set").split("train")
    >>> tokenizer = build_tokenizer(["clear lungs ."], min_frequency=1)
    >>> loader = Loader(split, tokenizer, ImageProcessor(8), batch_size=4, max_tokens=60)
    >>> [(batch.ids, batch.input_ids.tolist()) for batch in loader]
    [(('train',), [[1, 5, 6, 4, 2]])]
    >>> folder.cleanup()
    """

    def __init__(
        self,
        split: PreparedSplit,
        tokenizer: PreTrainedTokenizerFast,
        processor: ImageProcessor,
        *,
        batch_size: int,
        max_tokens: int,
        cleaning: CleaningMode = "clean",
        augmentation: Augmentation | None = None,
        shuffle: bool = False,
        drop_last: bool = False,
        seed: int = 0,
        max_views: int = 2,
        clusters: Mapping[str, int] | None = None,
        limit: int | None = None,
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        self.studies = len(split) if limit is None else min(limit, len(split))
        for name, value in {
            "batch_size": batch_size,
            "max_tokens": max_tokens,
            "max_views": max_views,
            "limit": self.studies,
        }.items():
            if value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}")
        if drop_last and self.studies < batch_size:
            raise ValueError(
                f"split {split.name!r} has {self.studies} studies, fewer than one batch of "
                f"{batch_size}; lower the batch size"
            )
        self.split, self.tokenizer, self.processor = split, tokenizer, processor
        self.references = tuple(clean(report, cleaning) for report in split.reports[: self.studies])
        self._tokens = [encode(tokenizer, text, max_tokens) for text in self.references]
        self._labels = torch.from_numpy(split.labels)
        self._clusters: Tensor | None = None
        if clusters is not None:
            self._clusters = torch.tensor([clusters.get(study, -1) for study in split.ids])
        self._augmentation, self._max_views = augmentation, max_views
        self._batch_size, self._shuffle, self._drop_last = batch_size, shuffle, drop_last
        self._seed, self._epoch = seed, 0
        self._cache: dict[int, _Fitted] = {}
        self._cache_left = cache_bytes

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch, from 0, whose order and augmentation the next iteration has."""
        self._epoch = epoch

    def __len__(self) -> int:
        """Return the number of batches of an epoch."""
        whole, rest = divmod(self.studies, self._batch_size)
        return whole + (rest > 0 and not self._drop_last)

    def __iter__(self) -> Iterator[Batch]:
        """Yield the batches of the epoch."""
        epoch = self._epoch
        order = np.arange(self.studies)
        if self._shuffle:
            order = np.random.default_rng([self._seed, epoch]).permutation(order)
        for start in range(0, len(self) * self._batch_size, self._batch_size):
            yield self._batch(order[start : start + self._batch_size].tolist(), epoch)

    def _batch(self, studies: list[int], epoch: int) -> Batch:
        drawn = [self._draw(study, epoch) for study in studies]
        pixel_values, view_mask = stack_views(drawn, self.processor, self._max_views)
        return Batch(
            ids=tuple(self.split.ids[study] for study in studies),
            reports=tuple(self.references[study] for study in studies),
            pixel_values=pixel_values,
            view_mask=view_mask,
            input_ids=_padded([self._tokens[study] for study in studies]),
            labels=self._labels[studies],
            clusters=None if self._clusters is None else self._clusters[studies],
        )

    def _draw(self, study: int, epoch: int) -> _Fitted:
        fitted = self._fitted(study)
        if self._augmentation is None:
            return fitted
        random = np.random.default_rng([self._seed, epoch, study])
        size = self.processor.size
        return tuple(self._augmentation.draw(view, size, random) for view in fitted)

    def _fitted(self, study: int) -> _Fitted:
        if study in self._cache:
            return self._cache[study]
        views = in_reading_order(self.split.views(study))[: self._max_views]
        if self._augmentation is None:
            fitted = tuple(self.processor.fit(view.pixels) for view in views)
        else:
            size = self.processor.size
            fitted = tuple(self._augmentation.fit(view.pixels, size) for view in views)
        weight = sum(view.nbytes for view in fitted)
        if weight <= self._cache_left:
            self._cache_left -= weight
            self._cache[study] = fitted
        return fitted


def in_reading_order(views: tuple[View, ...]) -> tuple[View, ...]:
    """Return the first frontal view, the first lateral, the first unknown, then the second of each.

    >>> film = np.zeros((1, 1), dtype=np.uint8)
    >>> views = tuple(View(film, position) for position in ("lateral", "frontal", "frontal"))
    >>> [view.position for view in in_reading_order(views)]
    ['frontal', 'lateral', 'frontal']
    """
    rank = {"frontal": 0, "lateral": 1, "unknown": 2}
    seen = dict.fromkeys(rank, 0)
    keys = []
    for view in views:
        keys.append((seen[view.position], rank[view.position]))
        seen[view.position] += 1
    return tuple(
        view for _, view in sorted(zip(keys, views, strict=True), key=lambda pair: pair[0])
    )


def _padded(rows: list[list[int]]) -> Int[Tensor, "batch tokens"]:
    longest = max(len(row) for row in rows)
    return torch.tensor([row + [0] * (longest - len(row)) for row in rows])
