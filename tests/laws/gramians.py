"""Random and degenerate task gradients, on which every balancer and solver is tried."""

from collections.abc import Callable, Iterator

import torch
from torch import Generator, Tensor


def _normal(*shape: int, generator: Generator) -> Tensor:
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def _second(J: Tensor, row: Tensor) -> Tensor:
    return torch.cat([J[:1], row.unsqueeze(0), J[2:]]) if len(J) > 1 else J


def _orthogonal(J: Tensor, g: Generator) -> Tensor:
    square = _normal(max(J.shape), max(J.shape), generator=g)
    return torch.linalg.qr(square).Q[: len(J)].contiguous()


SHAPES: dict[str, Callable[[Tensor, Generator], Tensor]] = {
    "plain": lambda J, _: J,
    "uneven": lambda J, g: J * torch.exp(2 * _normal(len(J), 1, generator=g)),
    "duplicate": lambda J, _: _second(J, J[0]),
    "opposite": lambda J, g: _second(J, -J[0] * torch.rand(1, generator=g).double()),
    "integers": lambda J, _: J.mul(2).round().clamp(-2, 2),
    "cancelling": lambda J, g: J - J.mean(0) + 0.05 * _normal(J.shape[1], generator=g),
    "mean of others": lambda J, _: torch.cat([J.mean(0, keepdim=True), J[1:]]),
    "nearly equal": lambda J, g: J[:1] + 1e-4 * _normal(*J.shape, generator=g),
    "tiny row": lambda J, _: torch.cat([J[:-1], 1e-5 * J[-1:]]),
    "orthogonal": _orthogonal,
}
KINDS = tuple(SHAPES)


def task_gradients(kind: str, tasks: int, rank: int, generator: Generator) -> Tensor:
    """Return J of a kind, in float64."""
    return SHAPES[kind](_normal(tasks, rank, generator=generator), generator)


def bank(tasks: int, count: int, seed: int) -> Iterator[tuple[str, Tensor]]:
    """Yield kind and J, all kinds in turn and ranks from 1 to above the number of tasks."""
    generator = torch.Generator().manual_seed(seed)
    for place in range(count):
        kind = KINDS[place % len(KINDS)]
        rank = int(torch.randint(1, tasks + 3, (1,), generator=generator))
        J = task_gradients(kind, tasks, rank, generator)
        if (J.norm(dim=1) > 0).all():
            yield kind, J
