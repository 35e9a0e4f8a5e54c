"""Gramian and combination of all parameters at once, as Triton kernels.

They were run by Triton's interpreter, on the processor, and compiled for GPUs of compute capability
8.0 and 9.0; they have never run on a GPU, and were not measured.
"""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple, final

import torch
from jaxtyping import Float, Int
from torch import Tensor

from gradtruce.gradients.combine import combine
from gradtruce.gradients.gramian import gramian
from gradtruce.gradients.kernels import Kernels
from gradtruce.gradients.programs import block_products, combination, sum_of_partials
from gradtruce.gradients.rows import Row

try:
    import triton
    import triton.language as tl
except ImportError:  # TritonKernels refuses to be made
    triton = tl = None

BLOCK = 1 << 14  # numbers of a parameter that one program works on
STRIP = 1 << 10  # numbers that are summed in float32 before float64 takes over
TILE = 1 << 11  # products that a program holds at once
LANES = 1 << 10  # numbers that a program combines at once
MOST_TASKS = 16

Column = Sequence[Tensor | None]


class _Table(NamedTuple):
    """Where the numbers of several parameters lie, on the device.

    Attributes:
        addresses: Of every gradient, 0 where there is none.
        sizes: Numbers of each parameter; `firsts` is the first program that works on it.
        columns: The parameter of every program.
        outs: Address of the first gradient of each parameter.
        sets: Row of the coefficients of each parameter.
    """

    addresses: Int[Tensor, " gradients"]
    sizes: Int[Tensor, " parameters"]
    firsts: Int[Tensor, " parameters"]
    columns: Int[Tensor, " programs"]
    outs: Int[Tensor, " parameters"]
    sets: Int[Tensor, " parameters"]


@final
class TritonKernels(Kernels):
    """One launch for all parameters of a dtype; no atomics, so the same numbers in every run.

    Where there are more than 16 tasks, or gradients of a parameter that differ in layout or dtype,
    torch does what it does without these kernels.

    Raises:
        RuntimeError: If Triton is not installed.
    """

    def __init__(self) -> None:
        if triton is None:
            raise RuntimeError("TritonKernels needs the package triton, which is not installed")

    def gramian(self, rows: Sequence[Row], *, device: torch.device) -> Float[Tensor, "tasks tasks"]:
        """Return the Gramian; sums are in float32 over 1,024 numbers, and then in float64."""
        tasks = len(rows)
        if tasks > MOST_TASKS:
            return gramian(rows, device=device)
        columns = [_of_one_dtype(column) for column in zip(*rows, strict=True)]
        groups = _by_dtype(columns, range(len(columns)))
        if not groups:
            return torch.zeros(tasks, tasks, dtype=torch.float64, device=device)
        source = _first(columns[next(iter(groups.values()))[0]]).device
        tables = {
            dtype: _table([columns[place] for place in places], [0] * len(places), source)
            for dtype, places in groups.items()
        }
        programs = sum(len(table.columns) for table in tables.values())
        double = torch.empty(0, dtype=torch.float64, device=source)
        partials = double.new_empty(programs, tasks * (tasks + 1) // 2)
        products = double.new_empty(tasks, tasks)
        done = 0
        with _on(source):
            for dtype, table in tables.items():
                block_products[(len(table.columns),)](
                    partials[done:],
                    table.addresses,
                    table.sizes,
                    table.firsts,
                    table.columns,
                    TASKS=tasks,
                    BLOCK=BLOCK,
                    **shape_of(tasks),
                    **types_of(dtype),
                )
                done += len(table.columns)
            sum_of_partials[(tasks, tasks)](products, partials, programs, TASKS=tasks, WIDTH=LANES)
        return products.to(device)

    def combined(
        self,
        columns: Iterable[Sequence[Tensor | None]],
        coefficients: Float[Tensor, "sets tasks"],
        sets: Sequence[int],
    ) -> Row:
        """Return the combinations; half precision is summed in float32 and rounded once."""
        held, tasks, a = list(columns), coefficients.shape[1], coefficients.contiguous()
        is_alike = [tasks <= MOST_TASKS and _is_alike(column) for column in held]
        gradients = [
            next((g for g in column if g is not None), None)
            if alike
            else combine(column, coefficients[s])
            for column, s, alike in zip(held, sets, is_alike, strict=True)
        ]
        places = [place for place, alike in enumerate(is_alike) if alike]
        for dtype, group in _by_dtype(held, places).items():
            table = _table([held[p] for p in group], [sets[p] for p in group], a.device)
            with _on(a.device):
                combination[(len(table.columns),)](
                    a,
                    table.addresses,
                    table.sizes,
                    table.firsts,
                    table.columns,
                    table.outs,
                    table.sets,
                    TASKS=tasks,
                    WIDTH=LANES,
                    BLOCK=BLOCK,
                    **types_of(dtype),
                )
        return gradients


def is_interpreted() -> bool:
    """Return whether Triton runs kernels on the processor, as `TRITON_INTERPRET=1` makes it."""
    return triton is not None and bool(triton.knobs.runtime.interpret)


def _first(column: Column) -> Tensor:
    return next(gradient for gradient in column if gradient is not None)


def _is_alike(column: Column) -> bool:
    return len({(g.dtype, g.shape, g.stride()) for g in column if g is not None}) <= 1


def _of_one_dtype(column: Column) -> Column:
    dtypes = {gradient.dtype for gradient in column if gradient is not None}
    if len(dtypes) <= 1:
        return column
    wide = torch.float64 if torch.float64 in dtypes else torch.float32
    return [None if gradient is None else gradient.to(wide) for gradient in column]


def _by_dtype(columns: Sequence[Column], places: Iterable[int]) -> dict[torch.dtype, list[int]]:
    groups: dict[torch.dtype, list[int]] = {}
    for place in places:
        there = [gradient for gradient in columns[place] if gradient is not None]
        if there and there[0].numel():
            groups.setdefault(there[0].dtype, []).append(place)
    return groups


def _table(columns: Sequence[Column], sets: Sequence[int], device: torch.device) -> _Table:
    """Return the table of parameters, sent to the device in one copy that nothing waits for."""
    addresses = [0 if g is None else g.data_ptr() for column in columns for g in column]
    sizes = torch.tensor([_first(column).numel() for column in columns])
    programs = -(-sizes // BLOCK)
    parts = [
        torch.tensor(addresses),
        sizes,
        programs.cumsum(0) - programs,
        torch.arange(len(columns)).repeat_interleave(programs),
        torch.tensor([_first(column).data_ptr() for column in columns]),
        torch.tensor(sets),
    ]
    packed = torch.cat(parts)
    if device.type == "cuda":
        packed = packed.pin_memory().to(device, non_blocking=True)
    return _Table(*torch.split(packed, [len(part) for part in parts]))


def shape_of(tasks: int) -> dict[str, int]:
    """Return how many rows and numbers a program multiplies at once."""
    rows = 1 << (tasks - 1).bit_length()
    return {"ROWS": rows, "WIDTH": min(STRIP, TILE // rows**2), "STRIP": STRIP}


def types_of(dtype: torch.dtype) -> dict[str, Any]:
    """Return Triton's names of what rows hold and of what they are summed in."""
    return {
        "DTYPE": getattr(tl, str(dtype).removeprefix("torch.")),
        "EXACT": tl.float64 if dtype == torch.float64 else tl.float32,
    }


def _on(device: torch.device) -> AbstractContextManager[Any]:
    """Return the context in which kernels are launched on a device."""
    return torch.cuda.device(device) if device.type == "cuda" else nullcontext()
