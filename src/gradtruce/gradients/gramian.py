"""The Gramian of the task gradients, in one pass over the rows."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from jaxtyping import Float
from torch import Tensor

CHUNK = 1 << 17  # numbers a row held at once, so that a chunk of several rows stays in cache
BLOCK = 1 << 10  # numbers summed in float32 before float64 takes over
SAFE_SQUARES = (1e-28, 1e34)  # outside of these float32 squares may have under- or overflowed


def gramian(
    rows: Sequence[Sequence[Tensor | None]], *, device: torch.device
) -> Float[Tensor, "tasks tasks"]:
    """Return the inner products of all pairs of rows, in float64.

    Chunks of all rows are packed side by side and multiplied. On the processor products are summed
    in float32 over blocks of 1,024 numbers, and in float64 over the blocks; rows so small or large
    that their squares leave float32, and rows in float64, are summed in float64 throughout, as is
    everything on a GPU. A missing gradient counts as zero.

    Args:
        rows: `rows[k][i]` is ∂L_k / ∂parameter i; gradients of one parameter have one layout.
        device: Where the Gramian is wanted.

    >>> rows = [[torch.tensor([3.0, 4.0]), None], [torch.tensor([1.0, 0.0]), torch.ones(2, 2)]]
    >>> gramian(rows, device=torch.device("cpu"))
    tensor([[25.,  3.],
            [ 3.,  5.]], dtype=torch.float64)
    """
    total = torch.zeros(len(rows), len(rows), dtype=torch.float64, device=device)
    columns = [column for column in zip(*rows, strict=True) if any(g is not None for g in column)]
    for is_double in (False, True):
        group = [column for column in columns if _is_double(column) == is_double]
        if group:
            total += _products(group, torch.float64 if is_double else None).to(device)
    return (total + total.T) / 2


def flat(gradient: Tensor) -> Tensor:
    """Return a view of all numbers of a gradient in the order in which they lie in memory."""
    return gradient.as_strided((gradient.numel(),), (1,))


def _is_double(column: Sequence[Tensor | None]) -> bool:
    return any(gradient is not None and gradient.dtype == torch.float64 for gradient in column)


def _products(
    columns: Sequence[Sequence[Tensor | None]], dtype: torch.dtype | None
) -> Float[Tensor, "tasks tasks"]:
    device = next(gradient.device for gradient in columns[0] if gradient is not None)
    if dtype is None and device.type == "cuda":
        dtype = torch.float64
    products = _sum_of_products(columns, dtype or torch.float32, device)
    if dtype is None and device.type == "cpu":
        squares = products.diagonal()
        reached = torch.tensor(
            [any(g is not None for g in row) for row in zip(*columns, strict=True)]
        )
        safe = (squares > SAFE_SQUARES[0]) & (squares < SAFE_SQUARES[1])
        if not (safe | ~reached).all():
            return _sum_of_products(columns, torch.float64, device)
    return products


def _sum_of_products(
    columns: Sequence[Sequence[Tensor | None]], dtype: torch.dtype, device: torch.device
) -> Float[Tensor, "tasks tasks"]:
    home = torch.device("cpu") if device.type == "mps" else device  # MPS has no float64
    tasks = len(columns[0])
    total = torch.zeros(tasks, tasks, dtype=torch.float64, device=home)
    with _full_precision(device.type):
        for chunk in _chunks(columns, dtype, device):
            blocks = chunk.view(tasks, -1, BLOCK).transpose(0, 1)
            products = torch.bmm(blocks, blocks.transpose(1, 2))
            total += products.to(home).sum(0, dtype=torch.float64)
    return total


def _chunks(
    columns: Sequence[Sequence[Tensor | None]], dtype: torch.dtype, device: torch.device
) -> Iterator[Float[Tensor, "tasks numbers"]]:
    """Yield all rows side by side, a chunk at a time, in one buffer that is used again."""
    sizes = [next(g.numel() for g in column if g is not None) for column in columns]
    width = min(CHUNK, -(-sum(sizes) // BLOCK) * BLOCK)
    buffer = torch.empty(len(columns[0]), width, dtype=dtype, device=device)
    filled = 0
    for column, size in zip(columns, sizes, strict=True):
        flats = [None if gradient is None else flat(gradient) for gradient in column]
        start = 0
        while start < size:
            taken = min(size - start, width - filled)
            for target, source in zip(buffer[:, filled : filled + taken], flats, strict=True):
                target.zero_() if source is None else target.copy_(source[start : start + taken])
            start, filled = start + taken, filled + taken
            if filled == width:
                yield buffer
                filled = 0
    if filled:
        used = -(-filled // BLOCK) * BLOCK
        buffer[:, filled:used].zero_()
        yield buffer[:, :used]


@contextmanager
def _full_precision(device_type: str) -> Iterator[None]:
    """Switch off what rounds matrix products: autocast, and a lowered float32 precision."""
    precision = torch.get_float32_matmul_precision()
    if precision != "highest":
        torch.set_float32_matmul_precision("highest")
    try:
        with torch.autocast(device_type, enabled=False):
            yield
    finally:
        if precision != "highest":
            torch.set_float32_matmul_precision(precision)
