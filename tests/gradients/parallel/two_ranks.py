"""What two processes and one can do alike: a model, its training, and a register of cases."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel

import gradtruce.balance  # fills the list of known balancers
from gradtruce.balance import EMA, CAMEGrad
from gradtruce.gradients import TaskGradients
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


def fsdp(model: nn.Module) -> nn.Module:
    mesh = init_device_mesh("cpu", (RANKS,))
    for module in (model.trunk, model.report, model.findings, model.grade):
        fully_shard(module, mesh=mesh)
    return fully_shard(model, mesh=mesh)


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


def same(name: str, run: Callable[[int | None, Wrap], dict[str, Tensor]], wrap: Wrap = ddp) -> None:
    """Register a case: how far two ranks are from a single process that does the same."""
    CASES[name] = lambda rank, wanted: apart(run(rank, wrap), wanted)
    SINGLE[name] = lambda: run(None, lambda model: model)
