import pytest
import torch
from torch import Tensor

from gradtruce.balance.upgrad import UPGrad
from gradtruce.gradients.balancer import TaskStatistics
from tests.laws.gramians import bank
from tests.reference.upgrad import upgrad as reference

F64 = torch.float64


def coefficients(J: Tensor, weights: Tensor | None = None) -> Tensor:
    return UPGrad().coefficients(TaskStatistics(J @ J.T, weights=weights))


@pytest.mark.parametrize("tasks", [1, 2, 3, 5, 8, 9, 16])
def test_it_agrees_with_the_paper_in_its_own_notation(tasks: int) -> None:
    for kind, J in bank(tasks, 20, seed=tasks):
        found = coefficients(J) @ J
        wanted = torch.from_numpy(reference(J.numpy()))
        assert (found - wanted).norm() <= 1e-6 * (wanted.norm() + 1e-3 * J.norm()), kind


@pytest.mark.parametrize("tasks", [2, 3, 6, 9, 16])
def test_no_task_gets_worse(tasks: int) -> None:
    weights = torch.linspace(0.1, 4.0, tasks, dtype=F64)
    for kind, J in bank(tasks, 30, seed=1):
        update = coefficients(J, weights) @ J
        slack = 1e-9 * float((weights * J.norm(dim=1)).max())
        assert (J @ update / J.norm(dim=1)).min() >= -slack, kind


def test_a_value_worked_by_hand() -> None:
    # g_1 = (1, 0) loses its part along g_2 = (−1, √3), and g_2 its part along g_1
    J = torch.tensor([[1.0, 0.0], [-1.0, 3.0**0.5]], dtype=F64)
    wanted = torch.tensor([0.75, 3.0**0.5 / 4 + 3.0**0.5], dtype=F64)
    torch.testing.assert_close(coefficients(J) @ J, wanted)


def test_without_conflict_it_is_the_weighted_sum() -> None:
    weights = torch.tensor([1.0, 4.0, 0.5], dtype=F64)
    G = torch.tensor([[1.0, 0.2, 0.0], [0.2, 4.0, 0.1], [0.0, 0.1, 2.0]], dtype=F64)
    torch.testing.assert_close(UPGrad().coefficients(TaskStatistics(G, weights=weights)), weights)


def test_opposite_gradients_give_no_update() -> None:
    J = torch.tensor([[1.0, 2.0], [-2.0, -4.0]], dtype=F64)
    torch.testing.assert_close(coefficients(J) @ J, torch.zeros(2, dtype=F64))


def test_coefficients_are_at_least_the_weights() -> None:
    weights = torch.linspace(0.1, 4.0, 5, dtype=F64)
    for _, J in bank(5, 20, seed=2):
        assert (coefficients(J, weights) >= weights * (1 - 1e-9)).all()


def test_weights_equal_weighting_the_losses_beforehand() -> None:
    weights = torch.tensor([1.0, 4.0, 0.5], dtype=F64)
    for _, J in bank(3, 20, seed=3):
        rows = weights.unsqueeze(-1) * J
        found, wanted = coefficients(J, weights) @ J, coefficients(rows) @ rows
        assert (found - wanted).norm() <= 1e-8 * J.norm()


def test_a_task_of_weight_zero_is_left_out() -> None:
    J = torch.tensor([[1.0, 0.0], [-0.5, 3.0], [-4.0, -4.0]], dtype=F64)
    a = coefficients(J, torch.tensor([1.0, 1.0, 0.0], dtype=F64))
    torch.testing.assert_close(a[:2], coefficients(J[:2]))
    assert a[2] == 0


@pytest.mark.parametrize("scale", [1e-10, 1e-4])
def test_small_gradients_are_projected_like_any_others(scale: float) -> None:
    J = torch.tensor([[1.0, 0.0], [-0.5, 3.0]], dtype=F64)
    torch.testing.assert_close(coefficients(scale * J), coefficients(J))


def test_blocks_are_solved_each_for_itself() -> None:
    for tasks in (3, 9):
        G = torch.stack([J @ J.T for _, J in bank(tasks, 4, seed=5)])
        single = [UPGrad().coefficients(TaskStatistics(each)) for each in G]
        torch.testing.assert_close(UPGrad().coefficients(TaskStatistics(G)), torch.stack(single))


def test_a_gramian_of_nan_gives_nan_so_that_the_check_sees_it() -> None:
    for tasks in (2, 3, 9):
        G = torch.full((tasks, tasks), torch.nan, dtype=F64)
        assert UPGrad().coefficients(TaskStatistics(G)).isnan().all()
