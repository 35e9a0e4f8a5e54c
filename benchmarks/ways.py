"""Every way of the benchmark to get from the losses of a batch to `.grad`.

All that balance compute CAGrad with c = 0.4, on the trunk's parameters.
"""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

import gradtruce as gt
from benchmarks.peers import libmtl, official, write_back
from benchmarks.trunk import Batch, Model

Step = Callable[[Batch], None]
Way = Callable[[Model], Step]
RADIUS = 0.4


def linear(model: Model) -> Step:
    """One backward pass of the sum: no balancing at all."""

    def step(batch: Batch) -> None:
        torch.stack(model(batch)[1]).sum().backward()

    return step


def floor(model: Model) -> Step:
    """K backward passes and nothing else: each row is dropped before the next."""

    def step(batch: Batch) -> None:
        losses = model(batch)[1]
        for place, loss in enumerate(losses):
            loss.backward(retain_graph=place < len(losses) - 1)
            model.zero_grad()

    return step


def engine(model: Model, every: int = 1) -> Step:
    """This package."""
    names = [f"task {k}" for k in range(model.tasks)]
    gradients = gt.TaskGradients(model, gt.CAGrad(RADIUS), tasks=names, every=every)

    def step(batch: Batch) -> None:
        gradients.backward(dict(zip(names, model(batch)[1], strict=True)))

    return step


def engine_every_4(model: Model) -> Step:
    """This package, coefficients refreshed each fourth step; four steps in a call."""
    once = engine(model, every=4)

    def step(batch: Batch) -> None:
        for _ in range(4):
            model.zero_grad()
            once(batch)

    return step


def torchjd(model: Model) -> Step:
    """TorchJD's autojac with its defaults: one vectorised backward pass, flattened Jacobian."""
    return _autojac(model, chunk=None, is_lean=False)


def torchjd_lean(model: Model) -> Step:
    """TorchJD's autojac at its best here: pass by pass, Gramian summed parameter by parameter."""
    return _autojac(model, chunk=1, is_lean=True)


def torchjd_autogram(model: Model) -> Step:
    """TorchJD's autogram: the Gramian without rows, then one backward pass of the weighted sum."""
    from torchjd.aggregation import CAGradWeighting
    from torchjd.autogram import Engine

    gram, weighting = Engine(model.trunk, batch_dim=None), CAGradWeighting(RADIUS)

    def step(batch: Batch) -> None:
        losses = torch.stack(model(batch)[1])
        losses.backward(weighting(gram.compute_gramian(losses)))

    return step


def slsqp_rows(model: Model) -> Step:
    """LibMTL's algorithm: rows flattened on the host, SLSQP."""
    return _flattening(model, libmtl)


def slsqp_columns(model: Model) -> Step:
    """The authors' algorithm: columns flattened, SLSQP."""
    return _flattening(model, official)


WAYS: dict[str, Way] = {
    "linear scalarization": linear,
    "K backward passes": floor,
    "gradtruce": engine,
    "gradtruce, every=4": engine_every_4,
    "TorchJD, defaults": torchjd,
    "TorchJD, best": torchjd_lean,
    "TorchJD, autogram": torchjd_autogram,
    "LibMTL's algorithm": slsqp_rows,
    "the authors' algorithm": slsqp_columns,
}
BASE, FLOOR, OURS, SELDOM, AUTOGRAM = (
    "linear scalarization",
    "K backward passes",
    "gradtruce",
    "gradtruce, every=4",
    "TorchJD, autogram",
)


def ways_for(tasks: int) -> list[str]:
    """Return the ways that are compared; rare refreshes at K = 2 alone."""
    return [name for name in WAYS if name != SELDOM or tasks == 2]


def rows(shared: list[torch.nn.Parameter], losses: list[Tensor]) -> Iterator[list[Tensor]]:
    """Yield the gradients of the shared parameters, task by task, taken out of `.grad`."""
    for place, loss in enumerate(losses):
        loss.backward(retain_graph=place < len(losses) - 1)
        found = [parameter.grad for parameter in shared]
        for parameter in shared:
            parameter.grad = None
        yield [gradient for gradient in found if gradient is not None]


def _autojac(model: Model, *, chunk: int | None, is_lean: bool) -> Step:
    from torchjd.aggregation import CAGrad
    from torchjd.autojac import jac_to_grad, mtl_backward

    aggregator, shared = CAGrad(RADIUS), list(model.trunk.parameters())

    def step(batch: Batch) -> None:
        features, losses = model(batch)
        mtl_backward(losses, features=features, parallel_chunk_size=chunk)
        jac_to_grad(shared, aggregator, optimize_gramian_computation=is_lean)

    return step


def _flattening(model: Model, way: Callable[..., Tensor]) -> Step:
    shared = list(model.trunk.parameters())

    def step(batch: Batch) -> None:
        write_back(way(rows(shared, model(batch)[1]), model.tasks, RADIUS), shared)

    return step
