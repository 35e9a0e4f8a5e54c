"""What two processes do together, for `test_distributed.py`; each case is run on both ranks."""

import json
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel

import gradtruce.balance  # fills the list of known balancers
from gradtruce.balance import EMA, CAMEGrad, GradDrop
from gradtruce.gradients import TaskGradients, buckets, replicas
from gradtruce.gradients.balancer import AfterStep, Balancer, TaskSchedule
from gradtruce.gradients.rotations import Rotations
from gradtruce.gradients.scaling import take

RANKS, BATCH, STEPS = 2, 8, 3
SPLIT = {0: slice(0, 5), 1: slice(5, 8)}  # unequal on purpose
WEIGHTS = {"report": 1.0, "findings": 4.0, "grade": 0.5}
MAKERS: dict[str, Callable[[], Balancer]] = {"ema": lambda: EMA(CAMEGrad())}
"""How to make balancers that cannot be made without arguments."""

Wrap = Callable[[nn.Module], nn.Module]


class ThreeHeads(nn.Module):
    """A trunk that three heads share, and a layer that nobody uses."""

    def __init__(self, *, is_rotated: bool = False) -> None:
        super().__init__()
        self.rotations = Rotations(list(WEIGHTS), 5) if is_rotated else None
        self.trunk = nn.Sequential(nn.Linear(6, 7), nn.Tanh(), nn.Linear(7, 5))
        self.report, self.findings, self.grade = nn.Linear(5, 3), nn.Linear(5, 2), nn.Linear(5, 1)
        self.unused = nn.Linear(2, 2)

    def forward(self, rows: Tensor, count: float) -> dict[str, Tensor]:
        """Return sums over rows divided by their number on all ranks, in units of a rank."""
        self.features = features = self.trunk(rows)
        views = dict.fromkeys(WEIGHTS, features)
        if self.rotations is not None:
            views = self.rotations(features)
        return {
            "report": self.report(views["report"]).square().sum() / count,
            "findings": self.findings(views["findings"]).sub(1.0).pow(4).sum() / count,
            "grade": self.grade(views["grade"]).cosh().sum() / count,
        }


class Setting:
    """One run: on the whole batch where `rank` is `None`, on a share of it otherwise."""

    def __init__(self, rank: int | None, wrap: Wrap = lambda model: model) -> None:
        self.rank, self._wrap = rank, wrap
        self.dtype = torch.float64

    def model(self, *, is_rotated: bool = False) -> nn.Module:
        torch.manual_seed(0)
        return self._wrap(ThreeHeads(is_rotated=is_rotated).to(self.dtype))

    def rows(self, step: int) -> Tensor:
        generator = torch.Generator().manual_seed(100 + step)
        whole = torch.randn(BATCH, 6, generator=generator, dtype=torch.float64).to(self.dtype)
        return whole if self.rank is None else whole[SPLIT[self.rank]]

    @property
    def count(self) -> float:
        return float(BATCH if self.rank is None else BATCH / RANKS)


def local(tensor: Tensor) -> Tensor:
    """Return the whole of a tensor that may be sharded."""
    whole = tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor
    return whole.detach().clone()


def inner(model: nn.Module) -> nn.Module:
    return model.module if isinstance(model, DistributedDataParallel) else model


def numbers(model: nn.Module, balancer: Balancer) -> dict[str, Tensor]:
    """Return how far parameters have moved, and the balancer's state."""
    start = dict(Setting(None).model().named_parameters())
    moved = {n: local(p).double() - start[n].detach() for n, p in named(model)}
    turned = {n: local(b) for n, b in model.named_buffers()}
    state = {f"balancer {n}": local(b) for n, b in balancer.state_dict().items()}
    return moved | {n.removeprefix("module."): b for n, b in turned.items()} | state


def named(model: nn.Module) -> list[tuple[str, nn.Parameter]]:
    return [(name.removeprefix("module."), p) for name, p in model.named_parameters()]


def trained(setting: Setting, name: str, steps: int = STEPS, **options: Any) -> dict[str, Tensor]:
    """Return what some steps of gradient descent lead to."""
    balancer = MAKERS.get(name, Balancer.known[name])()
    model = setting.model(is_rotated=name == "rotograd")
    gradients = TaskGradients(model, balancer, weights=WEIGHTS, seed=5, **options)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    record = None
    for step in range(steps):
        gradients.epoch, rows = step, setting.rows(step)
        if isinstance(balancer, AfterStep | TaskSchedule):
            record = gradients.step(lambda rows=rows: model(rows, setting.count), optimizer)
            continue
        losses = model(rows, setting.count)
        features = inner(model).features if options.get("scope") == "features" else None
        record = gradients.backward(losses, features=features)
        assert all(p.grad is None for n, p in model.named_parameters() if "unused" in n)
        take(optimizer, options.get("scaler"))
    assert record is not None
    result = numbers(model, balancer) | {"losses": record.losses, "a": record.coefficients}
    if record.total_norm is not None:
        result["norm"] = record.total_norm
    gradients.close()
    return result


def apart(found: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> float:
    """Return the largest difference, in units of the largest number of a tensor."""
    assert found.keys() == wanted.keys(), set(found) ^ set(wanted)
    worst = 0.0
    for name, there in wanted.items():
        if there.numel():
            error = (found[name].double() - there.double()).abs().max()
            worst = max(worst, float(error / there.double().abs().max().clamp_min(1e-30)))
            assert not error.isnan(), name
    return worst


def ddp(model: nn.Module) -> nn.Module:
    return DistributedDataParallel(model)


def ddp_with_views(model: nn.Module) -> nn.Module:
    return DistributedDataParallel(
        model, gradient_as_bucket_view=True, find_unused_parameters=True, bucket_cap_mb=1
    )


def ddp_in_small_buckets(model: nn.Module) -> nn.Module:
    """Return a model whose `Replicas` need many buckets and have no reduce-scatter."""
    buckets.BYTES = 64
    replicas.can_reduce_scatter = lambda *_: False
    return DistributedDataParallel(model)


def hsdp(model: nn.Module) -> nn.Module:
    mesh = init_device_mesh("cpu", (RANKS, 1), mesh_dim_names=("copy", "shard"))
    return fully_shard(model, mesh=mesh)


def fsdp(model: nn.Module) -> nn.Module:
    mesh = init_device_mesh("cpu", (RANKS,))
    for module in (model.trunk, model.report, model.findings, model.grade):
        fully_shard(module, mesh=mesh)
    return fully_shard(model, mesh=mesh)


OPTIONS: dict[str, dict[str, Any]] = {
    "clip_norm": {"clip_norm": 0.05},
    "clip_value": {"clip_value": 0.01},
    "every": {"every": 2},
    "every_all": {"every": 2, "scope": "all"},
    "all": {"scope": "all"},
    "features": {"scope": "features"},
    "diagnostics": {"diagnostics": True},
}
UNSHARDED = {("fsdp", "every"), ("fsdp", "features")}  # refused there
WRAPS = {"views": ddp_with_views, "small buckets": ddp_in_small_buckets, "hsdp": hsdp}

CASES: dict[str, Callable[[int, Any], Any]] = {}
SINGLE: dict[str, Callable[[], Any]] = {}


def case(single: Callable[[], Any] | None = None) -> Callable[[Any], Any]:
    """Register a case; `single` is run before there are two processes, its result handed over."""

    def register(function: Callable[[int, Any], Any]) -> Callable[[int, Any], Any]:
        CASES[function.__name__] = function
        if single is not None:
            SINGLE[function.__name__] = single
        return function

    return register


def balancer_names() -> list[str]:
    prefix = f"{gradtruce.balance.__name__}."
    return sorted(n for n, k in Balancer.known.items() if k.__module__.startswith(prefix))


def _each_balancer() -> None:
    for name in balancer_names():
        for kind, wrap in {"ddp": ddp, "fsdp": fsdp}.items():

            def run(rank: int, wanted: Any, name: str = name, wrap: Wrap = wrap) -> float:
                return apart(trained(Setting(rank, wrap), name), wanted)

            CASES[f"{kind} {name}"] = run
            SINGLE[f"{kind} {name}"] = lambda name=name: trained(Setting(None), name)


def _options() -> None:
    for title, options in OPTIONS.items():
        name = "linear" if title == "diagnostics" else "came_grad"
        for kind, wrap in {"ddp": ddp, "fsdp": fsdp}.items():
            if (kind, title) in UNSHARDED:
                continue

            def run(
                rank: int,
                wanted: Any,
                name: str = name,
                wrap: Wrap = wrap,
                options: dict[str, Any] = options,
            ) -> float:
                return apart(trained(Setting(rank, wrap), name, **options), wanted)

            CASES[f"{kind} option {title}"] = run
            SINGLE[f"{kind} option {title}"] = lambda name=name, options=options: trained(
                Setting(None), name, **options
            )


def _wraps() -> None:
    for title, wrap in WRAPS.items():
        for name in ("came_grad", "graddrop"):

            def run(rank: int, wanted: Any, name: str = name, wrap: Wrap = wrap) -> float:
                small, can = buckets.BYTES, replicas.can_reduce_scatter
                try:
                    return apart(trained(Setting(rank, wrap), name), wanted)
                finally:
                    buckets.BYTES, replicas.can_reduce_scatter = small, can

            CASES[f"{title} {name}"] = run
            SINGLE[f"{title} {name}"] = lambda name=name: trained(Setting(None), name)


_each_balancer()
_options()
_wraps()


@case(lambda: trained(Setting(None), "nash_mtl"))
def scaled(rank: int, wanted: Any) -> float:
    """Train with a gradient scaler, which must change nothing."""
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)
    return apart(trained(Setting(rank, ddp), "nash_mtl", scaler=scaler), wanted)


def resumed(rank: int | None, wrap: Wrap = lambda model: model) -> dict[str, Tensor]:
    """Train a step, save on rank 0, and go on with other engines from what it saved."""
    setting, balancer = Setting(rank, wrap), Balancer.known["gradnorm"]()
    model = setting.model()
    gradients = TaskGradients(model, balancer, weights=WEIGHTS)
    gradients.backward(model(setting.rows(0), setting.count))
    states = [gradients.state_dict() if not rank else None]
    if rank is not None:
        dist.broadcast_object_list(states)
    gradients.close()
    model, balancer = setting.model(), Balancer.known["gradnorm"]()
    gradients = TaskGradients(model, balancer, weights=WEIGHTS)
    gradients.load_state_dict(states[0])
    gradients.backward(model(setting.rows(1), setting.count))
    gradients.backward(model(setting.rows(2), setting.count), add=True)
    result = {n: local(p.grad) for n, p in named(model) if p.grad is not None}
    gradients.close()
    return result | {f"balancer {n}": b for n, b in balancer.state_dict().items()}


@case(lambda: resumed(None))
def saved_by_rank_0(rank: int, wanted: Any) -> float:
    return apart(resumed(rank, ddp), wanted)


def scheduled(rank: int | None, wrap: Wrap, name: str) -> dict[str, Tensor]:
    """Train by `step`, where rank 1 has one task of three."""
    setting, balancer = Setting(rank, wrap), Balancer.known[name]()
    model = setting.model()
    gradients = TaskGradients(model, balancer, weights=WEIGHTS, seed=5)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)

    def losses(step: int) -> dict[str, Tensor]:
        rows = setting.rows(step)
        found: dict[str, Tensor] = model(rows, setting.count)
        if rank is None:
            return model(rows[SPLIT[0]], setting.count) | {"grade": found["grade"]}
        return found if rank == 0 else {"grade": found["grade"]}

    for step in range(STEPS):
        gradients.step(lambda step=step: losses(step), optimizer)
    gradients.close()
    return numbers(model, balancer)


for _name in ("famo", "stgu"):

    def _scheduled(rank: int, wanted: Any, name: str = _name) -> float:
        return apart(scheduled(rank, ddp, name), wanted)

    CASES[f"scheduled {_name}"] = _scheduled
    SINGLE[f"scheduled {_name}"] = lambda name=_name: scheduled(None, lambda model: model, name)


def single_precision(rank: int | None, wrap: Wrap = lambda model: model) -> dict[str, Tensor]:
    setting = Setting(rank, wrap)
    setting.dtype = torch.float32
    return trained(setting, "came_grad", steps=1)


@case(lambda: single_precision(None))
def float32(rank: int, wanted: Any) -> float:
    return apart(single_precision(rank, ddp), wanted)


def absent(rank: int | None, wrap: Wrap, name: str) -> dict[str, Tensor]:
    """Train with a task that rank 1 lacks in each step, one that nobody has in step 2."""
    setting, balancer = Setting(rank, wrap), Balancer.known[name]()
    model = setting.model()
    gradients = TaskGradients(model, balancer, weights=WEIGHTS, seed=5)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    for step in range(STEPS):
        rows = setting.rows(step)
        losses = model(rows, setting.count)
        if rank is None:  # findings are known of the first rank's rows alone
            known = model(rows[SPLIT[0]], setting.count)["findings"]
            losses = losses | {"findings": known}
        elif rank == 1:
            del losses["findings"]
        if step == 2:
            del losses["report"]
        gradients.backward(losses)
        optimizer.step()
        optimizer.zero_grad()
    gradients.close()
    return numbers(model, balancer)


for _name in ("came_grad", "linear", "uncertainty_weighting"):

    def _absent(rank: int, wanted: Any, name: str = _name) -> float:
        return apart(absent(rank, ddp, name), wanted)

    CASES[f"absent {_name}"] = _absent
    SINGLE[f"absent {_name}"] = lambda name=_name: absent(None, lambda model: model, name)


@case()
def absent_everywhere(_rank: int, _: Any) -> str:
    model = ddp(ThreeHeads())
    gradients = TaskGradients(model, CAMEGrad(), weights=WEIGHTS)
    try:
        gradients.backward({"report": torch.tensor(1.0)})
    except ValueError as error:
        return str(error)
    finally:
        gradients.close()
    return "nothing"


@case()
def absent_under_fsdp(rank: int, _: Any) -> str:
    setting = Setting(rank, fsdp)
    model = setting.model()
    gradients = TaskGradients(model, CAMEGrad(), weights=WEIGHTS)
    losses = model(setting.rows(0), setting.count)
    if rank == 1:
        del losses["grade"]
    try:
        gradients.backward(losses)
    except ValueError as error:
        return str(error)
    return "nothing"


def micro(
    rank: int | None, wrap: Wrap = lambda model: model, name: str = "came_grad"
) -> dict[str, Tensor]:
    setting, balancer = Setting(rank, wrap), Balancer.known[name]()
    model = setting.model()
    gradients = TaskGradients(model, balancer, weights=WEIGHTS)
    rows = setting.rows(0)
    parts = [rows[:1], rows[1:2], rows[2:]]
    for index, part in enumerate(parts):
        losses = model(part, setting.count)
        if index == 2:
            del losses["grade"]  # what earlier micro-batches brought must be averaged, too
        record = gradients.backward(losses, last=index == 2)
    assert record is not None
    result = {n: local(p.grad) for n, p in named(model) if p.grad is not None}
    gradients.close()
    return result | {"losses": record.losses, "a": record.coefficients}


def micro_whole(name: str) -> dict[str, Tensor]:
    """Return the gradients of one batch: of a task, all rows but the last micro-batches'."""
    setting, balancer = Setting(None), Balancer.known[name]()
    model = setting.model()
    gradients = TaskGradients(model, balancer, weights=WEIGHTS)
    rows = setting.rows(0)
    losses = model(rows, setting.count)
    early = torch.cat([rows[share][:2] for share in SPLIT.values()])
    losses["grade"] = model(early, setting.count)["grade"]
    record = gradients.backward(losses)
    result = {n: local(p.grad) for n, p in model.named_parameters() if p.grad is not None}
    return result | {"losses": record.losses, "a": record.coefficients}


for _kind, _wrap in {"ddp": ddp, "fsdp": fsdp}.items():
    for _name in ("came_grad", "linear", "uncertainty_weighting"):

        def _micro(rank: int, wanted: Any, name: str = _name, wrap: Wrap = _wrap) -> float:
            return apart(micro(rank, wrap, name), wanted)

        CASES[f"micro {_kind} {_name}"] = _micro
        SINGLE[f"micro {_kind} {_name}"] = lambda name=_name: micro_whole(name)


@contextmanager
def counted(calls: list[tuple[str, int]]) -> Any:
    """Note each collective operation and the bytes of the whole tensor."""
    names = (
        "all_reduce",
        "reduce_scatter_single",
        "all_gather_single",
        "reduce_scatter_tensor",
        "all_gather_into_tensor",
        "broadcast",
    )
    there = {name: getattr(dist, name) for name in names if hasattr(dist, name)}

    def spy(name: str) -> Callable[..., Any]:
        def call(*tensors: Any, **options: Any) -> Any:
            whole = max(t.numel() * t.element_size() for t in tensors if isinstance(t, Tensor))
            calls.append((name, whole))
            return there[name](*tensors, **options)

        return call

    for name in there:
        setattr(dist, name, spy(name))
    try:
        yield
    finally:
        for name, function in there.items():
            setattr(dist, name, function)


@case()
def traffic(_rank: int, _: Any) -> list[float]:
    """Return what a step moves, in gradients: exact, and sketched."""
    torch.manual_seed(0)
    found = []
    for options in ({}, {"sketch": 16}):
        model = DistributedDataParallel(Wide())
        gradients = TaskGradients(
            model, CAMEGrad(), weights={"a": 1.0, "b": 2.0}, seed=1, **options
        )
        for _step in range(2):
            losses = model(torch.randn(4, 300))
            calls: list[tuple[str, int]] = []
            with counted(calls):
                gradients.backward(losses)
            model.zero_grad()
        size = sum(p.numel() * p.element_size() for p in model.parameters())
        moved = sum(2 * b if name == "all_reduce" else b for name, b in calls)
        found.append(moved / size)
        gradients.close()
    return found


class Wide(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.trunk, self.a, self.b = nn.Linear(300, 300), nn.Linear(300, 1), nn.Linear(300, 1)

    def forward(self, rows: Tensor) -> dict[str, Tensor]:
        features = self.trunk(rows).tanh()
        return {"a": self.a(features).mean(), "b": self.b(features).square().mean()}


@case()
def overlap(_rank: int, _: Any) -> list[str]:
    """Return the order of backward passes and collectives of a step of two tasks."""
    model = DistributedDataParallel(Wide())
    gradients = TaskGradients(model, CAMEGrad(), weights={"a": 1.0, "b": 2.0})
    events: list[str] = []
    model.module.trunk.weight.register_post_accumulate_grad_hook(lambda _: events.append("row"))

    class Noting(list[tuple[str, int]]):
        def append(self, item: tuple[str, int]) -> None:
            if "reduce_scatter" in item[0]:
                events.append("reduce")

    losses = model(torch.randn(4, 300))
    with counted(Noting()):
        gradients.backward(losses)
    gradients.close()
    return events


@case()
def too_late(_rank: int, _: Any) -> str:
    model = DistributedDataParallel(Wide())
    model(torch.randn(2, 300))
    return refusal(lambda: TaskGradients(model, CAMEGrad(), tasks=("a", "b")))


@case()
def wrapped_afterwards(_rank: int, _: Any) -> str:
    return refusal(lambda: TaskGradients(Wide(), CAMEGrad(), tasks=("a", "b")))


@case()
def other_seeds(rank: int, _: Any) -> str:
    model = DistributedDataParallel(Wide())
    return refusal(lambda: TaskGradients(model, CAMEGrad(), tasks=("a", "b"), seed=rank))


@case()
def not_all_wrapped(_rank: int, _: Any) -> str:
    wide = Wide()
    wide.trunk = DistributedDataParallel(wide.trunk)
    return refusal(lambda: TaskGradients(wide, CAMEGrad(), tasks=("a", "b")))


@case()
def static_graph(_rank: int, _: Any) -> str:
    model = DistributedDataParallel(Wide(), static_graph=True)
    return refusal(lambda: TaskGradients(model, CAMEGrad(), tasks=("a", "b")))


@case()
def sketch_with_clipping(_rank: int, _: Any) -> str:
    model = DistributedDataParallel(Wide())
    return refusal(
        lambda: TaskGradients(model, CAMEGrad(), tasks=("a", "b"), sketch=8, clip_norm=1.0)
    )


@case()
def sketch_with_changed_rows(_rank: int, _: Any) -> str:
    model = DistributedDataParallel(Wide())
    return refusal(lambda: TaskGradients(model, GradDrop(), tasks=("a", "b"), sketch=8, seed=1))


@case()
def sharded_every(_rank: int, _: Any) -> str:
    model = fsdp(ThreeHeads())
    return refusal(lambda: TaskGradients(model, CAMEGrad(), weights=WEIGHTS, every=2))


@case()
def switched_on(_rank: int, _: Any) -> str:
    model = DistributedDataParallel(Wide())
    gradients = TaskGradients(model, CAMEGrad(), tasks=("a", "b"))
    model.require_backward_grad_sync = True
    return refusal(lambda: gradients.backward({"a": torch.ones(())}))


def refusal(make: Callable[[], object]) -> str:
    try:
        make()
    except (RuntimeError, ValueError, NotImplementedError) as error:
        return f"{type(error).__name__}: {error}"
    return "nothing"


@case()
def closed(rank: int, _: Any) -> float:
    """Return how far DDP's own gradients are from the mean, after `close`."""
    model = DistributedDataParallel(Wide())
    TaskGradients(model, CAMEGrad(), tasks=("a", "b")).close()
    losses = model(torch.ones(2, 300) * (rank + 1))
    (losses["a"] + losses["b"]).backward()
    mine = model.module.trunk.weight.grad
    other = mine.clone()
    dist.all_reduce(other)
    return float((other / RANKS - mine).abs().max())


@case()
def not_finite(rank: int, _: Any) -> str:
    """A NaN on one rank must stop both, before `.grad` changes."""
    model = DistributedDataParallel(Wide())
    gradients = TaskGradients(model, CAMEGrad(), tasks=("a", "b"))
    losses = model(torch.randn(4, 300) * (torch.nan if rank == 1 else 1.0))
    try:
        gradients.backward(losses)
    except FloatingPointError as error:
        assert all(p.grad is None for p in model.parameters())
        return str(error)
    finally:
        model.zero_grad()
    return "nothing"


@case()
def not_finite_deferred(rank: int, _: Any) -> list[Any]:
    model = DistributedDataParallel(Wide())
    gradients = TaskGradients(model, CAMEGrad(), tasks=("a", "b"), check="deferred")
    losses = model(torch.randn(4, 300) * (torch.nan if rank == 1 else 1.0))
    record = gradients.backward(losses)
    largest = max(float(p.grad.abs().max()) for p in model.parameters())
    return [bool(record.finite), largest, refusal_of_float(gradients.close)]


def refusal_of_float(call: Callable[[], object]) -> str:
    try:
        call()
    except FloatingPointError as error:
        return str(error)
    return "nothing"


class Normed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.trunk, self.norm, self.head = nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Linear(4, 1)

    def forward(self, rows: Tensor) -> dict[str, Tensor]:
        features = self.norm(self.trunk(rows))
        return {"a": self.head(features).mean(), "b": self.head(features).square().mean()}


@case()
def buffers(rank: int, _: Any) -> list[float]:
    """Return the statistics that batch normalisation has, as far as DDP keeps them equal."""
    torch.manual_seed(0)
    model = DistributedDataParallel(Normed())
    gradients = TaskGradients(model, CAMEGrad(), tasks=("a", "b"))
    generator = torch.Generator().manual_seed(rank)
    for _step in range(3):
        gradients.backward(model(torch.randn(4, 4, generator=generator)))
        model.zero_grad()
    model(torch.randn(4, 4, generator=torch.Generator().manual_seed(7)))
    gradients.close()
    return model.module.norm.running_mean.tolist()


@case()
def sketches(rank: int, _: Any) -> dict[str, float]:
    """Return how far a sketched Gramian is from the exact one, and the update from Jᵀa."""
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(rank)
    rows = torch.randn(4, 300, generator=generator)
    grams, found = [], {}
    state = Wide().state_dict()
    for options in [{}, *({"sketch": 512, "seed": seed} for seed in range(12))]:
        plain = Wide()
        plain.load_state_dict(state)
        model = DistributedDataParallel(plain)
        gradients = TaskGradients(model, CAMEGrad(), tasks=("a", "b"), **options)
        record = gradients.backward(model(rows))
        grams.append(record.gramian)
        gradients.close()
        model.zero_grad()
    exact, *others = grams
    scale = exact.diagonal().sqrt().outer(exact.diagonal().sqrt())
    errors = torch.stack([(other - exact) / scale for other in others])
    found["mean"] = float(errors.mean(0).abs().max())
    found["single"] = float(errors.abs().max())
    return found


def mean_update(rank: int | None, wrap: Wrap = lambda model: model, **options: Any) -> Any:
    setting = Setting(rank, wrap)
    return trained(setting, "linear", steps=1, diagnostics=True, **options)


@case(lambda: mean_update(None))
def sketch_averages(rank: int, wanted: Any) -> float:
    """With coefficients that do not depend on G, a sketched step is exact."""
    return apart(mean_update(rank, ddp, sketch=8), wanted)


@case()
def many_types(rank: int, _: Any) -> float:
    """Return how far a model of several types and memory formats is from a single process."""
    torch.manual_seed(0)
    plain = Mixed()
    state = plain.state_dict()
    model = DistributedDataParallel(plain)
    gradients = TaskGradients(model, CAMEGrad(), tasks=("a", "b"))
    images = torch.randn(4, 3, 5, 5, generator=torch.Generator().manual_seed(3))
    record = gradients.backward(model(images[2 * rank : 2 * rank + 2]))
    other = Mixed()
    other.load_state_dict(state)
    trained = [p for p in other.parameters() if p.requires_grad]
    rows = [
        torch.autograd.grad(
            loss, trained, retain_graph=True, allow_unused=True, materialize_grads=True
        )
        for loss in other(images).values()
    ]
    worst = 0.0
    named = [(name, p) for name, p in plain.named_parameters() if p.requires_grad]
    for (name, p), *column in zip(named, *rows, strict=True):
        a = record.coefficients if name.startswith("conv") else record.weights
        wanted = sum(f * g.double() for f, g in zip(a, column, strict=True))
        assert p.grad.stride() == p.stride(), name
        worst = max(worst, float((p.grad - wanted).norm() / wanted.norm()))
    gradients.close()
    return worst


class Mixed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last)
        self.a = nn.Linear(4, 1)
        self.b = nn.Linear(4, 1).double()
        self.frozen = nn.Parameter(torch.ones(3), requires_grad=False)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        features = self.conv(images).tanh().mean((-2, -1))
        b = self.b(features.double()).square().mean().float()
        return {"a": self.a(features).mean(), "b": b}


def main(rank: int, folder: Path, wanted: str = "[]") -> None:
    """Run the cases whose names are given and write their results."""
    torch.set_num_threads(1)
    names = json.loads(wanted) or list(CASES)
    results: dict[str, Any] = {}
    single: dict[str, Any] = {}
    for name in names:
        try:
            single[name] = SINGLE[name]() if name in SINGLE else None
        except Exception:
            single[name] = None
            results[name] = traceback.format_exc()
    os.environ["GLOO_SOCKET_IFNAME"] = os.environ.get("GLOO_SOCKET_IFNAME", "lo")
    dist.init_process_group(
        "gloo",
        init_method=f"file://{folder / 'meeting'}",
        rank=rank,
        world_size=RANKS,
        timeout=timedelta(seconds=30),
    )
    for name in names:
        if name not in results:
            try:
                results[name] = CASES[name](rank, single[name])
            except Exception:
                results[name] = traceback.format_exc()
    torch.save(results, folder / f"{rank}.pt")
    dist.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
