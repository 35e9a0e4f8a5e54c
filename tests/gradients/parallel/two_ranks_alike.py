"""Runs that must not depend on how many processes share them, for `test_distributed.py`."""

from functools import partial
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel

from gradtruce.gradients import TaskGradients
from gradtruce.gradients.balancer import Balancer
from gradtruce.gradients.parallel import buckets, replicas
from tests.gradients.parallel.two_ranks import (
    RANKS,
    SPLIT,
    STEPS,
    WEIGHTS,
    Setting,
    Wrap,
    balancer_names,
    ddp,
    fsdp,
    local,
    named,
    numbers,
    same,
    trained,
)


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


OPTIONS: dict[str, dict[str, Any]] = {
    "clip_norm": {"clip_norm": 0.05},
    "clip_value": {"clip_value": 0.01},
    "every": {"every": 2},
    "every_all": {"every": 2, "scope": "all"},
    "all": {"scope": "all"},
    "features": {"scope": "features"},
    "diagnostics": {"diagnostics": True},
}
SHARDED = ("came_grad", "linear", "graddrop", "famo", "gradnorm", "rotograd")
"""Balancers tried on sharded models each time: one of each way to use rows, steps and rotations."""
SLOW = [f"fsdp {name}" for name in balancer_names() if name not in SHARDED]
UNSHARDED = {("fsdp", "every"), ("fsdp", "features")}  # refused there
WRAPS = {"views": ddp_with_views, "small buckets": ddp_in_small_buckets, "hsdp": hsdp}


def run(rank: int | None, wrap: Wrap, name: str, **options: Any) -> dict[str, Tensor]:
    small, can = buckets.BYTES, replicas.can_reduce_scatter
    try:
        return trained(Setting(rank, wrap), name, **options)
    finally:
        buckets.BYTES, replicas.can_reduce_scatter = small, can


for _kind, _wrap in {"ddp": ddp, "fsdp": fsdp}.items():
    for _name in balancer_names():
        same(f"{_kind} {_name}", partial(run, name=_name), _wrap)
    for _title, _options in OPTIONS.items():
        if (_kind, _title) not in UNSHARDED:
            _name = "linear" if _title == "diagnostics" else "came_grad"
            same(f"{_kind} option {_title}", partial(run, name=_name, **_options), _wrap)
for _title, _wrap in WRAPS.items():
    for _name in ("came_grad", "graddrop"):
        same(f"{_title} {_name}", partial(run, name=_name), _wrap)


def scaled(rank: int | None, wrap: Wrap) -> dict[str, Tensor]:
    """Train with a gradient scaler on two ranks, and without on one."""
    scaler = None if rank is None else torch.amp.GradScaler("cpu", init_scale=2.0**10)
    return trained(Setting(rank, wrap), "nash_mtl", scaler=scaler)


same("scaled", scaled)


def resumed(rank: int | None, wrap: Wrap) -> dict[str, Tensor]:
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


same("saved_by_rank_0", resumed)


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
    same(f"scheduled {_name}", partial(scheduled, name=_name))


def single_precision(rank: int | None, wrap: Wrap) -> dict[str, Tensor]:
    setting = Setting(rank, wrap)
    setting.dtype = torch.float32
    return trained(setting, "came_grad", steps=1)


same("float32", single_precision)


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
    same(f"absent {_name}", partial(absent, name=_name))


def micro(rank: int | None, wrap: Wrap, name: str) -> dict[str, Tensor]:
    """Return the gradients of a step in three micro-batches on each rank, or of its whole batch."""
    setting, balancer = Setting(rank, wrap), Balancer.known[name]()
    model = setting.model()
    gradients = TaskGradients(model, balancer, weights=WEIGHTS)
    rows = setting.rows(0)
    if rank is None:
        early = torch.cat([rows[share][:2] for share in SPLIT.values()])
        losses = model(rows, setting.count)
        losses["grade"] = model(early, setting.count)["grade"]
        record = gradients.backward(losses)
    else:
        gradients.backward(model(rows[:1], setting.count), last=False)
        gradients.backward(model(rows[1:2], setting.count), last=False)
        losses = model(rows[2:], setting.count)
        del losses["grade"]  # what earlier micro-batches brought must be averaged, too
        record = gradients.backward(losses)
    result = {n: local(p.grad) for n, p in named(model) if p.grad is not None}
    gradients.close()
    return result | {"losses": record.losses, "a": record.coefficients}


for _kind, _wrap in {"ddp": ddp, "fsdp": fsdp}.items():
    for _name in ("came_grad", "linear", "uncertainty_weighting"):
        same(f"micro {_kind} {_name}", partial(micro, name=_name), _wrap)


def sketched(rank: int | None, wrap: Wrap) -> dict[str, Tensor]:
    """Train with coefficients that do not depend on the Gramian, sketched on two ranks."""
    options = {} if rank is None else {"sketch": 8}
    return trained(Setting(rank, wrap), "linear", steps=1, diagnostics=True, **options)


same("sketched", sketched)
