"""From a configuration to what a run reads: data set, tokenizer, loaders."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, final

from transformers import PreTrainedTokenizerFast

import gradtruce.balance  # noqa: F401 # registers the balancers
from gradtruce.data.augmentation import AUGMENTATIONS
from gradtruce.data.cluster_file import ClusterFile
from gradtruce.data.loader import Loader
from gradtruce.data.prepared import PreparedDataset
from gradtruce.data.text import clean
from gradtruce.data.tokenizer import build_tokenizer
from gradtruce.data.transforms import ImageProcessor
from gradtruce.data.wordpiece import read_wordpiece, train_wordpiece
from gradtruce.training.config import DataConfig, RunConfig
from gradtruce.training.retrieval.run_bank import RunBank
from gradtruce.training.world import ALONE, World, require_same

_SOURCES: Final = {
    name: name.removesuffix("_phantom")
    for name in ("phantom", "iu_xray", "iu_xray_phantom", "mimic_cxr")
}
"""The command that prepares a set of that name."""


@final
@dataclass(frozen=True, eq=False)
class DataParts:
    """What a run reads.

    Attributes:
        dataset: The prepared set.
        tokenizer: Built on its training reports.
        processor: Image size and normalisation.
        train: Loader of the training split, in random order.
        val: Loader of the validation studies.
        test: Loader of the test split.
    """

    dataset: PreparedDataset
    tokenizer: PreTrainedTokenizerFast
    processor: ImageProcessor
    train: Loader
    val: Loader
    test: Loader


def load_data(
    config: RunConfig,
    world: World = ALONE,
    retrieving: Callable[[int, int], None] | None = None,
) -> DataParts:
    """Open the data set and build tokenizer, image processor and loaders.

    Args:
        config: Data set, and how it is read.
        world: The processes that share it: of every training batch each takes its studies, and of
            validation and test whole batches in turn.
        retrieving: Told for how many studies of how many reports were retrieved, where that takes
            long: a large bank is searched once for each split, and the answer kept beside it.

    Raises:
        FileNotFoundError: If there is no prepared set, or no file that the configuration names.
        ValueError: If it is damaged, was prepared with too small images, has fewer studies than a
            batch, the vocabulary is none, the file of clusters or of retrieval was not made from
            it, or processes have different sets.
    """
    data, training = config.data, config.training
    dataset = PreparedDataset.open(data.path)
    _require_size(data, dataset)
    tokenizer = build_report_tokenizer(data, dataset.split("train").reports)
    processor = ImageProcessor(size=data.image_size)
    clusters, bank = _clusters(data, dataset), RunBank.of(data)
    if bank is not None:
        bank.require(dataset)

    def loader(split: str, **options: Any) -> Loader:  # keyword arguments of the loader
        return Loader(
            dataset.split(split),
            tokenizer,
            processor,
            batch_size=training.batch_size,
            max_tokens=data.max_tokens,
            cleaning=data.cleaning,
            max_views=data.views,
            clusters=clusters,
            neighbours=None if bank is None else bank.neighbours(dataset.split(split), retrieving),
            with_priors=data.priors,
            seed=training.seed,
            rank=world.rank,
            world_size=world.size,
            **options,
        )

    train = loader(
        "train",
        augmentation=AUGMENTATIONS[data.augmentation],
        shuffle=True,
        drop_last=True,
        bucket_by_length=data.bucket_by_length,
        workers=data.workers,
    )
    val = loader("val", limit=training.validation.studies, deals="batches")
    test = loader("test", deals="batches")
    require_same(
        world,
        f"the data set {data.path}",
        [*(each.split.ids for each in (train, val, test)), sorted(tokenizer.get_vocab().items())],
        "copy one prepared set to all machines",
    )
    return DataParts(dataset, tokenizer, processor, train, val, test)


def build_report_tokenizer(data: DataConfig, reports: Iterable[str]) -> PreTrainedTokenizerFast:
    """Return the tokenizer of a run.

    Args:
        data: Which tokenizer, and how text is cleaned before.
        reports: Of the training split, as they were written.

    Raises:
        FileNotFoundError: If there is no such vocabulary.
        ValueError: If the vocabulary is none, or the reports have too few words, or too many
            letters for the size.

    >>> data = DataConfig(path="set", tokenizer="wordpiece", vocabulary_size=60, min_frequency=1)
    >>> build_report_tokenizer(data, ["Clear lungs."]).tokenize("clear lungs")
    ['clear', 'lungs']
    """
    if data.vocabulary is not None:
        return read_wordpiece(data.vocabulary)
    texts = (clean(report, data.cleaning) for report in reports)
    if data.tokenizer == "wordpiece":
        return train_wordpiece(texts, data.vocabulary_size, data.min_frequency)
    return build_tokenizer(texts, data.min_frequency)


def _clusters(data: DataConfig, dataset: PreparedDataset) -> Mapping[str, int] | None:
    if data.clusters is None:
        return None
    file = ClusterFile.read(data.clusters)
    train = dataset.split("train")
    file.require(train.ids, train.reports)
    return file.clusters


def _require_size(data: DataConfig, dataset: PreparedDataset) -> None:
    """Refuse images that were prepared smaller than the method is to see them."""
    kept = dataset.manifest.settings.get("short_side")
    if kept is not None and kept < data.image_size:
        source = _SOURCES.get(dataset.manifest.name, "folder")
        raise ValueError(
            f"data.image_size is {data.image_size} pixels, but {data.path} was prepared with"
            f" {kept}: prepare it again with the same options and another size (gradtruce prepare"
            f" {source} {data.path}-{data.image_size} … --size {data.image_size}), or lower"
            " data.image_size"
        )
