"""Cases that several processes run; a test compares what they return with one process."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from gradtruce.data.batch import Batch
from gradtruce.evaluation.labelers.rules import RulesLabeler
from gradtruce.training.assembly import build_training
from gradtruce.training.config import RunConfig
from gradtruce.training.data_parts import load_data
from gradtruce.training.loop import train
from gradtruce.training.null import measure_null
from gradtruce.training.pieces import put_together
from gradtruce.training.prediction import mean_losses, predict
from gradtruce.training.stepper import Stepper
from gradtruce.training.validation import decoding_of, validate
from gradtruce.training.world import World
from tests.training.ranks.setting import (
    config_of,
    freeze_statistics,
    in_float64,
    like_default,
    steps_of,
    trained,
)

Case = Callable[[World, Path], Any]
CASES: dict[str, Case] = {}
BALANCERS = ("linear", "came_grad", "pcgrad", "famo", "gradnorm", "stgu")
KINDS = ("data", "sharded")
SGD = {"optimizer": "sgd", "learning_rate": {"backbone": 1e-2, "rest": 1e-2}}
VARIANTS: dict[str, dict[str, Any]] = {
    "sgd": {"optimizer": "sgd"},
    "adam": {"optimizer": "adam_amsgrad"},
    "accumulation": {"accumulation": 2},
    "clipping by norm": {"clip": {"kind": "norm", "limit": 0.05}},
    "clipping by value": {"clip": {"kind": "value", "limit": 0.01}},
    "no clipping": {"clip": {"kind": "none"}},
}


def case(name: str) -> Callable[[Case], Case]:
    """Register a case by name."""

    def register(function: Case) -> Case:
        CASES[name] = function
        return function

    return register


def float64_case(balancer: str, **training: Any) -> Case:
    def run(world: World, folder: Path) -> Any:
        with in_float64():
            return trained(config_of(folder, world, balancer, **training), world)

    return run


for kind in KINDS:
    for balancer in BALANCERS:
        CASES[f"{kind}: {balancer}"] = float64_case(balancer, parallel=kind)
    for variant, training in VARIANTS.items():
        CASES[f"{kind}: {variant}"] = float64_case("came_grad", parallel=kind, **training)
    CASES[f"{kind}: float32"] = lambda world, folder, kind=kind: trained(
        config_of(folder, world, parallel=kind, **SGD), world
    )
    CASES[f"{kind}: bf16"] = lambda world, folder, kind=kind: trained(
        config_of(folder, world, parallel=kind, precision="bf16", **SGD), world
    )


def scaled(world: World, folder: Path, parallel: str) -> Any:
    """Return what comes of steps with a scaler, one of which overflows in one process alone."""
    step = 0

    def overflow(batches: Sequence[Batch]) -> list[Batch]:
        nonlocal step
        step += 1
        if step != 3 or world.rank != world.size - 1:
            return list(batches)
        last = batches[-1]
        images = last.pixel_values.clone()
        images[-1] = torch.inf
        return [*batches[:-1], replace(last, pixel_values=images)]

    with in_float64():
        config = config_of(folder, world, parallel=parallel, optimizer="sgd", steps=6)
        scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)
        found = trained(config, world, scaler=scaler, change=overflow)
    return found | {"scale": torch.tensor(scaler.get_scale())}


def evaluated(world: World, folder: Path, parallel: str) -> Any:
    """Return predictions, mean losses and scores of a method that is as it was made."""
    config = config_of(folder, world, parallel=parallel, batch_size=2)
    data = load_data(config, world)
    parts = build_training(config, data, world)
    method = parts.spread.whole()
    found = predict(method, data.test, decoding_of(config), world=world)
    scores = validate(method, data, config, RulesLabeler(), world).scores
    return [vars(each) for each in found], mean_losses(method, data.test, world=world), scores


for kind in KINDS:
    CASES[f"{kind}: scaler"] = lambda world, folder, kind=kind: scaled(world, folder, kind)
    CASES[f"{kind}: evaluation"] = lambda world, folder, kind=kind: evaluated(world, folder, kind)


@case("data: a task that one process lacks")
def absent(world: World, folder: Path, parallel: str = "data") -> Any:
    """Return what comes of steps in which the last two studies of a batch have no label."""

    def unlabelled(batches: Sequence[Batch]) -> list[Batch]:
        (batch,) = batches
        labels, places = batch.labels.clone(), len(batch) * world.rank + torch.arange(len(batch))
        labels[places >= 2] = torch.nan
        return [replace(batch, labels=labels)]

    with in_float64():
        config = config_of(folder, world, parallel=parallel, optimizer="sgd", steps=4)
        return trained(config, world, change=unlabelled)


@case("sharded: a task that one process lacks")
def absent_in_pieces(world: World, folder: Path) -> Any:
    """Return the refusal."""
    try:
        return absent(world, folder, "sharded")
    except ValueError as error:
        return str(error)


@case("null")
def null(world: World, folder: Path) -> Any:
    """Return the null of a batch, and whether it left a trace."""
    with in_float64():
        config = config_of(folder, world)
        data = load_data(config, world)
        method = build_training(config, data, world).method
        freeze_statistics(method)
        cosines = measure_null(method, like_default(next(iter(data.train))), world=world)
    flat = {**cosines.cross_task, **cosines.within_task}
    return {name: torch.tensor(value) for name, value in flat.items()}


@case("hook")
def hook(world: World, folder: Path) -> Any:
    """Return the studies that a hook after the step is shown."""
    config = config_of(folder, world, accumulation=2)
    data = load_data(config, world)
    parts = build_training(config, data, world)
    shown: list[str] = []

    class Watching(type(parts.method)):
        def on_step_end(self, batches: Sequence[Batch]) -> None:
            shown.extend(study for batch in batches for study in batch.ids)

    parts.method.__class__ = Watching
    _, batches = next(steps_of(data, parts, config))
    Stepper(parts, config.training, world).step(batches, 0)
    return sorted(shown)


@case("statistics")
def statistics(world: World, folder: Path) -> Any:
    """Return the running statistics of batch normalisation on every process, and their mean."""
    config = config_of(folder, world, steps=2)
    data = load_data(config, world)
    parts = build_training(config, data, world)
    stepper = Stepper(parts, config.training, world)
    for step, batches in steps_of(data, parts, config):
        stepper.step(batches, step)
    name = next(n for n, m in parts.method.named_modules() if isinstance(m, nn.BatchNorm2d))
    layer = parts.method.get_submodule(name)
    before = world.gathered(layer.running_mean.clone())
    after = world.gathered(parts.spread.whole().get_submodule(name).running_mean.clone())
    return before, after


@case("dropout")
def dropout(world: World, folder: Path) -> Any:
    """Return random numbers of every process after its parts are made, and the parameters' sums."""
    config = config_of(folder, world)
    parts = build_training(config, load_data(config, world), world)
    sums = [float(put_together(each).detach().sum()) for each in parts.method.parameters()]
    return world.gathered(float(torch.rand(()))), world.gathered(sums)


def moving(folder: Path, world: World, parallel: str = "data") -> RunConfig:
    """Return the configuration of a run that moves from one number of processes to another."""
    return config_of(
        folder,
        world,
        method={"backbone": "compact"},
        parallel=parallel,
        validation={"every": 3},
        null_every=2,
        **{**SGD, "steps": 6},
    )


def rewind(run: Path, copy: Path) -> None:
    """Copy a finished run as it was when its checkpoint before the last was written."""
    shutil.copytree(run, copy, symlinks=True)
    (copy / "metrics.json").unlink()
    shutil.rmtree(copy / "checkpoints" / "step-00000006")


@case("moves")
def moves(world: World, folder: Path) -> Any:
    """Train with copies; go on in pieces from the middle; leave both runs to the test."""
    runs = folder.parent
    train(moving(folder, world), runs / "copies", world=world)
    world.by_first(lambda: rewind(runs / "copies", runs / "pieces"))
    train(moving(folder, world, "sharded"), runs / "pieces", resume=True, world=world)
    world.by_first(lambda: rewind(runs / "pieces", runs / "one"))
