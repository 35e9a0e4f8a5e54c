import pytest
import torch
from torch import Tensor

from gradtruce.gradients.solvers.cone import cone_coefficients
from tests.laws.gramians import bank


def violation(J: Tensor, targets: Tensor) -> float:
    """Return by how much the optimality conditions of the projections are missed."""
    tasks = len(J)
    v = cone_coefficients(J @ J.T, targets, torch.ones(tasks, dtype=torch.bool))
    assert (v >= targets * (1 - 1e-12)).all()
    norms = J.norm(dim=1)
    size = (targets * norms).amax(-1).clamp_min(1e-300)
    d, wanted = v @ J, targets @ J
    outside = (-(d @ J.T) / norms).amax(-1) / size
    askew = (d * (wanted - d)).sum(-1).abs() / size.square()
    return float(torch.maximum(outside, askew).max())


def targets_of(tasks: int) -> Tensor:
    return torch.cat([torch.eye(tasks), torch.linspace(0.1, 3, tasks).unsqueeze(0)]).double()


@pytest.mark.parametrize("tasks", [1, 2, 3, 4, 6, 8, 9, 12, 16])
def test_the_optimality_conditions_hold(tasks: int) -> None:
    for kind, J in bank(tasks, 20, seed=tasks):
        assert violation(J, targets_of(tasks)) < 1e-9, kind


@pytest.mark.slow
@pytest.mark.parametrize("tasks", [2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 16])
def test_the_optimality_conditions_hold_on_thousands(tasks: int) -> None:
    for kind, J in bank(tasks, 1500 if tasks <= 8 else 150, seed=100 + tasks):
        assert violation(J, targets_of(tasks)) < 1e-9, kind


@pytest.mark.parametrize("tasks", [2, 3, 9])
def test_inactive_tasks_constrain_nothing(tasks: int) -> None:
    for _, J in bank(tasks, 10, seed=1):
        wanted = cone_coefficients(
            J @ J.T, torch.eye(tasks).double(), torch.ones(tasks, dtype=torch.bool)
        )
        more = torch.cat([J, -J.sum(0, keepdim=True)])
        active = torch.ones(tasks + 1, dtype=torch.bool)
        active[-1] = False
        found = cone_coefficients(more @ more.T, torch.eye(tasks + 1).double(), active)
        assert (found[-1] == 0).all()
        assert (found[:, -1] == 0).all()
        assert ((found[:-1, :-1] - wanted) @ J).norm() <= 1e-8 * J.norm()


def test_the_scale_of_a_row_changes_no_projection() -> None:
    J = torch.tensor([[1.0, 0.0], [-1.0, 0.2], [-1.0, -5.0]], dtype=torch.float64)
    scale = torch.tensor([1.0, 1e-9, 1e6], dtype=torch.float64)
    active = torch.ones(3, dtype=torch.bool)
    rows = scale.unsqueeze(-1) * J
    plain = cone_coefficients(J @ J.T, torch.eye(3).double(), active) @ J
    scaled = cone_coefficients(rows @ rows.T, torch.diag(1 / scale), active) @ rows
    torch.testing.assert_close(plain, scaled)


def test_a_target_of_zero_stays_zero() -> None:
    active = torch.ones(3, dtype=torch.bool)
    v = cone_coefficients(torch.eye(3).double(), torch.zeros(1, 3).double(), active)
    assert (v == 0).all()


def test_a_nearly_singular_support_never_wins_by_rounding() -> None:
    generator = torch.Generator().manual_seed(3)
    for kind, J in bank(8, 200, seed=85):
        if kind not in ("opposite", "duplicate"):
            continue
        order = torch.randperm(8, generator=generator)
        active = torch.ones(8, dtype=torch.bool)
        found, wanted = (
            cone_coefficients(rows @ rows.T, torch.eye(8).double(), active).sum(0) @ rows
            for rows in (J[order], J)
        )
        assert (found - wanted).norm() <= 1e-6 * J.norm()
