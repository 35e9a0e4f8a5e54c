"""A finished run, opened for a look: configuration, log, checkpoint, the batches of a split."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, final

import torch
from torch import Tensor, nn

from gradtruce.data.batch import Batch
from gradtruce.methods.base import model_inputs, waiting_tasks
from gradtruce.methods.registry import Method, load
from gradtruce.study.gradient_dynamics.options import AnalysedSplit, Which
from gradtruce.training.checkpoint import load_trainer
from gradtruce.training.config import RunConfig
from gradtruce.training.config_file import load_config
from gradtruce.training.data_parts import DataParts, load_data
from gradtruce.training.device import on_device
from gradtruce.training.null import without_trace
from gradtruce.training.precision import autocast
from gradtruce.training.runlog import read_log

Json = dict[str, Any]  # a JSON object
MicroBatches = list[Batch]  # what one optimizer step sees


@final
@dataclass(frozen=True, eq=False)
class OpenedRun:
    """Configuration and log of a run.

    Attributes:
        folder: The run folder.
        config: As the run resolved it.
        steps: Lines of kind "step".
        nulls: Lines of kind "null".
    """

    folder: Path
    config: RunConfig
    steps: tuple[Json, ...]
    nulls: tuple[Json, ...]

    @property
    def label(self) -> str:
        """Return a short name: the folder's and the balancer's."""
        return f"{self.folder.resolve().name} ({self.config.balance.name})"

    @property
    def steps_per_epoch(self) -> int:
        """Return the steps of the longest epoch in the log, at least 1."""
        epochs = [line["epoch"] for line in self.steps if "epoch" in line]
        return max((epochs.count(epoch) for epoch in set(epochs)), default=1)


@final
@dataclass(frozen=True, eq=False)
class Checkpoint:
    """The model of a run at one step.

    Attributes:
        method: On the device, its parameters trainable.
        step: Optimizer steps that made it; `None` where no file says so.
        state: What a run needs to go on from here; `None` where only weights were kept.
        weights: λ of every task.
        waiting: Tasks that had not started at that step.
    """

    method: Method
    step: int | None
    state: Mapping[str, Any] | None
    weights: Mapping[str, float]
    waiting: frozenset[str]


def open_run(folder: Path) -> OpenedRun:
    """Read configuration and log of a run.

    Raises:
        FileNotFoundError: If the folder is no run folder, or the run has logged no step.
        ValueError: If configuration or log are damaged.

    >>> open_run(Path("runs/nowhere"))
    Traceback (most recent call last):
    FileNotFoundError: runs/nowhere/config.toml: not there; is runs/nowhere a run folder?
    """
    config, log = folder / "config.toml", folder / "log.jsonl"
    if not config.is_file():
        raise FileNotFoundError(f"{config}: not there; is {folder} a run folder?")
    if not log.is_file():
        raise FileNotFoundError(f"{log}: not there; the run has logged nothing yet")
    steps = tuple(read_log(log, "step"))
    if not steps:
        raise FileNotFoundError(f"{log} holds no step; wait until the run has taken some")
    return OpenedRun(folder, load_config(config), steps, tuple(read_log(log, "null")))


def open_checkpoint(run: OpenedRun, which: Which) -> Checkpoint:
    """Load a checkpoint of a run, and with "last" what training needs to go on.

    Raises:
        FileNotFoundError: If there is no such checkpoint.
        ValueError: If it is damaged.
    """
    folder = run.folder / "checkpoints" / which
    if not folder.is_dir():
        raise FileNotFoundError(
            f"{folder}: no such checkpoint; take another (--checkpoint), or look at the log alone "
            "(--only log)"
        )
    method = on_device(load(folder))
    state = load_trainer(folder) if which == "last" else None
    step = None if state is None else int(state["step"])
    epoch = ((step or 1) - 1) // run.steps_per_epoch if state else run.steps[-1].get("epoch", 0)
    weights = {task.name: task.weight for task in method.tasks} | run.config.balance.weights
    return Checkpoint(method, step, state, weights, waiting_tasks(method.tasks, epoch))


def read_batches(run: OpenedRun, split: AnalysedSplit, steps: int, seed: int) -> list[MicroBatches]:
    """Return disjoint batches of a split, as many micro-batches together as a step of the run has.

    The training split is in an order of the seed's own, the same for every run on these data.

    Raises:
        FileNotFoundError: If the prepared set is gone.
        ValueError: If the split has fewer batches.
    """
    data, size = load_seeded(run, seed), run.config.training.accumulation
    loader = getattr(data, split)
    full = loader.studies // run.config.training.batch_size // size
    if full < steps:
        raise ValueError(
            f"split {split!r} has {full} disjoint batches of "
            f"{size * run.config.training.batch_size} studies, {steps} are asked for; ask for "
            "fewer (--batches), or take another split"
        )
    with loader:
        batches = iter(loader)
        return [list(islice(batches, size)) for _ in range(steps)]


def load_seeded(run: OpenedRun, seed: int) -> DataParts:
    """Return the data of a run in the order of another seed, so that two runs see the same."""
    training = run.config.training.model_copy(update={"seed": seed})
    return load_data(run.config.model_copy(update={"training": training}))


def losses_of(
    run: OpenedRun,
    point: Checkpoint,
    batch: Batch,
    normalizers: Mapping[str, Tensor] | None = None,
) -> dict[str, Tensor]:
    """Return the unweighted losses of the tasks that have started, as training computes them."""
    method, precision = point.method, run.config.training.precision
    with autocast("fp32" if precision == "fp16" else precision, method.device):
        inputs = model_inputs(batch.to(method.device))
        losses = method(**inputs, normalizers=normalizers).losses
    return {task: loss for task, loss in losses.items() if task not in point.waiting}


@contextmanager
def left_alone(module: nn.Module, seed: int) -> Iterator[None]:
    """Let a model run with random numbers of a seed, then put buffers, mode and these back.

    >>> norm = nn.BatchNorm1d(1)
    >>> with left_alone(norm, seed=0):
    ...     _ = norm.train()(torch.tensor([[1.0], [3.0]]))
    >>> norm.running_mean
    tensor([0.])
    """
    was_training = module.training
    with without_trace(module):
        torch.manual_seed(seed)
        try:
            yield
        finally:
            module.train(was_training)
