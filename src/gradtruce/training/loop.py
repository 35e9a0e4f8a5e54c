"""One run: from a configuration to a run folder with checkpoints, predictions and metrics."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import final

from gradtruce.evaluation.evaluate import evaluate
from gradtruce.evaluation.families.standard import final_families
from gradtruce.evaluation.labelers.cached import CachedLabeler
from gradtruce.evaluation.labelers.rules import RulesLabeler
from gradtruce.evaluation.metrics import Metrics
from gradtruce.evaluation.predictions import write_predictions
from gradtruce.evaluation.training_texts import read_training_texts
from gradtruce.methods.registry import load
from gradtruce.training.checkpoint import Checkpoints
from gradtruce.training.config import RunConfig
from gradtruce.training.config_file import load_config, write_config
from gradtruce.training.data_parts import DataParts, load_data
from gradtruce.training.device import on_device
from gradtruce.training.manifest import sync_file, sync_folder
from gradtruce.training.prediction import predict
from gradtruce.training.progress import (
    Progress,
    ProgressCallback,
    Stopwatch,
    without_transformers_bars,
)
from gradtruce.training.runlog import RunLog
from gradtruce.training.trainer import Trainer
from gradtruce.training.validation import decoding_of


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
) -> RunResult:
    """Train, keep the best checkpoint, generate the test reports and score them.

    Args:
        config: Everything the run depends on.
        folder: The run folder, made here; with `resume`, one that is there.
        resume: Go on from the newest whole checkpoint, or from the start where there is none yet;
            the result is bit for bit the one of a run that was not interrupted.
        progress: Told how far the run is.

    Raises:
        FileExistsError: If the folder exists and `resume` was not asked for.
        FileNotFoundError: If data are missing, or there is no run to resume.
        FloatingPointError: If a loss is not finite; the message names task and step.
        OSError: If the disk is full; the run can be resumed.
        ValueError: If the configuration asks for what is not there, a task was never active, or no
            checkpoint is whole.
    """
    tell = _ignore if progress is None else progress
    tell(Progress("preparing"))
    _check_folder(config, folder, resume=resume)
    data = load_data(config)
    labeler = CachedLabeler(RulesLabeler())
    trainer = Trainer(config, data, folder, labeler, tell)
    notes: list[str] = []
    if resume:
        with without_transformers_bars():
            notes = trainer.restore()
    else:
        _make_folder(config, folder)
    with without_transformers_bars(), RunLog(folder / "log.jsonl") as log:
        for note in notes:
            log.write("note", step=trainer.step, text=note)
            tell(Progress("training", trainer.step, trainer.total_steps, note=note))
        try:
            trainer.run(log)
        except Exception as error:
            _log_stop(log, trainer.step, error)
            raise
        metrics = _test(config, data, folder, labeler, log, trainer.step, tell)
    tell(Progress("done", 1, 1, 0.0))
    return RunResult(folder, trainer.step, trainer.best_step, metrics)


def _test(
    config: RunConfig,
    data: DataParts,
    folder: Path,
    labeler: CachedLabeler,
    log: RunLog,
    step: int,
    tell: ProgressCallback,
) -> Metrics:
    """Generate the test reports with the best checkpoint; metrics.json is written last."""
    total = data.test.studies
    watch = Stopwatch(0, total)

    def log_generation(done: int) -> None:
        left = watch.seconds_left(done)
        log.write("generation", step=step, done=done, total=total, seconds_left=left)
        tell(Progress("generating", done, total, left))

    method = on_device(load(Checkpoints(folder / "checkpoints").require_best()))
    source = data.dataset.manifest.label_source
    predictions = predict(
        method,
        data.test,
        decoding_of(config),
        label_source=source,
        precision=config.training.precision,
        watch=log_generation,
    )
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
    if load_config(path) != config:
        raise ValueError(f"{path}: differs from the configuration given; resume a run as it was")


def _ignore(progress: Progress) -> None:
    """Tell nobody."""
