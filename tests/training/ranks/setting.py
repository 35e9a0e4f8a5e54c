"""What one process and several can do alike: a set, a method, and steps of training."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from gradtruce.data.batch import Batch
from gradtruce.data.prepared import PreparedWriter
from gradtruce.training.assembly import (
    TrainingParts,
    build_engine,
    build_optimizer,
    build_training,
)
from gradtruce.training.config import RunConfig
from gradtruce.training.data_parts import DataParts, load_data
from gradtruce.training.stepper import Stepper
from gradtruce.training.world import World
from tests.training.conftest import MethodOptions, made_up_study

RANKS, STUDIES_A_STEP, STEPS = 2, 4, 20
COUNTS = {"train": 13, "val": 5, "test": 7}  # no multiple of a batch
PLAIN = {"dropout": 0.0, "visual_dropout": 0.0}


def write_uneven_set(folder: Path) -> Path:
    """Write a set whose reports and labels differ in number from study to study."""
    with PreparedWriter(folder, name="uneven", source="a test") as writer:
        for split, count in COUNTS.items():
            for number in range(count):
                study = made_up_study(split, number, labelled=True)
                known = dict(list(study.labels.items())[number % 4 :])
                report = study.report + " No pleural effusion." * (number % 3)
                writer.add(replace(study, labels=known, report=report))
    return folder


def config_of(
    folder: Path,
    world: World,
    balance: str = "came_grad",
    *,
    method: dict[str, Any] | None = None,
    data: dict[str, Any] | None = None,
    **training: Any,
) -> RunConfig:
    """Return a configuration whose steps take the same studies whatever the number of processes."""
    accumulation = training.get("accumulation", 1)
    return RunConfig(
        data={
            "path": str(folder),
            "image_size": 16,
            "max_tokens": 20,
            "min_frequency": 1,
            **(data or {}),
        },
        method={
            "name": "r2gen",
            "options": {**MethodOptions, **PLAIN, "backbone": "compact_batch", **(method or {})},
        },
        balance={"name": balance},
        training={
            "steps": STEPS,
            "batch_size": STUDIES_A_STEP // accumulation // world.size,
            "schedule": {"name": "constant"},
            "learning_rate": {"backbone": 2e-3, "rest": 3e-3},  # as the preset "demo"
            "decoding": {"beams": 1},
            **training,
        },
    )


@contextmanager
def in_float64() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


def freeze_statistics(method: nn.Module) -> None:
    for module in method.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()


def like_default(batch: Batch) -> Batch:
    """Return a batch in the precision of the method."""
    dtype = torch.get_default_dtype()
    return batch._with_tensors(lambda each: each.to(dtype) if each.is_floating_point() else each)


def steps_of(
    data: DataParts, parts: TrainingParts, config: RunConfig
) -> Iterator[tuple[int, list[Batch]]]:
    step = 0
    while step < parts.total_steps:
        parts.gradients.epoch = step // parts.steps_per_epoch
        data.train.set_epoch(step // parts.steps_per_epoch)
        batches = iter(data.train)
        for _ in range(min(parts.steps_per_epoch, parts.total_steps - step)):
            yield step, [*map(like_default, islice(batches, config.training.accumulation))]
            step += 1


Change = Callable[[Sequence[Batch]], list[Batch]]


def trained(
    config: RunConfig,
    world: World,
    *,
    scaler: torch.amp.GradScaler | None = None,
    change: Change = list,
) -> dict[str, Tensor]:
    """Return weights, losses and norms after some steps, statistics of BatchNorm frozen.

    Args:
        config: Of the run.
        world: Who takes the steps.
        scaler: As "fp16" has one.
        change: What is done to the batches of every step.
    """
    data = load_data(config, world)
    parts = build_training(config, data, world)
    if scaler is not None:
        parts = with_scaler(parts, config, scaler)
    freeze_statistics(parts.method)
    stepper = Stepper(parts, config.training, world)
    records = [
        stepper.step(change(batches), step) for step, batches in steps_of(data, parts, config)
    ]
    found = {
        name: each.detach().clone() for name, each in parts.spread.whole().state_dict().items()
    }
    losses = [[*record["losses"].values()] for record in records]
    found["losses"] = torch.tensor([[torch.nan if x is None else x for x in row] for row in losses])
    found["norms"] = torch.tensor([record["gradient_norm"] for record in records])
    found["clipped"] = torch.tensor([record["clipped"] for record in records])
    return found


def with_scaler(
    parts: TrainingParts, config: RunConfig, scaler: torch.amp.GradScaler
) -> TrainingParts:
    parts.gradients.close()
    engine = build_engine(config, parts.method, model=parts.spread.balanced, scaler=scaler)
    training = config.training.model_copy(update={"precision": "fp16"})  # the optimizer of fp16
    optimizer = build_optimizer(training, parts.method)
    return replace(parts, gradients=engine, optimizer=optimizer, scaler=scaler)


def apart(found: dict[str, Tensor], wanted: dict[str, Tensor]) -> float:
    """Return the largest difference, in units of the largest number of a tensor."""
    assert found.keys() == wanted.keys(), found.keys() ^ wanted.keys()
    worst = 0.0
    for name, there in wanted.items():
        same = torch.equal(found[name].isnan(), there.isnan())
        assert same, name
        error = (found[name].double() - there.double()).nan_to_num().abs().max()
        worst = max(worst, float(error / there.double().nan_to_num().abs().max().clamp_min(1e-30)))
    return worst
