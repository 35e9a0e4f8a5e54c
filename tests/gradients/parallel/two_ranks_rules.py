"""What two ranks refuse, exchange and tell, for `test_distributed.py`."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from gradtruce.balance import CAMEGrad, GradDrop
from gradtruce.gradients import TaskGradients
from tests.gradients.parallel.two_ranks import RANKS, WEIGHTS, Setting, ThreeHeads, case, ddp, fsdp


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


@contextmanager
def counted(calls: list[tuple[str, int]]) -> Iterator[None]:
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
def ddp_by_itself(rank: int, _: Any) -> list[float]:
    """Return how far each of two backward passes through DDP is from the mean over ranks."""
    torch.manual_seed(0)
    trunk, a, b = DistributedDataParallel(nn.Linear(4, 4)), nn.Linear(4, 1), nn.Linear(4, 1)
    features = trunk(torch.randn(3, 4, generator=torch.Generator().manual_seed(rank))).tanh()
    errors = []
    for loss in (a(features).mean(), b(features).mean()):
        loss.backward(retain_graph=True)
        mine = trunk.module.weight.grad
        total = mine.clone()
        dist.all_reduce(total)
        errors.append(float((total / RANKS - mine).norm() / mine.norm()))
        trunk.zero_grad()
    return errors


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
