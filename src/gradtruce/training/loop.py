"""One run: from a configuration to a run folder with checkpoints, predictions and metrics."""

import os
import shutil
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import final

from gradtruce.evaluation.evaluate import evaluate
from gradtruce.evaluation.families.standard import final_families
from gradtruce.evaluation.labelers.cached import CachedLabeler
from gradtruce.evaluation.labelers.rules import RulesLabeler
from gradtruce.evaluation.metrics import Metrics
from gradtruce.evaluation.predictions import Prediction, write_predictions
from gradtruce.evaluation.training_texts import read_training_texts
from gradtruce.manifest import sync_file, sync_folder
from gradtruce.methods.registry import Method, load
from gradtruce.training.alone import training_alone
from gradtruce.training.config import RunConfig
from gradtruce.training.config_file import load_config, with_absolute_paths, write_config
from gradtruce.training.data_parts import DataParts, load_data
from gradtruce.training.device import on_device
from gradtruce.training.prediction import predict
from gradtruce.training.progress import (
    Progress,
    ProgressCallback,
    Stopwatch,
    counter,
    without_transformers_bars,
)
from gradtruce.training.runlog import RunLog
from gradtruce.training.state import seed_random
from gradtruce.training.trainer import Trainer
from gradtruce.training.validation import decoding_of
from gradtruce.training.world import ALONE, World, require_same


@final
@dataclass(frozen=True)
class RunResult:
    """What a run came to.

    Attributes:
        folder: The run folder.
        steps: Optimizer steps taken.
        best_step: Step of the best checkpoint, which generated the test reports.
        metrics: Scores on the test split.
    """

    folder: Path
    steps: int
    best_step: int
    metrics: Metrics


def train(
    config: RunConfig,
    folder: Path,
    *,
    resume: bool = False,
    progress: ProgressCallback | None = None,
    world: World = ALONE,
) -> RunResult:
    """Train, keep the best checkpoint, generate the test reports and score them.

    Args:
        config: Everything the run depends on; its paths are written as absolute ones.
        folder: The run folder, made here; with `resume`, one that is there.
        resume: Go on from the newest whole checkpoint, or from the start where there is none yet;
            the result is bit for bit the one of a run that was not interrupted.
        progress: Told how far the run is, in the first process.
        world: The processes that train together; see `joining.joined`. The first alone reads and
            writes the run folder.

    Raises:
        BlockingIOError: If another process trains in the folder.
        FileExistsError: If the folder exists and `resume` was not asked for.
        FileNotFoundError: If data are missing, or there is no run to resume.
        FloatingPointError: If a loss is not finite; the message names task and step.
        OSError: If the disk is full; the run can be resumed.
        ValueError: If the configuration asks for what is not there, a task was never active, or no
            checkpoint is whole.
    """
    tell = _ignore if progress is None or not world.is_first else progress
    tell(Progress("preparing"))
    require_same(world, "the configuration", [config], "start all processes by the same command")
    config = with_absolute_paths(config)
    with training_alone(folder) if world.is_first else nullcontext("") as note:
        return _train(config, folder, [note] if note else [], tell, world, resume=resume)


def _train(
    config: RunConfig,
    folder: Path,
    notes: list[str],
    tell: ProgressCallback,
    world: World,
    *,
    resume: bool,
) -> RunResult:
    if world.is_first:
        _check_folder(config, folder, resume=resume)
    seed_random(config.training.seed)
    data = load_data(config, world, counter("retrieving", tell))
    labeler = CachedLabeler(RulesLabeler())
    trainer = Trainer(config, data, folder, labeler, tell, world)
    if resume:
        with without_transformers_bars():
            notes = notes + trainer.restore()
    elif world.is_first:
        _make_folder(config, folder)
    with without_transformers_bars(), RunLog(_log_path(folder, world)) as log:
        for note in notes:
            log.write("note", step=trainer.step, text=note)
            tell(Progress("training", trainer.step, trainer.total_steps, note=note))
        try:
            trainer.run(log)
        except Exception as error:
            _log_stop(log, trainer.step, error)
            raise
        metrics = _test(config, data, folder, labeler, log, trainer, tell, world)
    tell(Progress("done", 1, 1, 0.0))
    return RunResult(folder, trainer.step, trainer.best_step, metrics)


def _log_path(folder: Path, world: World) -> Path:
    """Return where a process writes its log: only that of the first is kept."""
    return folder / "log.jsonl" if world.is_first else Path(os.devnull)


def _test(
    config: RunConfig,
    data: DataParts,
    folder: Path,
    labeler: CachedLabeler,
    log: RunLog,
    trainer: Trainer,
    tell: ProgressCallback,
    world: World,
) -> Metrics:
    """Generate the test reports with the best checkpoint; metrics.json is written last."""
    total = data.test.studies
    watch = Stopwatch(0, total)

    def log_generation(mine: int) -> None:
        done = min(mine * world.size, total)  # the others are about as far
        left = watch.seconds_left(done)
        log.write("generation", step=trainer.step, done=done, total=total, seconds_left=left)
        tell(Progress("generating", done, total, left))

    predictions = predict(
        _best(folder, trainer, world),
        data.test,
        decoding_of(config),
        label_source=data.dataset.manifest.label_source,
        precision=config.training.precision,
        watch=log_generation,
        world=world,
    )
    return world.by_first(lambda: _score(config, folder, labeler, predictions))


def _best(folder: Path, trainer: Trainer, world: World) -> Method:
    """Return the best checkpoint, which the first process reads."""
    read = None
    if world.is_first:
        read = on_device(load(folder / "checkpoints" / "best"))
    if world.size == 1 and read is not None:
        return read
    method = trainer.whole()
    if read is not None:
        method.load_state_dict(read.state_dict())
    world.share(method.state_dict().values())
    return method


def _score(
    config: RunConfig, folder: Path, labeler: CachedLabeler, predictions: Sequence[Prediction]
) -> Metrics:
    write_predictions(folder / "predictions.jsonl", predictions)
    training = read_training_texts(Path(config.data.path), config.data.cleaning)
    metrics = evaluate(predictions, final_families(labeler, training))
    metrics.write(folder / "metrics.json")
    return metrics


def _log_stop(log: RunLog, step: int, error: Exception) -> None:
    try:
        log.write("note", step=step, text=f"stopped: {error}")
    except OSError as unwritten:  # a full disk: what stopped the run matters more
        error.add_note(str(unwritten))


def _make_folder(config: RunConfig, folder: Path) -> None:
    """Make the run folder with its configuration: both are there, or none is."""
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    (partial / "checkpoints").mkdir(parents=True)
    write_config(config, partial / "config.toml")
    sync_file(partial / "config.toml")
    partial.rename(folder)
    sync_folder(folder.parent)


def _check_folder(config: RunConfig, folder: Path, *, resume: bool) -> None:
    if not resume:
        if folder.exists():
            raise FileExistsError(
                f"{folder} exists; resume it (--resume), remove it, or give another folder"
            )
        return
    path = folder / "config.toml"
    if not path.is_file():
        raise FileNotFoundError(f"{path}: not there; is {folder} a run folder?")
    if _without_share(with_absolute_paths(load_config(path))) != _without_share(config):
        raise ValueError(f"{path}: differs from the configuration given; resume a run as it was")


def _without_share(config: RunConfig) -> RunConfig:
    """Return a configuration without what another number of processes may change."""
    alike = {"batch_size": 1, "accumulation": 1, "parallel": "data"}
    training = config.training.model_copy(update=alike)
    return config.model_copy(update={"training": training})


def _ignore(progress: Progress) -> None:
    """Tell nobody."""
