import numpy as np
import pytest
import torch
from torch import Tensor

from gradtruce.gradients.solvers.faces import NOISE
from gradtruce.gradients.solvers.simplex import dual_weights
from tests.laws.gramians import bank
from tests.reference.came_grad import dual_objective, solve_dual

RADII = (0.1, 0.5, 0.9)


def solve(G: Tensor, radius: float, active: Tensor | None = None) -> Tensor:
    everyone = torch.ones(len(G), dtype=torch.bool) if active is None else active
    return dual_weights(G, everyone / everyone.sum().to(G), radius, everyone)


def relative_gap(G: Tensor, radius: float, w: Tensor) -> float | None:
    """Return (wᵀq − min q)/(max n·‖d‖), or None where ‖g_w‖ is noise; a bound on F(w) − F*.

    It holds √(wᵀGw), whose rounding grows as the root goes to zero: such gaps are scaled down.
    """
    p = torch.full((len(G),), 1 / len(G), dtype=torch.float64)
    s = radius * (p @ G @ p).clamp_min(0).sqrt()
    norm, largest = (w @ G @ w).clamp_min(0).sqrt(), G.diagonal().max().sqrt()
    if norm <= NOISE * largest:
        return None
    a = p + s / norm * w
    q, d = G @ a, (a @ G @ a).clamp_min(0).sqrt()
    trust = (1e3 * norm / largest).square().clamp_max(1.0)
    return float(trust * (w @ q - q.min()) / (largest * d).clamp_min(1e-6 * largest**2))


def optimality(tasks: int, count: int, seed: int) -> tuple[float, int, int]:
    """Return the worst gap over the bank, how many were solved, and how many were stationary."""
    worst, solved, stationary = 0.0, 0, 0
    for place, (kind, J) in enumerate(bank(tasks, count, seed)):
        radius, G = RADII[place % len(RADII)], J @ J.T
        w = solve(G, radius)
        assert (w >= 0).all(), kind
        assert abs(w.sum() - 1) < 1e-12, kind
        gap = relative_gap(G, radius, w)
        if gap is None:
            stationary += 1
            check_stationary(J, radius)
        else:
            solved, worst = solved + 1, max(worst, gap)
    return worst, solved, stationary


def check_stationary(J: Tensor, radius: float) -> None:
    """Require that no mixture has a dual value clearly below that of the zero vector, 0."""
    g = (J / J.norm(dim=1).max()).numpy()
    phi = radius**2 * float(g.mean(0) @ g.mean(0))
    best = dual_objective(solve_dual(g, g.mean(0), phi), g, g.mean(0), phi)
    assert best > -1e-5 * np.sqrt(phi) - 1e-12


@pytest.mark.parametrize("tasks", [2, 3, 4, 5, 6, 7, 8])
def test_the_optimality_condition_holds(tasks: int) -> None:
    worst, solved, _ = optimality(tasks, 40, seed=tasks)
    assert worst < 2e-10
    assert solved > 20


@pytest.mark.parametrize("tasks", [9, 12, 16])
def test_the_optimality_condition_holds_for_many_tasks(tasks: int) -> None:
    worst, solved, _ = optimality(tasks, 10, seed=tasks)
    assert worst < 2e-10
    assert solved > 4


@pytest.mark.slow
@pytest.mark.parametrize("tasks", [2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 16])
def test_the_optimality_condition_holds_on_thousands(tasks: int) -> None:
    worst, _, _ = optimality(tasks, 1500 if tasks <= 8 else 150, seed=100 + tasks)
    assert worst < 2e-10


@pytest.mark.parametrize("tasks", [2, 3, 5, 9])
def test_no_other_solver_finds_a_lower_value(tasks: int) -> None:
    for place, (kind, J) in enumerate(bank(tasks, 10, seed=7)):
        g = (J / J.norm(dim=1).max()).numpy()
        radius = RADII[place % len(RADII)]
        phi = radius**2 * float(g.mean(0) @ g.mean(0))
        mine = solve(torch.from_numpy(g @ g.T), radius).numpy()
        other = solve_dual(g, g.mean(0), phi, iterations=200)
        value = [dual_objective(w, g, g.mean(0), phi) for w in (mine, other)]
        assert value[0] <= value[1] + 1e-9, kind


def grid_optimum(G: Tensor, radius: float, points: int) -> float:
    x = torch.linspace(0, 1, points, dtype=torch.float64)
    if len(G) == 2:
        w = torch.stack([x, 1 - x], -1)
    else:
        w = torch.cartesian_prod(x, x)
        w = torch.cat([w, 1 - w.sum(-1, keepdim=True)], -1)
        w = w[w[:, 2] >= -1e-12]
    p = torch.full((len(G),), 1 / len(G), dtype=torch.float64)
    s = radius * (p @ G @ p).clamp_min(0).sqrt()
    return float((w @ (G @ p) + s * ((w @ G) * w).sum(-1).clamp_min(0).sqrt()).min())


@pytest.mark.parametrize(("tasks", "points"), [(2, 4001), (3, 201)])
def test_no_point_of_a_dense_grid_is_better(tasks: int, points: int) -> None:
    p = torch.full((tasks,), 1 / tasks, dtype=torch.float64)
    for place, (kind, J) in enumerate(bank(tasks, 50, seed=9)):
        G, radius = J @ J.T, (*RADII, 1.0, 1.5)[place % 5]
        w = solve(G, radius)
        s = radius * (p @ G @ p).clamp_min(0).sqrt()
        value = float(w @ G @ p + s * (w @ G @ w).clamp_min(0).sqrt())
        assert value <= grid_optimum(G, radius, points) + 1e-7 * float(G.diagonal().max()), kind


@pytest.mark.parametrize("tasks", [2, 4, 8, 12])
@pytest.mark.parametrize("scale", [1e-20, 1e-12, 1e12, 1e20])
def test_the_scale_of_the_gramian_does_not_matter(tasks: int, scale: float) -> None:
    for _, J in bank(tasks, 10, seed=3):
        G = J @ J.T
        torch.testing.assert_close(solve(scale * G, 0.5), solve(G, 0.5), rtol=1e-6, atol=1e-7)


def test_a_worked_example() -> None:
    # g1 = (1, 0), g2 = (0, 1), radius 0.5: by symmetry both weigh the same
    torch.testing.assert_close(
        solve(torch.eye(2, dtype=torch.float64), 0.5), torch.full((2,), 0.5, dtype=torch.float64)
    )


@pytest.mark.parametrize("tasks", [2, 3, 8, 10])
def test_inactive_tasks_get_no_weight_and_change_nothing(tasks: int) -> None:
    for _, J in bank(tasks, 10, seed=5):
        G = J @ J.T
        wanted = solve(G, 0.5)
        larger = torch.zeros(tasks + 2, tasks + 2, dtype=torch.float64)
        places = torch.arange(tasks) + 1
        larger[places[:, None], places] = G
        active = torch.zeros(tasks + 2, dtype=torch.bool)
        active[places] = True
        found = solve(larger, 0.5, active)
        assert not found[~active].any()
        torch.testing.assert_close(found[places] @ G, wanted @ G, rtol=1e-6, atol=1e-9)


def test_equal_rows_share_their_weight() -> None:
    J = torch.tensor([[1.0, 0], [-0.6, 0.8], [1.0, 0], [1.0, 0]], dtype=torch.float64)
    w = solve(J @ J.T, 0.9)
    assert w[0] == w[2] == w[3]


def test_blocks_are_solved_independently() -> None:
    for tasks in (1, 2, 3, 9):
        stack = torch.stack([J @ J.T for _, J in bank(tasks, 6, seed=11)])
        everyone = torch.ones(tasks, dtype=torch.bool)
        mean = torch.full((tasks,), 1 / tasks, dtype=torch.float64)
        together = dual_weights(stack, mean, 0.5, everyone)
        alone = torch.stack([dual_weights(G, mean, 0.5, everyone) for G in stack])
        torch.testing.assert_close(together, alone, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("tasks", [2, 3, 9])
def test_nan_goes_through_or_stops_but_never_hangs(tasks: int) -> None:
    G = torch.full((tasks, tasks), torch.nan, dtype=torch.float64)
    assert solve(G, 0.5).shape == (tasks,)


@pytest.mark.parametrize("tasks", [2, 3, 9])
def test_without_an_active_task_there_is_no_weight(tasks: int) -> None:
    nobody = torch.zeros(tasks, dtype=torch.bool)
    G = torch.eye(tasks, dtype=torch.float64)
    assert not dual_weights(G, torch.zeros(tasks), 0.5, nobody).any()
