import pytest
import torch

from gradtruce.gradients.solvers import newton
from gradtruce.gradients.solvers.newton import fair_coefficients
from tests.laws.gramians import bank

F64 = torch.float64


@pytest.mark.parametrize("fairness", [0.3, 1.0, 2.0])
@pytest.mark.parametrize("tasks", [2, 4, 8, 16])
def test_blocks_are_solved_as_if_alone(tasks: int, fairness: float) -> None:
    everyone = torch.ones(tasks, dtype=torch.bool)
    weights = torch.linspace(0.5, 2.0, tasks, dtype=F64)
    gramians = [J @ J.T for _, J in bank(tasks, 12, seed=tasks)]
    both, capped = fair_coefficients(torch.stack(gramians), fairness, weights, everyone)
    for a, flag, G in zip(both, capped, gramians, strict=True):
        alone, alone_flag = fair_coefficients(G, fairness, weights, everyone)
        assert flag == alone_flag
        if not flag:
            torch.testing.assert_close(a, alone, rtol=1e-6, atol=0)


def test_no_more_steps_than_a_device_would_take_are_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the host may look it stops early; here is what it finds when it never looks."""
    everyone, ones = torch.ones(6, dtype=torch.bool), torch.ones(6, dtype=F64)
    gramians = torch.stack([J @ J.T for _, J in bank(6, 30, seed=0)])
    early, _ = fair_coefficients(gramians, 2.0, ones, everyone)
    monkeypatch.setattr(newton, "_is_solved", lambda *_: False)
    late, _ = fair_coefficients(gramians, 2.0, ones, everyone)
    torch.testing.assert_close(early, late, rtol=1e-6, atol=0)


def test_numbers_that_are_not_finite_go_through() -> None:
    G = torch.tensor([[1.0, torch.nan], [torch.nan, 1.0]], dtype=F64)
    ones, everyone = torch.ones(2, dtype=F64), torch.tensor([True, True])
    assert fair_coefficients(G, 1.0, ones, everyone).coefficients.isnan().any()


def test_without_a_task_that_counts_all_is_zero() -> None:
    ones, nobody = torch.ones(3, dtype=F64), torch.zeros(3, dtype=torch.bool)
    a, capped = fair_coefficients(torch.eye(3, dtype=F64), 2.0, ones, nobody)
    assert not a.any()
    assert not capped


def test_a_gramian_that_rounding_made_indefinite_is_solved() -> None:
    J = torch.tensor([[1.0, 0.3], [-0.9, -0.27], [0.2, 0.06]], dtype=F64)
    G = J @ J.T - 1e-7 * torch.eye(3, dtype=F64)
    everyone = torch.ones(3, dtype=torch.bool)
    a, capped = fair_coefficients(G, 1.0, torch.ones(3, dtype=F64), everyone)
    assert capped
    assert a.isfinite().all()
    assert (a >= 0).all()
    assert float((a * J.norm(dim=1)).max()) < 1e5
