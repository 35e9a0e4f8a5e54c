import numpy as np
import pytest
import torch
from torch import Tensor

from gradtruce.balance.con_fig import ConFIG
from gradtruce.gradients.balancer import TaskStatistics
from tests.laws.gramians import bank
from tests.reference.con_fig import con_fig as reference

F64 = torch.float64


def update(J: Tensor, weights: Tensor | None = None) -> Tensor:
    return ConFIG().coefficients(TaskStatistics(J @ J.T, weights=weights)) @ J


@pytest.mark.parametrize("tasks", [1, 2, 3, 5, 9])
def test_it_agrees_with_the_pseudo_inverse_of_the_unit_gradients(tasks: int) -> None:
    weights, compared = torch.linspace(0.5, 4.0, tasks, dtype=F64), 0
    for kind, J in bank(tasks, 40, seed=tasks):
        unit = (J / J.norm(dim=1, keepdim=True)).numpy()
        wanted_cosines = unit @ np.linalg.pinv(unit) @ weights.numpy()
        if np.linalg.norm(wanted_cosines) < 1e-5:
            continue  # no direction comes near the cosines; tested below
        wanted = torch.from_numpy(reference(J.numpy(), weights.numpy()))
        scale = float(wanted.norm()) + 1e-3 * float(J.norm())
        assert float((update(J, weights) - wanted).norm()) <= 1e-5 * scale, kind
        compared += 1
    assert compared >= 15


@pytest.mark.parametrize("tasks", [2, 3, 6])
def test_cosines_are_equal_and_the_length_is_the_sum_of_projections(tasks: int) -> None:
    generator = torch.Generator().manual_seed(tasks)
    J = torch.randn(tasks, 20, dtype=F64, generator=generator) * torch.arange(1, tasks + 1)[:, None]
    d = update(J)
    cosines = J @ d / (J.norm(dim=1) * d.norm())
    torch.testing.assert_close(cosines, cosines[:1].expand(tasks))
    assert cosines[0] > 0
    torch.testing.assert_close(d.norm(), (J @ d).sum() / d.norm())


def test_cosines_are_in_the_ratio_of_the_weights() -> None:
    J = torch.randn(3, 20, dtype=F64, generator=torch.Generator().manual_seed(0))
    weights = torch.tensor([1.0, 2.0, 4.0], dtype=F64)
    d = update(J, weights)
    cosines = J @ d / (J.norm(dim=1) * d.norm())
    torch.testing.assert_close(cosines / cosines[0], weights)


def test_a_value_worked_by_hand() -> None:
    # unit gradients (1, 0) and (0, 1): direction (1, 1)/√2, length (1 + 2)/√2
    J = torch.tensor([[1.0, 0.0], [0.0, 2.0]], dtype=F64)
    torch.testing.assert_close(update(J), torch.tensor([1.5, 1.5], dtype=F64))


def test_opposite_gradients_have_no_direction() -> None:
    J = torch.tensor([[1.0, 2.0], [-2.0, -4.0]], dtype=F64)
    torch.testing.assert_close(update(J), torch.zeros(2, dtype=F64))


def test_the_scale_of_a_task_does_not_change_the_direction() -> None:
    J = torch.randn(4, 9, dtype=F64, generator=torch.Generator().manual_seed(0))
    scaled = torch.tensor([1e-6, 1.0, 1e5, 3.0], dtype=F64).unsqueeze(-1) * J
    assert torch.cosine_similarity(update(J), update(scaled), dim=0) > 1 - 1e-12


def test_a_gramian_that_is_not_finite_does_not_raise() -> None:
    G = torch.tensor([[1.0, torch.nan], [torch.nan, 1.0]], dtype=F64)
    assert ConFIG().coefficients(TaskStatistics(G)).isnan().any()
