"""Reports of a trained method for the studies of any prepared set, such as one it never saw."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from gradtruce.data.loader import Loader
from gradtruce.data.prepared import PreparedDataset
from gradtruce.data.study import SPLITS, Split
from gradtruce.data.transforms import ImageProcessor
from gradtruce.evaluation.predictions import Prediction
from gradtruce.methods.registry import load
from gradtruce.training.config import RunConfig
from gradtruce.training.config_file import load_config
from gradtruce.training.device import on_device
from gradtruce.training.prediction import predict
from gradtruce.training.progress import Progress, ProgressCallback, Stopwatch, counter
from gradtruce.training.retrieval.run_bank import RunBank
from gradtruce.training.validation import decoding_of


def generate(
    run: Path,
    data: Path,
    *,
    protocol: RunConfig | None = None,
    splits: Sequence[Split] = SPLITS,
    progress: ProgressCallback | None = None,
) -> list[Prediction]:
    """Return a report for every study of some splits, by the best checkpoint of a run.

    Args:
        run: A run folder.
        data: A prepared set, which need not be that of the run. The reports that a method retrieves
            are always of the bank that the run was trained with.
        protocol: How many views are seen, how references are cleaned, and how reports are
            generated; as in the run where not given.
        splits: Which splits, in this order.
        progress: Told how far this is.

    Raises:
        FileNotFoundError: If the run or the set is not there.
        ValueError: If the set has no study in these splits.

    >>> generate(Path("runs/nowhere"), Path("data"))
    Traceback (most recent call last):
    FileNotFoundError: runs/nowhere/config.toml: not there; is runs/nowhere a run folder?
    """
    path = run / "config.toml"
    if not path.is_file():
        raise FileNotFoundError(f"{path}: not there; is {run} a run folder?")
    trained: RunConfig = load_config(path)
    asked = protocol or trained
    dataset = PreparedDataset.open(data)
    chosen = [split for split in map(dataset.split, splits) if len(split)]
    total = sum(len(split) for split in chosen)
    if not total:
        raise ValueError(f"{data} has no study in {', '.join(splits)}; choose another split")
    checkpoint = run / "checkpoints" / "best"
    method, processor = on_device(load(checkpoint)), ImageProcessor.load(checkpoint)
    bank, tell, found = RunBank.of(trained.data), _teller(progress, total), list[Prediction]()
    for split in chosen:
        loader = Loader(
            split,
            method.require_tokenizer(),
            processor,
            batch_size=min(asked.training.batch_size, len(split)),
            max_tokens=asked.data.max_tokens,
            cleaning=asked.data.cleaning,
            max_views=asked.data.views,
            with_priors=asked.data.priors,
            neighbours=None
            if bank is None
            else bank.neighbours_in(dataset, split, _counter(progress)),
        )
        found += predict(
            method,
            loader,
            decoding_of(asked),
            label_source=dataset.manifest.label_source,
            watch=partial(tell, len(found)),
        )
    return found


def _counter(progress: ProgressCallback | None) -> Callable[[int, int], None] | None:
    return None if progress is None else counter("retrieving", progress)


def _teller(progress: ProgressCallback | None, total: int) -> Callable[[int, int], None]:
    """Return what tells how many of a split are done, after those of the splits before."""
    watch = Stopwatch(0, total)

    def tell(before: int, done: int) -> None:
        if progress is not None:
            both = before + done
            progress(Progress("generating", both, total, watch.seconds_left(both)))

    return tell
