import math

import pytest
import torch
from torch import Tensor

from gradtruce.balance.nash_mtl import NashMTL
from gradtruce.gradients.balancer import TaskStatistics
from tests.laws.gramians import bank
from tests.reference.fairgrad import fair_update

F64 = torch.float64


def solve(J: Tensor, weights: Tensor | None = None, **options: float) -> tuple[Tensor, NashMTL]:
    balancer = NashMTL(**options)
    return balancer.coefficients(TaskStatistics(J @ J.T, weights=weights)), balancer


@pytest.mark.parametrize("tasks", [1, 2, 3, 5, 9])
def test_it_agrees_with_the_maximum_that_defines_it(tasks: int) -> None:
    weights, compared = torch.linspace(0.5, 4.0, tasks, dtype=F64), 0
    for _, J in bank(tasks, 30, seed=tasks):
        wanted = fair_update(J.numpy(), weights.numpy(), 1.0)
        if wanted is None:
            continue  # no direction improves all tasks
        found = solve(J, weights)[0] @ J
        torch.testing.assert_close(found, torch.from_numpy(wanted), rtol=1e-7, atol=1e-7)
        compared += 1
    assert compared >= 10


@pytest.mark.parametrize("tasks", [2, 3, 6, 16])
def test_each_task_gets_its_share_and_the_norm_is_the_root_of_the_number_of_tasks(
    tasks: int,
) -> None:
    for _, J in bank(tasks, 40, seed=1):
        a, balancer = solve(J)
        if balancer.flags()["capped"] or float((a * J.norm(dim=1)).max()) > 100:
            continue
        torch.testing.assert_close(
            a * (J @ J.T @ a), torch.ones(tasks, dtype=F64), rtol=1e-10, atol=0
        )
        assert (a @ J).square().sum().item() == pytest.approx(tasks, rel=1e-10)
        assert (a > 0).all()


def test_two_tasks_have_a_closed_form() -> None:
    J = torch.tensor([[3.0, 0.0], [-1.0, 2.0]], dtype=F64)
    cosine = torch.cosine_similarity(J[0], J[1], dim=0)
    wanted = 1 / (J.norm(dim=1) * (1 + cosine).sqrt())
    torch.testing.assert_close(solve(J)[0], wanted, rtol=1e-13, atol=0)


def test_the_scale_of_a_task_does_not_change_the_update() -> None:
    J = torch.randn(4, 9, dtype=F64, generator=torch.Generator().manual_seed(0))
    scaled = torch.tensor([1e-6, 1.0, 1e5, 3.0], dtype=F64).unsqueeze(-1) * J
    torch.testing.assert_close(solve(scaled)[0] @ scaled, solve(J)[0] @ J, rtol=1e-9, atol=1e-10)


def test_where_gradients_cancel_coefficients_stay_bounded_and_say_so() -> None:
    J = torch.tensor([[1.0, 0.0], [-2.0, 0.0]], dtype=F64)
    a, balancer = solve(J)
    assert balancer.flags()["capped"]
    assert float((a * J.norm(dim=1)).max()) <= 2e4
    assert float((a @ J).norm()) <= 1e-3


def test_a_task_without_gradient_or_weight_takes_no_part() -> None:
    J = torch.tensor([[1.0, 0.5], [0.0, 0.0], [-0.5, 1.0]], dtype=F64)
    a = solve(J)[0]
    assert a[1] == 0
    torch.testing.assert_close(a[[0, 2]], solve(J[[0, 2]])[0])
    weighted = solve(J, torch.tensor([1.0, 1.0, 0.0], dtype=F64))[0]
    torch.testing.assert_close(
        weighted, torch.tensor([1 / J[0].norm() ** 2, 0, 0], dtype=F64).sqrt()
    )


def test_the_norm_can_be_capped_as_the_published_code_does() -> None:
    J = torch.randn(3, 9, dtype=F64, generator=torch.Generator().manual_seed(0))
    free, capped = solve(J)[0], solve(J, max_norm=1.0)[0]
    torch.testing.assert_close(capped, free / math.sqrt(3))
    torch.testing.assert_close(solve(J, max_norm=2.0)[0], free)


def test_a_cap_must_be_above_zero() -> None:
    with pytest.raises(ValueError, match="max_norm must be above 0, got 0"):
        NashMTL(max_norm=0.0)
