import pytest
import torch
from torch import Tensor

from gradtruce.gradients import gramian as module
from gradtruce.gradients.gramian import gramian

CPU = torch.device("cpu")


def exact(rows: list[list[Tensor | None]], sizes: list[int]) -> Tensor:
    flat = [
        torch.cat(
            [torch.zeros(n) if g is None else g.flatten() for g, n in zip(row, sizes, strict=True)]
        ).double()
        for row in rows
    ]
    return torch.stack(flat) @ torch.stack(flat).T


def relative(found: Tensor, wanted: Tensor) -> float:
    norms = wanted.diagonal().sqrt().clamp_min(1e-300)
    return float(((found - wanted).abs() / norms.outer(norms)).max())


@pytest.mark.parametrize("tasks", [1, 2, 3, 8])
def test_blocks_of_float32_agree_with_float64(tasks: int) -> None:
    sizes = [300_000, 7, 1, 131_072, 2048]
    rows = [[torch.randn(n) + 0.3 for n in sizes] for _ in range(tasks)]
    assert relative(gramian(rows, device=CPU), exact(rows, sizes)) < 2e-7


@pytest.mark.parametrize("scale", [1e-10, 1e-21, 1e10, 1e18])
def test_the_error_does_not_depend_on_the_scale(scale: float) -> None:
    rows = [[torch.randn(5000) * scale] for _ in range(2)]
    assert relative(gramian(rows, device=CPU), exact(rows, [5000])) < 2e-7


def test_a_tiny_row_beside_a_large_one_keeps_its_digits() -> None:
    rows = [[torch.randn(5000)], [torch.randn(5000) * 1e-20]]
    assert relative(gramian(rows, device=CPU), exact(rows, [5000])) < 2e-7


def test_a_missing_gradient_counts_as_zero() -> None:
    rows = [[torch.ones(3), None], [None, torch.ones(2)]]
    assert gramian(rows, device=CPU).tolist() == [[3, 0], [0, 2]]


def test_float64_rows_are_summed_in_float64() -> None:
    rows = [[torch.randn(10_000, dtype=torch.float64)] for _ in range(2)]
    assert relative(gramian(rows, device=CPU), exact(rows, [10_000])) < 1e-14


def test_bfloat16_rows_are_not_multiplied_in_bfloat16() -> None:
    rows = [[torch.randn(10_000).bfloat16()] for _ in range(2)]
    assert relative(gramian(rows, device=CPU), exact(rows, [10_000])) < 2e-7


def test_layouts_in_memory_do_not_matter_if_rows_share_them() -> None:
    shape = (4, 3, 5, 5)
    rows = [[torch.randn(shape).contiguous(memory_format=torch.channels_last)] for _ in range(2)]
    assert relative(gramian(rows, device=CPU), exact(rows, [300])) < 2e-7


def test_autocast_and_lowered_precision_of_the_caller_change_nothing() -> None:
    rows = [[torch.randn(5000)] for _ in range(3)]
    plain = gramian(rows, device=CPU)
    torch.set_float32_matmul_precision("medium")
    try:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert torch.equal(gramian(rows, device=CPU), plain)
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision("highest")


def test_chunks_are_filled_across_tensors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK", 2 * module.BLOCK)
    sizes = [3000, 3000, 3000, 1, 9000]
    rows = [[torch.randn(n) for n in sizes] for _ in range(2)]
    assert relative(gramian(rows, device=CPU), exact(rows, sizes)) < 2e-7


def test_an_infinite_gradient_shows_on_the_diagonal() -> None:
    rows = [[torch.tensor([1.0, torch.inf])], [torch.ones(2)]]
    assert gramian(rows, device=CPU).diagonal().isfinite().tolist() == [False, True]


def test_no_parameters_give_zeros() -> None:
    assert gramian([[], []], device=CPU).tolist() == [[0, 0], [0, 0]]
