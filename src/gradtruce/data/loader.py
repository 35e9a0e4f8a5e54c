"""From a split of a prepared set to batches, in an order that depends on seed and epoch alone."""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, final

import torch
from jaxtyping import Float
from transformers import PreTrainedTokenizerFast

from gradtruce.data.augmentation import Augmentation
from gradtruce.data.batch import Batch
from gradtruce.data.loading.order import Deal, Order
from gradtruce.data.loading.reader import (
    GreyBatch,
    Request,
    StudyReader,
    StudyReadError,
    prior_rows,
)
from gradtruce.data.loading.tokens import TokenRows
from gradtruce.data.loading.workers import Workers
from gradtruce.data.prepared import PreparedSplit
from gradtruce.data.retrieval.neighbours import Neighbours
from gradtruce.data.text import CleaningMode, clean
from gradtruce.data.transforms import ImageProcessor, normalise_present

CACHE_BYTES = 1 << 30
"""Resized views kept in memory; IU X-Ray at 224 px with two views takes a third of it."""


@final
class Loader:
    """Yields the batches of one epoch of a split.

    The order depends on `(seed, epoch)`, the random part of a view on `(seed, epoch, study)`: two
    runs of the same seed see the same data, bit for bit, whatever else they do and with however
    many workers. Resized views are kept, so of a small set nothing is decoded from the second
    epoch on.

    Args:
        split: Studies of a prepared set.
        tokenizer: Of the method, as `build_tokenizer` makes it.
        processor: Image size and normalisation.
        batch_size: Studies in a batch, of one rank.
        max_tokens: Most tokens of a report, bos and eos included; `Batch.reports` is never cut.
        cleaning: Mode of `text.clean`, for tokens and references alike.
        augmentation: Random changes of the views, for training.
        shuffle: Whether every epoch has its own order.
        drop_last: Whether an incomplete last batch is left out.
        bucket_by_length: Whether reports of like length stand together, to pad less.
        seed: Of order and augmentation.
        max_views: Places for views; a study's first frontal and first lateral view come first.
        clusters: Cluster of a report by study id, for `Batch.clusters`; -1 where it has none.
        neighbours: Nearest training reports of every study of the split, for `Batch.retrieved`.
        limit: Takes only the first so many studies of the split.
        cache_bytes: Resized views that are kept in memory, in bytes, shared out among the workers;
            the rest is decoded anew.
        with_priors: Whether batches carry each study's prior study.
        workers: Processes that decode; 0 decodes in this one. `close` ends them.
        prefetch: Batches that every worker reads ahead.
        start_method: How workers start: "fork", "spawn" or "forkserver"; `None` is the platform's
            way.
        rank: Which of the training processes this is, from 0.
        world_size: How many training processes share the studies.
        deals: Whether they share every batch ("studies"), or take whole ones in turn ("batches").
        device: Where batches are made: bytes go there, and are normalised there. `None` makes them
            on the processor, in pinned memory where there is CUDA.

    Raises:
        ValueError: If a number is out of its range, there are fewer studies than one batch holds
            although incomplete batches are dropped, or the ranks can't share the studies.

    >>> import tempfile
    >>> import numpy as np
    >>> from gradtruce.data.prepared import PreparedDataset, PreparedWriter
    >>> from gradtruce.data.study import SPLITS, Study, View
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
        bucket_by_length: bool = False,
        seed: int = 0,
        max_views: int = 2,
        clusters: Mapping[str, int] | None = None,
        neighbours: Neighbours | None = None,
        limit: int | None = None,
        cache_bytes: int = CACHE_BYTES,
        with_priors: bool = False,
        workers: int = 0,
        prefetch: int = 2,
        start_method: str | None = None,
        rank: int = 0,
        world_size: int = 1,
        deals: Deal = "studies",
        device: torch.device | str | None = None,
    ) -> None:
        self.studies = len(split) if limit is None else min(limit, len(split))
        _require_positive(max_tokens=max_tokens, max_views=max_views, limit=self.studies)
        self.split, self.tokenizer, self.processor = split, tokenizer, processor
        needed = split.reports if with_priors else split.reports[: self.studies]
        texts = [clean(report, cleaning) for report in needed]
        self.references = tuple(texts[: self.studies])
        self._priors = prior_rows(split) if with_priors else None
        self._tokens = TokenRows(tokenizer, texts, max_tokens)
        self._labels = torch.from_numpy(split.labels)
        self._clusters: torch.Tensor | None = None
        if clusters is not None:
            self._clusters = torch.tensor([clusters.get(study, -1) for study in split.ids])
        self._neighbours = neighbours
        self._device = device
        try:
            self._order = Order(
                studies=self.studies,
                batch_size=batch_size,
                shuffle=shuffle,
                drop_last=drop_last,
                seed=seed,
                lengths=self._tokens.lengths[: self.studies] if bucket_by_length else None,
                rank=rank,
                world_size=world_size,
                deals=deals,
            )
        except ValueError as error:
            raise ValueError(f"split {split.name!r}: {error}") from None
        reader = StudyReader(
            split,
            processor,
            augmentation,
            max_views=max_views,
            seed=seed,
            cache_bytes=cache_bytes // max(workers, 1),
            priors=self._priors,
        )
        self._pins = torch.cuda.is_available()
        self._workers = Workers(
            reader,
            workers,
            prefetch=prefetch,
            start_method=start_method,
            pin=self._pins and device is not None,
        )
        self._epoch = self._first = 0
        self._place = (0, 0)

    @property
    def labels(self) -> Float[torch.Tensor, "studies observations"]:
        """Return the labels of all its studies: 1, 0, -1 or NaN."""
        return self._labels[: self.studies]

    @property
    def retrieved_width(self) -> int | None:
        """Return how many numbers a retrieved report has in `Batch.retrieved`; `None` for none."""
        return None if self._neighbours is None else self._neighbours.bank.width

    def set_epoch(self, epoch: int, first_batch: int = 0) -> None:
        """Choose the epoch, from 0, whose order and augmentation the next iteration has.

        Args:
            epoch: From 0.
            first_batch: Where the next iteration begins; what stands before it is not read. An
                epoch that `load_state_dict` has set keeps its place.

        Raises:
            ValueError: If the epoch has no such batch.
        """
        if not 0 <= first_batch <= len(self):
            raise ValueError(f"first_batch must be from 0 to {len(self)}, got {first_batch}")
        if epoch != self._epoch or first_batch:
            self._first = first_batch
        self._epoch = epoch
        self._place = (epoch, self._first)

    def state_dict(self) -> dict[str, Any]:
        """Return where the data are: the epoch, the batch that is next, and what these depend on.

        The values are numbers, so that any checkpoint can hold them.
        """
        epoch, batch = self._place
        epoch, batch = (epoch + 1, 0) if batch == len(self) else (epoch, batch)
        return {"epoch": epoch, "next_batch": batch, **self._identity()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where the loader of that state was; the number of workers may be another.

        Raises:
            ValueError: If the state is of other studies, seed, batch size or number of ranks.
        """
        for name, mine in self._identity().items():
            if state.get(name) != mine:
                raise ValueError(
                    f"the state is of a loader with {name} {state.get(name)}, this one has {mine}; "
                    "its order would be another: make the loader as it was"
                )
        self._epoch, self._first = state["epoch"], state["next_batch"]
        self._place = (self._epoch, self._first)

    def close(self) -> None:
        """End the workers; a later iteration starts new ones."""
        self._workers.close()

    def __enter__(self) -> "Loader":
        """Return the loader."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the workers."""
        self.close()

    def __len__(self) -> int:
        """Return the number of batches of an epoch."""
        return len(self._order)

    def __iter__(self) -> Iterator[Batch]:
        """Yield the batches of the epoch.

        Raises:
            RuntimeError: If a worker dies.
            ValueError: If a study can't be read; the message names it.
        """
        epoch, first, self._first = self._epoch, self._first, 0
        self._place = (epoch, first)
        orders = islice(self._order.batches(epoch), first, None)
        requests = [Request(epoch, rows.tolist()) for rows in orders]
        try:
            read = zip(requests, self._workers.read(requests), strict=True)
            for place, (request, grey) in enumerate(read, first + 1):
                batch = self._batch(request.rows, grey)
                self._place = (epoch, place)
                yield batch
        except StudyReadError as error:
            raise ValueError(
                f"study {self.split.ids[error.row]!r} of split {self.split.name!r} can't be read "
                f"({error.reason}); prepare the set again"
            ) from error

    def _identity(self) -> dict[str, int]:
        order = self._order
        return {
            "studies": order.studies,
            "batch_size": order.batch_size,
            "seed": order.seed,
            "shuffle": int(order.shuffle),
            "drop_last": int(order.drop_last),
            "bucket_by_length": int(order.lengths is not None),
            "world_size": order.world_size,
        }

    def _batch(self, rows: list[int], grey: GreyBatch) -> Batch:
        if self._device is not None:
            grey = grey.to(self._device)
        batch = Batch(
            ids=tuple(self.split.ids[row] for row in rows),
            reports=tuple(self.references[row] for row in rows),
            pixel_values=normalise_present(grey.grey, grey.mask, self.processor),
            view_mask=grey.mask,
            input_ids=self._tokens.padded(rows),
            labels=self._labels[rows],
            clusters=None if self._clusters is None else self._clusters[rows],
            retrieved=None if self._neighbours is None else self._neighbours.features(rows),
            **self._prior(rows, grey),
        )
        if self._device is not None:
            return batch.to(self._device)
        return batch.pin_memory() if self._pins else batch

    def _prior(self, rows: list[int], grey: GreyBatch) -> dict[str, Any]:  # fields of a batch
        if self._priors is None or grey.prior_grey is None or grey.prior_mask is None:
            return {}
        priors = self._priors[rows]
        labels = self._labels[priors]
        labels[torch.from_numpy(priors < 0)] = torch.nan
        return {
            "prior_pixel_values": normalise_present(
                grey.prior_grey, grey.prior_mask, self.processor
            ),
            "prior_mask": grey.prior_mask,
            "prior_input_ids": self._tokens.padded(priors.tolist()),
            "prior_labels": labels,
        }


def _require_positive(**values: int) -> None:
    for name, value in values.items():
        if value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")
