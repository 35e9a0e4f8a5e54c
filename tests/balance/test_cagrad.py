import math

import numpy as np
import pytest
import torch
from torch import Tensor

from gradtruce.balance.cagrad import CAGrad
from gradtruce.balance.linear import Linear
from gradtruce.gradients.balancer import TaskStatistics
from tests.laws.gramians import bank
from tests.reference.cagrad import cagrad as reference

F64 = torch.float64


def update(J: Tensor, weights: Tensor | None = None, **options: object) -> Tensor:
    return CAGrad(**options).coefficients(TaskStatistics(J @ J.T, weights=weights)) @ J


def close(found: Tensor, wanted: Tensor, J: Tensor, tolerance: float = 1e-9) -> None:
    scale = max(float(wanted.norm()), 1e-3 * float(J.norm()))
    assert float((found - wanted).norm()) <= tolerance * scale


@pytest.mark.parametrize("tasks", [1, 2, 3, 5, 9])
def test_it_agrees_with_the_paper_in_its_own_notation(tasks: int) -> None:
    for place, (kind, J) in enumerate(bank(tasks, 12, seed=tasks)):
        if kind in ("tiny row", "nearly equal"):
            continue  # the reference resolves these less well than the closed form
        c = (0.2, 0.4, 0.9)[place % 3]
        wanted = reference(J.numpy(), c=c, divisor=1 + c**2)
        close(update(J, radius=c), torch.from_numpy(wanted), J, 1e-4)


def test_without_radius_it_is_linear_scalarization() -> None:
    weights = torch.tensor([1.0, 4.0, 0.5], dtype=F64)
    for _, J in bank(3, 20, seed=1):
        step = TaskStatistics(J @ J.T, weights=weights)
        close(update(J, weights, radius=0.0), Linear().coefficients(step) @ J, J)


@pytest.mark.parametrize("tasks", [2, 4, 9])
def test_the_direction_is_at_the_radius_from_the_mean(tasks: int) -> None:
    for _, J in bank(tasks, 20, seed=2):
        mean = J.mean(0)
        if mean.norm() < 1e-6 * J.norm():
            continue
        balancer = CAGrad(0.4, rescale="none")
        d = balancer.coefficients(TaskStatistics(J @ J.T)) @ J / tasks
        wanted = 0.0 if balancer.stationary else 0.4
        assert abs((d - mean).norm() / mean.norm() - wanted) < 1e-6


@pytest.mark.parametrize("tasks", [2, 4, 9])
def test_no_task_gets_worse_from_a_radius_of_one(tasks: int) -> None:
    for kind, J in bank(tasks, 30, seed=3):
        balancer = CAGrad(1.0)
        d = balancer.coefficients(TaskStatistics(J @ J.T)) @ J
        if not balancer.stationary:
            least = (J @ d / J.norm(dim=1)).min()
            assert least >= -1e-7 * max(float(d.norm()), 1e-3 * float(J.norm())), kind


def test_opposite_gradients_leave_the_mean_shortened_by_the_radius() -> None:
    J = torch.tensor([[1.0, 2.0], [-2.0, -4.0]], dtype=F64)
    close(update(J, radius=0.3, rescale="none"), 0.7 * J.sum(0), J)


@pytest.mark.parametrize("cosine", [-0.9, 0.0, 0.7, 1.0])
def test_two_gradients_of_one_norm_lengthen_the_mean_whatever_their_angle(cosine: float) -> None:
    J = torch.tensor([[1.0, 0.0], [cosine, math.sqrt(1 - cosine**2)]], dtype=F64)
    close(update(J, rescale="linear"), J.sum(0), J)
    close(update(J, rescale="none"), 1.4 * J.sum(0), J)
    close(update(J), 1.4 / 1.16 * J.sum(0), J)


@pytest.mark.parametrize("scale", [1e-10, 1e-4, 1e-2])
def test_small_gradients_are_solved_like_any_others(scale: float) -> None:
    # public codes return the mean's direction here, or zero
    J = torch.tensor([[1.0, 0.0], [-0.5, 3.0]], dtype=F64)
    close(update(scale * J) / scale, update(J), J)
    assert (update(scale * J) / scale - J.sum(0)).norm() > 0.1


def test_weights_equal_weighting_the_losses_beforehand() -> None:
    weights = torch.tensor([1.0, 4.0, 0.5], dtype=F64)
    for _, J in bank(3, 20, seed=4):
        close(update(J, weights), update(weights.unsqueeze(-1) * J), J, 1e-7)


def test_a_task_of_weight_zero_is_left_out() -> None:
    J = torch.tensor([[1.0, 0.0], [-0.5, 3.0], [-4.0, -4.0]], dtype=F64)
    weights = torch.tensor([1.0, 1.0, 0.0], dtype=F64)
    close(update(J, weights), update(J[:2]), J)


def test_a_stationary_mixture_falls_back_on_the_sum() -> None:
    J = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 3.0]], dtype=F64)
    balancer = CAGrad(0.5, rescale="none")
    a = balancer.coefficients(TaskStatistics(J @ J.T))
    assert balancer.flags()["stationary"]
    torch.testing.assert_close(a, torch.ones(3, dtype=F64))


def test_blocks_are_solved_each_for_itself() -> None:
    Js = [J for _, J in bank(3, 6, seed=5)]
    G = torch.stack([J @ J.T for J in Js])
    single = [CAGrad().coefficients(TaskStatistics(each)) for each in G]
    torch.testing.assert_close(CAGrad().coefficients(TaskStatistics(G)), torch.stack(single))


def test_a_gramian_of_nan_gives_nan_so_that_the_check_sees_it() -> None:
    for tasks in (2, 3, 9):
        G = torch.full((tasks, tasks), torch.nan, dtype=F64)
        assert CAGrad().coefficients(TaskStatistics(G)).isnan().all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"radius": -0.5}, "radius must be at least 0, got -0.5"),
        ({"radius": np.nan}, "radius must be at least 0, got nan"),
        ({"rescale": "cubic"}, "rescale must be one of none, linear, square, got 'cubic'"),
    ],
)
def test_a_bad_argument_is_an_error(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CAGrad(**options)
