"""From a configuration to what a run updates: method, optimizer, engine."""

import inspect
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch
from torch import nn
from transformers import PreTrainedTokenizerFast

import gradtruce.balance  # noqa: F401 # registers the balancers
from gradtruce.gradients import TaskGradients
from gradtruce.gradients.balancer import Balancer, FeatureReader
from gradtruce.methods.blocks.pretrained import PretrainedMethod
from gradtruce.methods.registry import METHODS, Method, build
from gradtruce.methods.weights.backbone_file import load_backbone
from gradtruce.methods.weights.bert_parts import load_bert
from gradtruce.methods.weights.named_load import NamedLoad, load_named
from gradtruce.naming import suggestion
from gradtruce.training.config import BalanceConfig, RunConfig, TrainingConfig
from gradtruce.training.data_parts import DataParts
from gradtruce.training.device import on_device, training_device
from gradtruce.training.precision import gradient_scaler, require_precision
from gradtruce.training.priors import require_prior_text
from gradtruce.training.spread import Spread, spread
from gradtruce.training.world import ALONE, World


@final
@dataclass(frozen=True, eq=False)
class TrainingParts:
    """What a run updates, and how long.

    Attributes:
        spread: The method, in training mode, as the processes of the run share it.
        gradients: Fills its gradients.
        optimizer: Takes the steps.
        steps_per_epoch: Optimizer steps of an epoch.
        total_steps: Optimizer steps of the run.
        scaler: Of float16, which the gradients have as well; else `None`.
    """

    spread: Spread
    gradients: TaskGradients
    optimizer: torch.optim.Optimizer
    steps_per_epoch: int
    total_steps: int
    scaler: torch.amp.GradScaler | None = None

    @property
    def method(self) -> Method:
        """Return the method whose parameters the optimizer holds."""
        return self.spread.method


def build_training(config: RunConfig, data: DataParts, world: World = ALONE) -> TrainingParts:
    """Return method, engine and optimizer, on the GPU where there is one.

    Random numbers of training (dropout) go on from those of the parameters; those of a process
    other than the first are others, since it sees other studies.

    Args:
        config: Everything the run depends on.
        data: What it reads.
        world: The processes that share the method.

    Raises:
        ValueError: If the configuration names what is not there, the method needs clusters or
            retrieved reports and no file gives them as it wants them, reports may be longer than
            its decoder, a frozen encoder has no weights, an epoch is too short for a step, or the
            device can't compute so.
    """
    precision, device = config.training.precision, training_device()
    require_precision(precision, device)
    method = on_device(build_method(config, data.tokenizer)).train()
    _require_clusters(config, method)
    _require_retrieval(config, method, data.train.retrieved_width)
    _require_places(config, method)
    require_prior_text(config, method)
    steps_per_epoch = _steps_per_epoch(config.training, batches=len(data.train))
    scaler = gradient_scaler(precision, device)
    shared = spread(method, world, config.training.parallel)
    if not world.is_first:
        torch.manual_seed(_seed_of(config.training.seed, world.rank))
    return TrainingParts(
        shared,
        build_engine(config, shared.method, model=shared.balanced, scaler=scaler),
        build_optimizer(config.training, shared.method),
        steps_per_epoch,
        config.training.steps or config.training.epochs * steps_per_epoch,
        scaler,
    )


def _seed_of(seed: int, rank: int) -> int:
    return int(np.random.SeedSequence([seed, rank]).generate_state(1, np.uint64)[0])


def _require_clusters(config: RunConfig, method: Method) -> None:
    needing = [task.name for task in method.tasks if "clusters" in task.needs]
    if needing and config.data.clusters is None:
        raise ValueError(
            f"task {needing[0]!r} of {method.method_name!r} needs clusters of the training "
            f"reports; run: gradtruce build clusters {config.data.path} --output clusters.json, "
            "and give the file as data.clusters"
        )


def _require_retrieval(config: RunConfig, method: Method, found: int | None) -> None:
    needed = method.retrieved_width
    if needed is None or found == needed:
        return
    if found is None:
        raise ValueError(
            f"{method.method_name!r} needs reports retrieved for every study; run: gradtruce build "
            f"retrieval {config.data.path} --output retrieval.safetensors, and give the file as "
            "data.retrieval"
        )
    raise ValueError(
        f"the retrieval bank must have features of {needed} numbers, as method.options."
        f"text_features says, got {found}: set that to {found}, or build another bank (gradtruce "
        "build retrieval)"
    )


def _require_places(config: RunConfig, method: Method) -> None:
    data, decoding = config.data, config.training.decoding
    asked = max(data.max_tokens, (decoding.max_tokens or 0) + 1)  # begin is not generated
    if method.longest_report is not None and asked > method.longest_report:
        raise ValueError(
            f"reports may have {asked} tokens (data.max_tokens, training.decoding.max_tokens), "
            f"but the decoder of {method.method_name!r} holds {method.longest_report} beside its "
            "prompt: lower these, or raise method.options.positions"
        )


def _steps_per_epoch(training: TrainingConfig, *, batches: int) -> int:
    if batches < training.accumulation:
        raise ValueError(
            f"training.accumulation is {training.accumulation}, but an epoch has {batches} "
            "batches; lower it, or training.batch_size"
        )
    return batches // training.accumulation


def build_method(config: RunConfig, tokenizer: PreTrainedTokenizerFast) -> Method:
    """Return the method with parameters drawn from the seed, or from files where they are given.

    Raises:
        FileNotFoundError: If a file of weights is not there.
        ValueError: If there is no such method, it refuses an option, a file doesn't fit it, or the
            balancer rotates features and its tasks share heads.
    """
    torch.manual_seed(config.training.seed)
    method = build(config.method.name, tokenizer, config.method.options)
    _place_rotations(config, method)
    if config.method.backbone_weights is not None:
        load_backbone(method.backbone, config.method.backbone_weights)
    if config.method.bert_weights is not None:
        load_bert(method, config.method.bert_weights)
    for path in config.method.start_from:
        _require_no_rotations(load_named(method, path), path)
    return method


def _place_rotations(config: RunConfig, method: Method) -> None:
    """Put rotations between backbone and heads where the balancer looks there."""
    balancer = build_balancer(config.balance)
    if not isinstance(balancer, FeatureReader):
        return
    tasks = method.rotated_tasks
    if len(tasks) < 2:
        can = [
            name
            for name, kind in METHODS.items()
            if kind.rotated_tasks is not PretrainedMethod.rotated_tasks
        ]
        raise ValueError(
            f"balancer {config.balance.name!r} rotates the visual features for every task, so two "
            "tasks or more must have a head of their own on them, but "
            f"{f'only {tasks[0]!r} has one' if tasks else 'tasks share heads'} in "
            f"{method.method_name!r}; take another balancer, or one of the methods "
            f"{', '.join(can)} with their findings head"
        )
    method.place_rotations(balancer.new_rotations(tasks, method.backbone.width))


def _require_no_rotations(found: NamedLoad, path: str) -> None:
    if any(name.startswith("visual.rotations.") for name in found.left):
        raise ValueError(
            f"{path}: its heads see rotated features (balancer 'rotograd'), which those of this "
            "run would not; start from another method, or train by that balancer too"
        )


def build_balancer(config: BalanceConfig) -> Balancer:
    """Return the balancer of a configuration.

    Raises:
        ValueError: If there is no such balancer, or it has no such option.

    >>> build_balancer(BalanceConfig(name="came_grad", options={"radius": 0.5})).name
    'came_grad'
    >>> build_balancer(BalanceConfig(name="linear", options={"radius": 0.5}))
    Traceback (most recent call last):
    ValueError: balancer 'linear' takes no options, got 'radius'
    """
    if config.name not in Balancer.known:
        known = list(Balancer.known)
        raise ValueError(f"no balancer is called {config.name!r}{suggestion(config.name, known)}")
    kind = Balancer.known[config.name]
    known = [
        name
        for name, parameter in inspect.signature(kind).parameters.items()
        if parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    ]
    for option in config.options:
        if not known:
            raise ValueError(f"balancer {config.name!r} takes no options, got {option!r}")
        if option not in known:
            raise ValueError(
                f"balancer {config.name!r} has no option {option!r}{suggestion(option, known)}"
            )
    return kind(**config.options)


def build_engine(
    config: RunConfig,
    method: Method,
    *,
    diagnostics: bool | None = None,
    model: nn.Module | None = None,
    scaler: torch.amp.GradScaler | None = None,
) -> TaskGradients:
    """Return the engine that fills the gradients of a method.

    Args:
        config: Balancer, weights, scope, seed.
        method: Whose tasks are balanced.
        diagnostics: In place of the configuration's, for timing.
        model: What wraps the method, where several processes have copies of it.
        scaler: Of float16.

    Raises:
        ValueError: If weights are given for other tasks than the method has.
    """
    names = [task.name for task in method.tasks]
    for task in config.balance.weights:
        if task not in names:
            raise ValueError(
                f"balance.weights: no task is called {task!r}{suggestion(task, names)}"
            )
    weights = {task.name: task.weight for task in method.tasks} | config.balance.weights
    keep = config.balance.diagnostics if diagnostics is None else diagnostics
    return TaskGradients(
        method if model is None else model,
        build_balancer(config.balance),
        weights=weights,
        scope=config.balance.scope,
        diagnostics=keep,
        seed=config.training.seed,
        scaler=scaler,
        check="now" if scaler is None else None,  # the log of the step waits for the device anyway
    )


def build_optimizer(config: TrainingConfig, method: Method) -> torch.optim.Optimizer:
    """Return the optimizer, its parameter groups named by learning rate: "backbone" and "rest".

    Where only matrices decay, each of the two is split in two groups.
    """
    rates = config.learning_rate.model_dump()
    groups: list[dict[str, Any]] = []  # a group holds parameters and numbers
    for name, parameters in method.parameter_groups().items():
        group = {"lr": rates[name], "peak": rates[name], "name": name}
        if config.decayed == "all":
            groups.append(group | {"params": parameters})
            continue
        matrices = [each for each in parameters if each.ndim > 1]
        others = [each for each in parameters if each.ndim <= 1]
        groups.append(group | {"params": matrices})
        groups.append(group | {"params": others, "weight_decay": 0.0})
    if config.optimizer == "sgd":
        return torch.optim.SGD(groups, momentum=config.momentum, weight_decay=config.weight_decay)
    options: dict[str, Any] = {  # keyword arguments of the optimizer
        "weight_decay": config.weight_decay,
        "betas": config.betas,
        "eps": config.epsilon,
        "fused": config.precision != "fp16",  # a scaler unscales before clipping, not in the kernel
    }
    if config.optimizer == "adamw":
        return torch.optim.AdamW(groups, **options)
    return torch.optim.Adam(groups, **options, amsgrad=True)
