"""Cases of `test_fused`, for a process in which Triton interprets its kernels."""

import pytest
import torch
from torch import Tensor, nn

import gradtruce as gt
from gradtruce.gradients.combine import combine
from gradtruce.gradients.fused import BLOCK, TritonKernels, is_interpreted
from gradtruce.gradients.gramian import gramian
from gradtruce.gradients.rows import Row

CPU = torch.device("cpu")
HALVES = [torch.float16, torch.bfloat16]


@pytest.fixture(autouse=True)
def _interpreted() -> None:
    assert is_interpreted()
    torch.manual_seed(0)


def rows_of(tasks: int, dtypes: list[torch.dtype], sizes: list[int]) -> list[Row]:
    """Return rows of which each lacks another gradient, and all lack the last."""
    rows: list[Row] = []
    for task in range(tasks):
        row: Row = [
            (torch.randn(size, dtype=torch.float64) + 0.2).to(dtypes[place % len(dtypes)])
            for place, size in enumerate(sizes)
        ]
        if tasks > 1:
            row[task % len(sizes)] = None
        rows.append([*row, None])
    return rows


def relative(found: Tensor, wanted: Tensor) -> float:
    norms = wanted.diagonal().sqrt().clamp_min(1e-300)
    return float(((found - wanted).abs() / norms.outer(norms)).max())


def exact(rows: list[Row]) -> Tensor:
    doubles = [[None if g is None else g.double() for g in row] for row in rows]
    return gramian(doubles, device=CPU)


def copied(rows: list[Row]) -> list[Row]:
    return [[None if g is None else g.clone() for g in row] for row in rows]


def both(rows: list[Row], sets: Tensor, chosen: list[int]) -> tuple[Row, Row]:
    mine = copied(rows)
    found = TritonKernels().combined(zip(*mine, strict=True), sets, chosen)
    for place, gradient in enumerate(found):
        first = next((row[place] for row in mine if row[place] is not None), None)
        assert gradient is first
    columns = zip(*copied(rows), strict=True)
    wanted = [combine(column, sets[s]) for column, s in zip(columns, chosen, strict=True)]
    return found, wanted


SIZES = [2 * BLOCK + 1, 7, 1, 1023, 1025]


@pytest.mark.parametrize("tasks", [1, 2, 3, 5, 8])
def test_the_gramian_of_float64(tasks: int) -> None:
    rows = rows_of(tasks, [torch.float64], SIZES)
    assert relative(TritonKernels().gramian(rows, device=CPU), exact(rows)) < 1e-14


@pytest.mark.parametrize("tasks", [1, 2, 3, 5, 8])
def test_the_gramian_of_float32(tasks: int) -> None:
    rows = rows_of(tasks, [torch.float32], SIZES)
    assert relative(TritonKernels().gramian(rows, device=CPU), exact(rows)) < 2e-7


def test_sixteen_tasks_and_more() -> None:
    for tasks in (16, 17):
        rows = rows_of(tasks, [torch.float32], [1500, 3])
        assert relative(TritonKernels().gramian(rows, device=CPU), exact(rows)) < 2e-7


@pytest.mark.parametrize("dtype", HALVES)
def test_half_precision_is_not_multiplied_in_half_precision(dtype: torch.dtype) -> None:
    rows = rows_of(3, [dtype], SIZES)
    assert relative(TritonKernels().gramian(rows, device=CPU), exact(rows)) < 2e-7


def test_dtypes_that_differ_from_parameter_to_parameter() -> None:
    rows = rows_of(3, [torch.float32, torch.bfloat16, torch.float64], SIZES)
    assert relative(TritonKernels().gramian(rows, device=CPU), exact(rows)) < 2e-7


def test_dtypes_that_differ_within_a_parameter() -> None:
    rows: list[Row] = [[torch.randn(50).to(d)] for d in (torch.bfloat16, torch.float32)]
    assert relative(TritonKernels().gramian(rows, device=CPU), exact(rows)) < 2e-7
    rows.append([torch.randn(50, dtype=torch.float64)])
    assert relative(TritonKernels().gramian(rows, device=CPU), exact(rows)) < 1e-14


@pytest.mark.parametrize("scale", [1e-35, 1e-21, 1e-10, 1e10, 1e18, 1e30])
def test_the_error_does_not_depend_on_the_scale(scale: float) -> None:
    rows: list[Row] = [[torch.randn(3000)], [torch.randn(3000) * scale]]
    assert relative(TritonKernels().gramian(rows, device=CPU), exact(rows)) < 2e-7


@pytest.mark.filterwarnings("ignore:invalid value")  # numpy's, of which the interpreter is made
def test_what_is_not_finite_is_seen() -> None:
    for bad in (torch.nan, torch.inf):
        rows: list[Row] = [[torch.randn(3000)], [torch.randn(3000)]]
        rows[1][0][2000] = bad
        found = TritonKernels().gramian(rows, device=CPU)
        assert found.diagonal().isfinite().tolist() == [True, False]


def test_nothing_and_zeros() -> None:
    nothing: list[Row] = [[None, torch.zeros(0)], [None, None]]
    assert TritonKernels().gramian(nothing, device=CPU).tolist() == [[0, 0], [0, 0]]
    assert TritonKernels().gramian([[], []], device=CPU).tolist() == [[0, 0], [0, 0]]
    zeros: list[Row] = [[torch.zeros(5)], [torch.ones(5)]]
    assert TritonKernels().gramian(zeros, device=CPU).tolist() == [[0, 0], [0, 5]]


def test_layouts_in_memory_do_not_matter_if_rows_share_them() -> None:
    rows: list[Row] = [
        [torch.randn(4, 3, 5, 5).to(memory_format=torch.channels_last)] for _ in range(2)
    ]
    assert relative(TritonKernels().gramian(rows, device=CPU), exact(rows)) < 2e-7


def test_every_run_gives_the_same_bits() -> None:
    rows = rows_of(3, [torch.float32, torch.bfloat16], SIZES)
    first, *others = (TritonKernels().gramian(rows, device=CPU) for _ in range(3))
    assert all(torch.equal(first, other) for other in others)
    assert torch.equal(first, first.T)


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float64, 1e-14), (torch.float32, 1e-6)], ids=["64", "32"]
)
@pytest.mark.parametrize("tasks", [1, 2, 3, 16])
def test_the_combination(tasks: int, dtype: torch.dtype, tolerance: float) -> None:
    rows = rows_of(tasks, [dtype], SIZES)
    sets = torch.randn(2, tasks, dtype=torch.float64)
    found, wanted = both(rows, sets, [0, 1, 0, 1, 1, 0])
    assert found[-1] is None
    for f, w in zip(found[:-1], wanted[:-1], strict=True):
        assert f.dtype == dtype
        torch.testing.assert_close(f, w, rtol=tolerance, atol=10 * tolerance)


@pytest.mark.parametrize("dtype", HALVES)
def test_half_precision_is_rounded_once(dtype: torch.dtype) -> None:
    rows: list[Row] = [[torch.randn(3000).to(dtype)] for _ in range(4)]
    a = torch.rand(1, 4, dtype=torch.float64)
    (found,), _ = both(rows, a, [0])
    wanted = sum(factor * row[0].double() for factor, row in zip(a[0], rows, strict=True))
    if dtype == torch.float16:
        assert (found == wanted.to(dtype)).float().mean() > 0.999
    else:  # the interpreter cuts bfloat16 off, where a GPU rounds; see `fused_compiled`
        error = (found.double() - wanted).abs()
        assert (error <= wanted.abs() * 2.0**-7 + 1e-7).all()


def test_parameters_of_several_dtypes_and_layouts_are_combined() -> None:
    rows: list[Row] = [
        [torch.randn(5), torch.randn(6, dtype=torch.float64), torch.randn(4, 3), torch.zeros(0)],
        [torch.randn(5), torch.randn(6, dtype=torch.float64), torch.randn(3, 4).T, torch.zeros(0)],
    ]
    sets = torch.tensor([[2.0, -1.0]], dtype=torch.float64)
    found, wanted = both(rows, sets, [0, 0, 0, 0])
    for f, w in zip(found, wanted, strict=True):
        torch.testing.assert_close(f, w)


def test_the_coefficient_of_a_missing_gradient_is_not_read() -> None:
    sets = torch.tensor([[torch.nan, 2.0]], dtype=torch.float64)
    (found,), _ = both([[None], [torch.ones(3)]], sets, [0])
    assert found.tolist() == [2, 2, 2]


@pytest.mark.parametrize("clip", [None, 0.01])
def test_the_engine_makes_the_same_update(clip: float | None) -> None:
    updates = []
    for kernels in ("torch", "triton"):
        torch.manual_seed(0)
        trunk, a, b = nn.Linear(9, 9), nn.Linear(9, 1), nn.Linear(9, 3)
        model = nn.ModuleList([trunk, a, b])
        gradients = gt.TaskGradients(
            model, gt.CAMEGrad(), tasks=("a", "b"), clip_norm=clip, kernels=kernels
        )
        features = trunk(torch.randn(4, 9)).tanh()
        gradients.backward({"a": a(features).mean(), "b": b(features).square().sum()})
        updates.append([parameter.grad for parameter in model.parameters()])
    for mine, torchs in zip(*updates, strict=True):
        torch.testing.assert_close(mine, torchs, rtol=1e-5, atol=1e-7)
