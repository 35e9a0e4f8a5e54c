import pytest
import torch
from torch import Tensor

from gradtruce.balance.mgda import MGDA
from gradtruce.gradients.balancer import TaskStatistics
from tests.laws.gramians import bank
from tests.reference.mgda import mgda as reference

F64 = torch.float64


def losses_of(tasks: int) -> Tensor:
    return torch.linspace(0.2, 3.0, tasks, dtype=F64)


def coefficients(J: Tensor, weights: Tensor | None = None, **options: str) -> Tensor:
    step = TaskStatistics(J @ J.T, losses_of(len(J)), weights)
    return MGDA(**options).coefficients(step)


@pytest.mark.parametrize("normalise", ["none", "l2", "loss", "loss+"])
@pytest.mark.parametrize("tasks", [1, 2, 3, 5, 9, 16])
def test_it_agrees_with_the_reference(tasks: int, normalise: str) -> None:
    norms = {"none": 0, "loss": 0, "l2": 1, "loss+": 1}[normalise]
    for kind, J in bank(tasks, 20, seed=tasks):
        s = J.norm(dim=1) ** norms
        if normalise.startswith("loss"):
            s = s * losses_of(tasks)
        found = coefficients(J, normalise=normalise) @ J
        wanted = torch.from_numpy(reference(J.numpy(), s.numpy()))
        assert (found - wanted).norm() <= 1e-6 * (wanted.norm() + 1e-3 * J.norm()), kind


@pytest.mark.parametrize("tasks", [2, 3, 6, 9, 16])
def test_every_inner_product_is_at_least_the_square_of_the_norm(tasks: int) -> None:
    weights = torch.linspace(0.3, 4.0, tasks, dtype=F64)
    for kind, J in bank(tasks, 30, seed=1):
        rows = weights.unsqueeze(-1) * J
        update = coefficients(J, weights) @ J
        slack = 1e-12 * rows.norm(dim=1).max().square()
        assert (rows @ update).min() >= update @ update - slack, kind


@pytest.mark.parametrize("normalise", ["l2", "loss", "loss+"])
def test_no_task_gets_worse_with_a_normaliser(normalise: str) -> None:
    for tasks in (2, 4, 9):
        for kind, J in bank(tasks, 20, seed=2):
            update = coefficients(J, normalise=normalise) @ J
            slack = 1e-9 * max(float(update.norm()), 1e-3 * float(J.norm()))
            assert (J @ update / J.norm(dim=1)).min() >= -slack, kind


@pytest.mark.parametrize("tasks", [2, 3, 9])
def test_the_update_is_a_convex_combination_of_the_weighted_gradients(tasks: int) -> None:
    weights = torch.linspace(0.3, 4.0, tasks, dtype=F64)
    for normalise in ("none", "l2", "loss", "loss+"):
        for _, J in bank(tasks, 10, seed=3):
            shares = coefficients(J, weights, normalise=normalise) / weights
            assert (shares >= 0).all()
            torch.testing.assert_close(shares.sum(), torch.tensor(1.0, dtype=F64))


def test_two_tasks_have_the_closed_form() -> None:
    for _, J in bank(2, 40, seed=4):
        if (J[0] - J[1]).norm() < 1e-9 * J.norm():
            continue
        x = ((J[1] - J[0]) @ J[1] / (J[1] - J[0]).square().sum()).clamp(0, 1)
        torch.testing.assert_close(coefficients(J)[0], x, rtol=1e-6, atol=1e-9)


def test_weights_are_not_clamped_away_from_zero() -> None:
    J = torch.tensor([[1.0, 0.0], [5.0, 1.0]], dtype=F64)
    torch.testing.assert_close(coefficients(J), torch.tensor([1.0, 0.0], dtype=F64))


@pytest.mark.parametrize("tasks", [2, 3, 9])
def test_a_stationary_point_gives_no_update(tasks: int) -> None:
    J = torch.randn(tasks, 4, dtype=F64, generator=torch.Generator().manual_seed(0))
    J = J - J.mean(0)
    assert (coefficients(J) @ J).norm() < 1e-7 * J.norm()


def test_equal_rows_share() -> None:
    J = torch.tensor([[1.0, 0.2], [1.0, 0.2], [-0.5, 1.0]], dtype=F64)
    a = coefficients(J)
    assert a[0] == a[1]


def test_the_norm_as_normaliser_treats_all_scales_alike() -> None:
    J = torch.tensor([[1.0, 0.2], [-0.5, 1.0], [0.3, 0.4]], dtype=F64)
    scale = torch.tensor([[1.0], [100.0], [0.01]], dtype=F64)
    plain, scaled = (coefficients(rows, normalise="l2") @ rows for rows in (J, scale * J))
    torch.testing.assert_close(plain / plain.norm(), scaled / scaled.norm())


def test_weights_scale_the_rows() -> None:
    weights = torch.tensor([1.0, 4.0, 0.5], dtype=F64)
    for _, J in bank(3, 10, seed=5):
        rows = weights.unsqueeze(-1) * J
        torch.testing.assert_close(coefficients(J, weights) @ J, coefficients(rows) @ rows)


def test_a_task_of_weight_zero_is_left_out() -> None:
    J = torch.tensor([[1.0, 0.0], [-0.5, 3.0], [-4.0, -4.0]], dtype=F64)
    a = coefficients(J, torch.tensor([1.0, 1.0, 0.0], dtype=F64))
    torch.testing.assert_close(a[:2], coefficients(J[:2]))
    assert a[2] == 0


def test_a_gramian_of_nan_gives_nan_so_that_the_check_sees_it() -> None:
    for tasks in (2, 3, 9):
        G = torch.full((tasks, tasks), torch.nan, dtype=F64)
        assert MGDA().coefficients(TaskStatistics(G)).isnan().all()


def test_a_loss_that_is_not_known_is_not_silent() -> None:
    a = MGDA(normalise="loss").coefficients(TaskStatistics(torch.eye(2, dtype=F64)))
    assert a.isnan().all()


def test_a_loss_of_zero_gives_a_finite_update() -> None:
    losses = torch.tensor([0.0, 1.0], dtype=F64)
    for normalise in ("loss", "loss+"):
        step = TaskStatistics(torch.eye(2, dtype=F64), losses)
        assert MGDA(normalise=normalise).coefficients(step).isfinite().all()


def test_a_bad_argument_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"normalise must be one of none, l2, .* got 'l1'"):
        MGDA(normalise="l1")
