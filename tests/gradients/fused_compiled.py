"""Cases of `test_fused`, for a process in which Triton compiles its kernels; needs no GPU."""

from typing import Any

import pytest
import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from gradtruce.gradients import fused, programs

TABLE = dict.fromkeys(("addresses", "sizes", "firsts", "columns", "outs", "sets"), "*i64")
TYPES = {"partials": "*fp64", "products": "*fp64", "coefficients": "*fp64", "programs": "i32"}


def compiled(kernel: Any, constants: dict[str, Any], capability: int) -> dict[str, Any]:
    """Return the stages of compilation, the last one, `cubin`, for the device."""
    names = kernel.arg_names
    assert set(constants) <= set(names)
    signature = {n: "constexpr" if n in constants else (TABLE | TYPES)[n] for n in names}
    fixed = {(names.index(name),): value for name, value in constants.items()}
    source = ASTSource(kernel, signature, constexprs=fixed)
    stages: dict[str, Any] = triton.compile(source, target=GPUTarget("cuda", capability, 32)).asm
    assert stages["cubin"]
    return stages


@pytest.mark.parametrize("capability", [80, 90])
@pytest.mark.parametrize(
    "dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64], ids=str
)
@pytest.mark.parametrize("tasks", [1, 3, 16])
def test_the_kernels_compile(tasks: int, dtype: torch.dtype, capability: int) -> None:
    shape = fused.shape_of(tasks)
    types = {"BLOCK": fused.BLOCK, **fused.types_of(dtype)}
    compiled(programs.block_products, {"TASKS": tasks, **shape, **types}, capability)
    lanes = {"TASKS": tasks, "WIDTH": fused.LANES}
    stages = compiled(programs.combination, {**lanes, **types}, capability)
    if dtype == torch.bfloat16:
        assert "cvt.rn.bf16" in stages["ptx"]  # to the nearest, which the interpreter does not do
    compiled(programs.sum_of_partials, lanes, capability)
