import pytest
import torch
from torch import Tensor

from gradtruce.balance.fairgrad import FairGrad
from gradtruce.balance.nash_mtl import NashMTL
from gradtruce.gradients.balancer import TaskStatistics
from tests.laws.gramians import bank
from tests.reference.fairgrad import fair_update

F64 = torch.float64


def solve(J: Tensor, fairness: float, weights: Tensor | None = None) -> Tensor:
    return FairGrad(fairness).coefficients(TaskStatistics(J @ J.T, weights=weights))


@pytest.mark.parametrize("fairness", [0.5, 2.0, 5.0])
@pytest.mark.parametrize("tasks", [1, 2, 3, 8])
def test_it_agrees_with_the_maximum_that_defines_it(tasks: int, fairness: float) -> None:
    weights, compared = torch.linspace(0.5, 4.0, tasks, dtype=F64), 0
    for kind, J in bank(tasks, 30, seed=tasks):
        if kind in {"uneven", "tiny row"}:
            continue  # the reference, which works on d, does not resolve these
        wanted = fair_update(J.numpy(), weights.numpy(), fairness)
        if wanted is None:
            continue
        found = solve(J, fairness, weights) @ J
        torch.testing.assert_close(found, torch.from_numpy(wanted), rtol=1e-6, atol=1e-6)
        compared += 1
    assert compared >= 10


@pytest.mark.parametrize("fairness", [0.5, 1.0, 2.0, 5.0])
@pytest.mark.parametrize("tasks", [2, 3, 6, 16])
def test_the_equation_holds(tasks: int, fairness: float) -> None:
    for _, J in bank(tasks, 40, seed=1):
        a = solve(J, fairness)
        alone = J.norm(dim=1) ** (-2 * fairness / (1 + fairness))
        if float((a / alone).max()) < 10:
            held = (J @ J.T @ a) * a ** (1 / fairness)
            torch.testing.assert_close(held, torch.ones(tasks, dtype=F64), rtol=1e-8, atol=0)


@pytest.mark.parametrize("fairness", [0.2, 1.0, 2.0, 10.0])
def test_the_degree_is_the_one_of_the_formula(fairness: float) -> None:
    J = torch.randn(3, 9, dtype=F64, generator=torch.Generator().manual_seed(0))
    wanted = solve(J, fairness) * 100 ** (-2 * fairness / (1 + fairness))
    torch.testing.assert_close(solve(100 * J, fairness), wanted, rtol=1e-9, atol=0)


def test_with_fairness_one_it_is_nash_mtl() -> None:
    for _, J in bank(4, 20, seed=3):
        step = TaskStatistics(J @ J.T)
        assert torch.equal(FairGrad(1.0).coefficients(step), NashMTL().coefficients(step))


def test_the_least_fair_is_nearly_the_joint_gradient() -> None:
    J = torch.tensor([[1.0, 0.2], [0.1, 1.2]], dtype=F64)
    torch.testing.assert_close(solve(J, 0.1), torch.ones(2, dtype=F64), rtol=0.06, atol=0)


def test_more_fairness_gives_more_to_the_task_with_least_progress() -> None:
    J = torch.tensor([[1.0, 0.0], [-0.5, 2.0]], dtype=F64)
    progress = [J @ (solve(J, fairness) @ J) for fairness in (0.2, 1.0, 2.0, 8.0)]
    shares = [float(each.min() / each.max()) for each in progress]
    assert shares == sorted(shares)


def test_one_task_alone_has_a_closed_form() -> None:
    J = torch.tensor([[3.0, 4.0]], dtype=F64)
    torch.testing.assert_close(solve(J, 2.0), torch.tensor([25 ** (-2 / 3)], dtype=F64))


def test_where_gradients_cancel_it_says_so() -> None:
    balancer = FairGrad()
    J = torch.tensor([[1.0, 0.0], [-2.0, 0.0]], dtype=F64)
    a = balancer.coefficients(TaskStatistics(J @ J.T))
    assert balancer.flags()["capped"]
    assert a.isfinite().all()


@pytest.mark.parametrize("fairness", [0.0, -1.0, 11.0, float("nan")])
def test_fairness_is_checked(fairness: float) -> None:
    with pytest.raises(ValueError, match=r"fairness must be from 0\.1 to 10"):
        FairGrad(fairness)
