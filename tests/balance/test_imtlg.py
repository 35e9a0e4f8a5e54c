import numpy as np
import pytest
import torch
from torch import Tensor

from gradtruce.balance.imtlg import IMTLG
from gradtruce.gradients.balancer import TaskStatistics
from tests.laws.gramians import bank
from tests.reference.imtlg import imtlg as reference

F64 = torch.float64
DEPENDENT = ("duplicate", "opposite", "integers", "mean of others", "cancelling")


def coefficients(J: Tensor, weights: Tensor | None = None, **options: float) -> Tensor:
    return IMTLG(**options).coefficients(TaskStatistics(J @ J.T, weights=weights))


def independent(tasks: int, count: int, seed: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [
        torch.randn(tasks, tasks + 6, generator=generator, dtype=F64)
        * torch.exp(torch.randn(tasks, 1, generator=generator, dtype=F64))
        for _ in range(count)
    ]


@pytest.mark.parametrize("tasks", [2, 3, 5, 9])
def test_it_agrees_with_the_paper_in_its_own_notation(tasks: int) -> None:
    compared = 0
    for J in independent(tasks, 30, seed=tasks):
        wanted = reference(J.numpy())
        if np.abs(wanted).sum() < 1 / 0.1:
            compared += 1
            np.testing.assert_allclose(coefficients(J).numpy(), wanted, rtol=1e-6, atol=1e-8)
    assert compared > 20


@pytest.mark.parametrize("tasks", [1, 2, 3, 6, 9, 16])
def test_all_projections_are_equal_and_positive(tasks: int) -> None:
    for J in independent(tasks, 20, seed=1):
        update = coefficients(J) @ J
        cosines = J @ update / J.norm(dim=1) / update.norm()
        assert cosines.min() > 0
        torch.testing.assert_close(cosines, cosines[:1].expand(tasks), rtol=1e-6, atol=1e-9)


def test_two_tasks_have_the_closed_form() -> None:
    for _, J in bank(2, 40, seed=2):
        norms = J.norm(dim=1)
        torch.testing.assert_close(coefficients(J), norms.flip(0) / norms.sum())


@pytest.mark.parametrize("tasks", [2, 3, 5, 9])
def test_degenerate_gradients_give_equal_projections_too(tasks: int) -> None:
    for kind, J in bank(tasks, 30, seed=3):
        update = coefficients(J) @ J
        projections = J @ update / J.norm(dim=1)
        spread = float(projections.max() - projections.min())
        assert spread <= 1e-5 * (update.norm() + 1e-3 * J.norm()), kind
        assert projections.min() >= -1e-6 * (update.norm() + 1e-3 * J.norm()), kind


def test_parallel_gradients_are_weighed_by_their_inverse_norms() -> None:
    J = torch.tensor([[1.0, 2.0], [2.0, 4.0], [4.0, 8.0]], dtype=F64)
    wanted = torch.tensor([4.0, 2.0, 1.0], dtype=F64) / 7
    torch.testing.assert_close(coefficients(J), wanted)


def test_opposite_gradients_give_no_update_and_so_do_nearly_opposite_ones() -> None:
    for tilt in (0.0, 1e-7, 1e-4):
        J = torch.tensor([[1.0, 2.0, 0.0], [-2.0, -4.0, tilt], [0.3, 0.0, 1.0]], dtype=F64)
        assert (coefficients(J) @ J).norm() < 1e-2 * tilt**0.5 + 1e-6


def test_a_negative_sum_does_not_point_uphill() -> None:
    J = torch.tensor([[4.0, 0.1, 0.0], [-0.1, 4.0, 0.0], [0.12, 0.12, 0.01]], dtype=F64)
    wanted = reference(J.numpy()) @ J.numpy()
    assert (J.numpy() @ wanted).max() < 0  # the published formula
    balancer = IMTLG()
    a = balancer.coefficients(TaskStatistics(J @ J.T))
    assert balancer.flags()["sum_floored"]
    assert (J @ (a @ J)).min() > 0
    torch.testing.assert_close(a.abs().sum(), torch.tensor(10.0, dtype=F64))


def test_the_sum_of_coefficients_is_one() -> None:
    for J in independent(4, 20, seed=4):
        balancer = IMTLG(floor=1e-3)
        a = balancer.coefficients(TaskStatistics(J @ J.T))
        if not balancer.sum_floored:
            torch.testing.assert_close(a.sum(), torch.tensor(1.0, dtype=F64))


def test_weights_change_the_length_alone() -> None:
    weights = torch.tensor([1.0, 4.0, 0.5], dtype=F64)
    for J in independent(3, 20, seed=5):
        plain, weighted = coefficients(J) @ J, coefficients(J, weights) @ J
        torch.testing.assert_close(plain / plain.norm(), weighted / weighted.norm())
        rows = weights.unsqueeze(-1) * J
        torch.testing.assert_close(weighted, coefficients(rows) @ rows)


def test_a_task_of_weight_zero_is_left_out() -> None:
    J = torch.tensor([[1.0, 0.0], [-0.5, 3.0], [-4.0, -4.0]], dtype=F64)
    a = coefficients(J, torch.tensor([1.0, 1.0, 0.0], dtype=F64))
    torch.testing.assert_close(a[:2], coefficients(J[:2]))
    assert a[2] == 0


def test_blocks_are_solved_each_for_itself() -> None:
    G = torch.stack([J @ J.T for J in independent(3, 4, seed=6)])
    single = [IMTLG().coefficients(TaskStatistics(each)) for each in G]
    torch.testing.assert_close(IMTLG().coefficients(TaskStatistics(G)), torch.stack(single))


def test_a_gramian_of_nan_gives_nan_so_that_the_check_sees_it() -> None:
    for tasks in (2, 3, 9):
        G = torch.full((tasks, tasks), torch.nan, dtype=F64)
        assert IMTLG().coefficients(TaskStatistics(G)).isnan().all()


def test_a_bad_argument_is_an_error() -> None:
    with pytest.raises(ValueError, match="floor must be above 0 and at most 1, got 0"):
        IMTLG(floor=0.0)
