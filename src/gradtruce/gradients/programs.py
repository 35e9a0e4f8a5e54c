"""Triton's programs for the Gramian and the combination; `fused` launches them."""

from __future__ import annotations  # annotations must not be evaluated where there is no Triton

from collections.abc import Callable
from typing import Any, no_type_check

try:
    import triton
    import triton.language as tl
except ImportError:  # nothing launches the programs then
    triton = tl = None


def _jit(kernel: Callable[..., None]) -> Any:
    return kernel if triton is None else triton.jit(kernel)


@_jit
@no_type_check
def block_products(
    partials,
    addresses,
    sizes,
    firsts,
    columns,
    TASKS: tl.constexpr,
    ROWS: tl.constexpr,
    WIDTH: tl.constexpr,
    STRIP: tl.constexpr,
    BLOCK: tl.constexpr,
    DTYPE: tl.constexpr,
    EXACT: tl.constexpr,
) -> None:
    """Write the products of all pairs of rows over one block of one parameter.

    Rows in float32 and less are divided by a power of two, their size in a strip, so that no
    product leaves float32 however large or small they are.
    """
    program = tl.program_id(0).to(tl.int64)
    column = tl.load(columns + program)
    start = (program - tl.load(firsts + column)) * BLOCK
    stop = tl.minimum(start + BLOCK, tl.load(sizes + column))
    task = tl.arange(0, ROWS)
    address = tl.load(addresses + column * TASKS + task, mask=task < TASKS, other=0)
    there = (address != 0)[:, None]
    memory = address.to(tl.pointer_type(DTYPE))[:, None]
    lane = tl.arange(0, WIDTH)[None, :]
    total = tl.zeros((ROWS, ROWS), tl.float64)
    for strip in range(start, stop, STRIP):
        unit = tl.full((ROWS,), 1.0, EXACT)
        if tl.float32 == EXACT:
            largest = tl.zeros((ROWS, WIDTH), tl.float32)
            for piece in range(0, STRIP, WIDTH):
                place = strip + piece + lane
                x = tl.load(memory + place, mask=there & (place < stop), other=0.0)
                largest = tl.maximum(largest, tl.abs(x.to(tl.float32)))
            exponent = tl.max(largest, 1).to(tl.int32, bitcast=True) & 0x7F800000
            unit = tl.maximum(exponent.to(tl.float32, bitcast=True), 1.1754943508222875e-38)
        products = tl.zeros((ROWS, ROWS, WIDTH), EXACT)
        for piece in range(0, STRIP, WIDTH):
            place = strip + piece + lane
            x = tl.load(memory + place, mask=there & (place < stop), other=0.0)
            x = x.to(EXACT) / unit[:, None]
            products += x[:, None, :] * x[None, :, :]
        wide = unit.to(tl.float64)
        total += tl.sum(products, 2).to(tl.float64) * (wide[:, None] * wide[None, :])
    i = task[:, None]
    j = task[None, :]
    pair = i * TASKS - i * (i + 1) // 2 + j
    here = partials + program * (TASKS * (TASKS + 1) // 2)
    tl.store(here + pair, total, mask=(i <= j) & (j < TASKS))


@_jit
@no_type_check
def sum_of_partials(products, partials, programs, TASKS: tl.constexpr, WIDTH: tl.constexpr) -> None:
    """Sum the products of one pair of rows over all programs, always in the same order."""
    i = tl.program_id(0)
    j = tl.program_id(1)
    first = tl.minimum(i, j)
    pair = first * TASKS - first * (first + 1) // 2 + tl.maximum(i, j)
    lane = tl.arange(0, WIDTH).to(tl.int64)
    total = tl.zeros((WIDTH,), tl.float64)
    for start in range(0, programs, WIDTH):
        place = start + lane
        source = partials + place * (TASKS * (TASKS + 1) // 2) + pair
        total += tl.load(source, mask=place < programs, other=0.0)
    tl.store(products + i * TASKS + j, tl.sum(total, 0))


@_jit
@no_type_check
def combination(
    coefficients,
    addresses,
    sizes,
    firsts,
    columns,
    outs,
    sets,
    TASKS: tl.constexpr,
    WIDTH: tl.constexpr,
    BLOCK: tl.constexpr,
    DTYPE: tl.constexpr,
    EXACT: tl.constexpr,
) -> None:
    """Write Σ a_k g_k over the first gradient, in one block of one parameter."""
    program = tl.program_id(0).to(tl.int64)
    column = tl.load(columns + program)
    start = (program - tl.load(firsts + column)) * BLOCK
    stop = tl.minimum(start + BLOCK, tl.load(sizes + column))
    out = tl.load(outs + column).to(tl.pointer_type(DTYPE))
    a = coefficients + tl.load(sets + column) * TASKS
    lane = tl.arange(0, WIDTH)
    for piece in range(start, stop, WIDTH):
        place = piece + lane
        total = tl.zeros((WIDTH,), EXACT)
        for task in tl.static_range(TASKS):
            address = tl.load(addresses + column * TASKS + task)
            memory = address.to(tl.pointer_type(DTYPE))
            x = tl.load(memory + place, mask=(place < stop) & (address != 0), other=0.0)
            term = x.to(EXACT) * tl.load(a + task).to(EXACT)
            total += tl.where(address != 0, term, 0.0)  # the coefficient may be NaN
        tl.store(out + place, total.to(DTYPE), mask=place < stop)
