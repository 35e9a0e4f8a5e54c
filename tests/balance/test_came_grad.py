import math

import numpy as np
import pytest
import torch
from torch import Tensor

from gradtruce.balance.came_grad import CAMEGrad, enhance, fuse
from gradtruce.gradients.balancer import TaskStatistics
from gradtruce.gradients.solvers.rectification import norm, rectify, significant
from tests.laws.gramians import bank
from tests.reference.came_grad import came_grad as reference

F64 = torch.float64


def step_of(J: Tensor, weights: Tensor | None = None) -> TaskStatistics:
    return TaskStatistics(J @ J.T, weights=weights)


def update(J: Tensor, weights: Tensor | None = None, **options: float) -> Tensor:
    return CAMEGrad(**options).coefficients(step_of(J, weights)) @ J


def weights_of(tasks: int) -> Tensor:
    return torch.tensor([1.0, 4.0, 0.5, 0.1, 2.0, 1.0, 0.8, 0.2, 1.0, 3.0], dtype=F64)[:tasks]


def close(found: Tensor, wanted: Tensor, J: Tensor, tolerance: float = 1e-9) -> None:
    scale = max(float(wanted.norm()), 1e-3 * float(J.norm()))
    assert float((found - wanted).norm()) <= tolerance * scale


@pytest.mark.parametrize("tasks", [1, 2, 3, 5, 9])
def test_it_agrees_with_the_paper_in_its_own_notation(tasks: int) -> None:
    rows = [(0.2, 1.5, 0.1), (0.5, 1.5, 0.2), (0.1, 1.7, 0.8), (0.9, 1.0, 0.0)]
    for place, (kind, J) in enumerate(bank(tasks, 12, seed=tasks)):
        rho, kappa, nu = rows[place % len(rows)]
        found = update(J, weights_of(tasks), radius=rho, gain=kappa, fusion=nu)
        wanted = reference(
            J.numpy(), weights_of(tasks).numpy(), rho=rho, kappa=kappa, nu=nu, max_gain=10.0
        )
        if kind == "tiny row" or kind == "nearly equal":
            continue  # the reference resolves these less well than the closed form
        close(found, torch.from_numpy(np.asarray(wanted)), J, 1e-4)


def test_a_value_worked_by_hand() -> None:
    # g1 = (2, 0), g2 = (0, 1): g0 = (1, 1/2). With radius 0 stage 1 leaves g0; λ = 1, so
    # g_joint = 2·g0, stage 2 gives κ·2·g0, and stage 3 changes nothing.
    J = torch.tensor([[2.0, 0.0], [0.0, 1.0]], dtype=F64)
    found = update(J, radius=0.0, gain=1.5, fusion=0.3)
    torch.testing.assert_close(found, torch.tensor([3.0, 1.5], dtype=F64))


@pytest.mark.parametrize("tasks", [2, 3, 6, 9])
def test_the_norm_is_at_most_the_gain_times_the_joint_norm(tasks: int) -> None:
    for _, J in bank(tasks, 30, seed=1):
        joint = weights_of(tasks) @ J
        found = update(J, weights_of(tasks), radius=0.5, gain=1.5, fusion=0.2)
        assert found.norm() <= 1.5 * joint.norm() * (1 + 1e-9)


def test_enhancement_keeps_the_side_of_every_task() -> None:
    for _, J in bank(4, 30, seed=2):
        G = J @ J.T
        direction, _ = rectify(G, 0.5)
        enhanced, _ = enhance(direction, G, weights_of(4), gain=1.5, max_gain=10.0)
        before, after = G @ direction, G @ enhanced
        clear = before.abs() > 1e-9 * G.diagonal().max()
        assert torch.equal(before.sign()[clear], after.sign()[clear])


@pytest.mark.parametrize("radius", [0.1, 0.5, 0.9])
def test_rectification_leaves_the_mean_by_at_most_the_radius(radius: float) -> None:
    for _, J in bank(3, 30, seed=3):
        direction, stationary = rectify(J @ J.T, radius)
        d, mean = direction @ J, J.mean(0)
        if mean.norm() < 1e-6 * J.norm():
            continue
        distance = (d - mean).norm() / mean.norm()
        wanted = 0.0 if stationary else radius
        assert abs(distance - wanted) < 1e-6
        assert d @ mean / d.norm() / mean.norm() >= math.cos(math.asin(radius)) - 1e-6


def test_folded_weights_bound_angle_and_gain() -> None:
    radius, fusion = 0.5, 0.2
    largest = math.atan2((1 - fusion) * radius, (1 - fusion) * math.sqrt(1 - radius**2) + fusion)
    balancer = CAMEGrad(radius, 1.5, fusion, fold_weights=True)
    for _, J in bank(3, 30, seed=4):
        joint = weights_of(3) @ J
        if joint.norm() < 1e-5 * J.norm():
            continue
        found = balancer.coefficients(step_of(J, weights_of(3))) @ J
        angle = torch.acos((found @ joint / found.norm() / joint.norm()).clamp(-1, 1))
        assert angle <= largest + 1e-6
        assert not balancer.gain_capped


def test_opposite_gradients_leave_the_mean_shortened_by_the_radius() -> None:
    J = torch.tensor([[1.0, 2.0], [-2.0, -4.0]], dtype=F64)
    close(rectify(J @ J.T, 0.3)[0] @ J, 0.7 * J.mean(0), J)


def test_identical_gradients_lengthen_the_mean_by_the_radius() -> None:
    J = torch.tensor([[1.0, 2.0], [1.0, 2.0]], dtype=F64)
    close(rectify(J @ J.T, 0.3)[0] @ J, 1.3 * J[0], J)


@pytest.mark.parametrize("cosine", [-0.9, 0.0, 0.7])
def test_two_gradients_of_one_norm_lengthen_the_mean_whatever_their_angle(cosine: float) -> None:
    J = torch.tensor([[1.0, 0.0], [cosine, math.sqrt(1 - cosine**2)]], dtype=F64)
    close(rectify(J @ J.T, 0.4)[0] @ J, 1.4 * J.mean(0), J)


def test_a_duplicate_counts_as_a_heavier_mean() -> None:
    J = torch.tensor([[1.0, 0.2], [1.0, 0.2], [-0.5, 1.0]], dtype=F64)
    direction, _ = rectify(J @ J.T, 0.5)
    assert direction[0] == direction[1]


def test_no_conflict_resolution_and_equal_weights_is_the_joint_gradient() -> None:
    for _, J in bank(3, 10, seed=5):
        if J.mean(0).norm() > 1e-6 * J.norm():
            close(update(J, radius=0.0, gain=1.0, fusion=0.3), J.sum(0), J)


def test_fusion_of_one_is_the_gain_times_the_joint_gradient() -> None:
    for _, J in bank(3, 10, seed=6):
        close(update(J, weights_of(3), gain=1.7, fusion=1.0), 1.7 * weights_of(3) @ J, J)


def test_both_readings_agree_where_all_weights_are_one() -> None:
    for _, J in bank(4, 20, seed=7):
        folded = CAMEGrad(fold_weights=True).coefficients(step_of(J))
        torch.testing.assert_close(folded, CAMEGrad().coefficients(step_of(J)))


def test_folding_equals_weighting_the_losses_beforehand() -> None:
    for _, J in bank(3, 20, seed=8):
        weights = weights_of(3)
        folded = CAMEGrad(fold_weights=True).coefficients(step_of(J, weights)) @ J
        close(folded, update(weights.unsqueeze(-1) * J), J, 1e-7)


def test_a_smaller_inner_product_may_stay_negative_for_a_radius_below_one() -> None:
    J = torch.tensor([[10.0, 0.0], [-2.0, 0.1]], dtype=F64)
    assert J[1] @ (rectify(J @ J.T, 0.5)[0] @ J) < 0


def test_the_gain_is_capped_where_the_rows_nearly_cancel() -> None:
    J = torch.tensor([[1.0, 0.0], [-1.0, 1e-3]], dtype=F64)
    weights = torch.tensor([1.0, 4.0], dtype=F64)
    balancer = CAMEGrad(max_gain=10.0)
    direction = rectify(J @ J.T, 0.5)[0]
    enhanced, capped = enhance(direction, J @ J.T, weights, gain=1.5, max_gain=10.0)
    assert capped
    torch.testing.assert_close(enhanced, 1.5 * 10 * 5 * direction)
    balancer.coefficients(step_of(J, weights))
    assert balancer.flags()["gain_capped"]
    balancer.coefficients(step_of(torch.eye(2, dtype=F64), weights))
    assert not balancer.flags()["gain_capped"]


def test_rows_that_cancel_exactly_give_a_finite_update() -> None:
    J = torch.tensor([[1.0, 2.0], [-1.0, -2.0]], dtype=F64)
    for weights in (torch.ones(2, dtype=F64), torch.tensor([1.0, 4.0], dtype=F64)):
        found = update(J, weights, gain=1.5, fusion=0.2)
        close(found, 0.2 * 1.5 * weights @ J, J)


def test_a_stationary_mixture_falls_back_on_the_mean() -> None:
    # zero lies in the hull of the first two, and no mixture is far from the mean's half-space
    J = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 3.0]], dtype=F64)
    direction, stationary = rectify(J @ J.T, 0.5)
    assert stationary
    torch.testing.assert_close(direction, torch.full((3,), 1 / 3, dtype=F64))


def test_ablations_are_compositions() -> None:
    J = torch.randn(3, 5, dtype=F64)
    G, joint = J @ J.T, weights_of(3)
    mean = torch.full((3,), 1 / 3, dtype=F64)
    torch.testing.assert_close(rectify(G, 0.0)[0], mean)  # without stage 1
    without_2 = fuse(rectify(G, 0.5)[0], joint, 0.2)
    torch.testing.assert_close(without_2, 0.8 * rectify(G, 0.5)[0] + 0.2 * joint)
    enhanced, _ = enhance(rectify(G, 0.5)[0], G, joint, gain=1.5, max_gain=10.0)
    without_3 = CAMEGrad(0.5, 1.5, 0.0).coefficients(step_of(J, joint))
    torch.testing.assert_close(without_3, enhanced)
    torch.testing.assert_close(norm(G, enhanced), 1.5 * norm(G, joint))


def test_a_gramian_of_nan_gives_nan_so_that_the_check_sees_it() -> None:
    for tasks in (2, 3, 9):
        G = torch.full((tasks, tasks), torch.nan, dtype=F64)
        assert CAMEGrad().coefficients(TaskStatistics(G)).isnan().all()


def test_a_row_below_the_threshold_is_inactive() -> None:
    G = torch.diag(torch.tensor([1.0, 0.9e-24, 1.1e-24], dtype=F64))
    assert significant(G).tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"radius": -0.5}, "radius must be at least 0, got -0.5"),
        ({"radius": math.nan}, "radius must be at least 0, got nan"),
        ({"gain": 0.0}, "gain must be above 0, got 0.0"),
        ({"fusion": 1.2}, "fusion must be from 0 to 1, got 1.2"),
        ({"max_gain": -1.0}, "max_gain must be above 0, got -1.0"),
    ],
)
def test_a_bad_argument_is_an_error(options: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CAMEGrad(**options)
