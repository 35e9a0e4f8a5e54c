import pytest
import torch
from torch import Tensor

from gradtruce.balance.dualproj import DualProj
from gradtruce.gradients.balancer import TaskStatistics
from tests.laws.gramians import bank
from tests.reference.dualproj import dualproj as reference

F64 = torch.float64


def coefficients(J: Tensor, weights: Tensor | None = None) -> Tensor:
    return DualProj().coefficients(TaskStatistics(J @ J.T, weights=weights))


@pytest.mark.parametrize("tasks", [1, 2, 3, 5, 8, 9, 16])
def test_it_agrees_with_the_reference(tasks: int) -> None:
    for kind, J in bank(tasks, 20, seed=tasks):
        found = coefficients(J) @ J
        wanted = torch.from_numpy(reference(J.numpy()))
        assert (found - wanted).norm() <= 1e-6 * (wanted.norm() + 1e-3 * J.norm()), kind


@pytest.mark.parametrize("tasks", [2, 3, 6, 9, 16])
def test_no_task_gets_worse_and_the_update_is_the_nearest_such(tasks: int) -> None:
    weights = torch.linspace(0.1, 4.0, tasks, dtype=F64)
    for kind, J in bank(tasks, 30, seed=1):
        joint, update = weights @ J, coefficients(J, weights) @ J
        size = float((weights * J.norm(dim=1)).max())
        assert (J @ update / J.norm(dim=1)).min() >= -1e-9 * size, kind
        assert abs(update @ (joint - update)) <= 1e-9 * size**2, kind


def test_a_value_worked_by_hand() -> None:
    # g_1 = (1, 0), g_2 = (−2, 1): the sum (−1, 1) loses its part along g_1
    J = torch.tensor([[1.0, 0.0], [-2.0, 1.0]], dtype=F64)
    torch.testing.assert_close(coefficients(J) @ J, torch.tensor([0.0, 1.0], dtype=F64))


def test_conflict_that_the_sum_resolves_leaves_it_alone() -> None:
    weights = torch.tensor([1.0, 2.0], dtype=F64)
    J = torch.tensor([[1.0, 0.0], [-0.3, 1.0]], dtype=F64)
    torch.testing.assert_close(coefficients(J, weights), weights)


def test_a_task_of_weight_zero_is_left_out() -> None:
    J = torch.tensor([[1.0, 0.0], [-2.5, 3.0], [-4.0, -4.0]], dtype=F64)
    a = coefficients(J, torch.tensor([1.0, 1.0, 0.0], dtype=F64))
    torch.testing.assert_close(a[:2], coefficients(J[:2]))
    assert a[2] == 0


def test_blocks_are_solved_each_for_itself() -> None:
    for tasks in (3, 9):
        G = torch.stack([J @ J.T for _, J in bank(tasks, 4, seed=5)])
        single = [DualProj().coefficients(TaskStatistics(each)) for each in G]
        torch.testing.assert_close(DualProj().coefficients(TaskStatistics(G)), torch.stack(single))


def test_a_gramian_of_nan_gives_nan_so_that_the_check_sees_it() -> None:
    for tasks in (2, 3, 9):
        G = torch.full((tasks, tasks), torch.nan, dtype=F64)
        assert DualProj().coefficients(TaskStatistics(G)).isnan().all()
