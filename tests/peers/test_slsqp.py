"""CAGrad by SLSQP, as the authors' code and LibMTL have it, at the scales that training visits."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import gradtruce as gt
from benchmarks.peers import libmtl, official, slsqp_coefficients
from gradtruce.gradients.balancer import TaskStatistics

RADIUS = 0.5


def conflicting(tasks: int, count: int = 40) -> list[NDArray[np.float64]]:
    """Return Jacobians of rows of norm about 1, of which two at least conflict."""
    random, found = np.random.default_rng(tasks), []
    while len(found) < count:
        J = random.normal(size=(tasks, 10)) * np.exp(0.5 * random.normal(size=(tasks, 1)))
        J /= np.sqrt(10)
        if (J @ J.T).min() < -0.1:
            found.append(J)
    return found


def stuck(tasks: int, scale: float) -> int:
    """Count the problems of 40 in which the solver returns its start, the mean."""
    count = 0
    for J in conflicting(tasks):
        a = slsqp_coefficients((scale * J) @ (scale * J).T, RADIUS)
        exact = gt.CAGrad(RADIUS).coefficients(TaskStatistics(torch.tensor(J @ J.T)))
        is_uniform = np.ptp(a) < 1e-3 * a.max()
        count += bool(is_uniform and np.ptp(exact.numpy()) > 0.05 * float(exact.max()))
    return count


@pytest.mark.parametrize("tasks", [2, 3])
def test_small_gradients_leave_the_solver_at_its_start(tasks: int) -> None:
    """No conflict is resolved, and nothing says so."""
    counts = {scale: stuck(tasks, scale) for scale in (1.0, 1e-2, 1e-3)}
    assert counts[1.0] == 0
    assert counts[1e-2] >= 20
    assert counts[1e-3] >= 30


@pytest.mark.parametrize("tasks", [2, 3])
def test_where_the_solver_works_it_agrees_with_ours(tasks: int) -> None:
    for J in conflicting(tasks, 10):
        exact = gt.CAGrad(RADIUS).coefficients(TaskStatistics(torch.tensor(J @ J.T)))
        a = tasks * slsqp_coefficients(J @ J.T, RADIUS)
        assert np.linalg.norm((a - exact.numpy()) @ J) < 0.05 * np.linalg.norm(exact.numpy() @ J)


def test_both_ways_to_flatten_give_one_update() -> None:
    gradients = [[torch.randn(3, 2), torch.randn(4)] for _ in range(3)]
    flat = torch.stack([torch.cat([g.reshape(-1) for g in task]) for task in gradients]).double()
    wanted = torch.tensor(slsqp_coefficients((flat @ flat.T).numpy(), 0.4)) @ flat
    for way in (official, libmtl):
        torch.testing.assert_close(way(iter(gradients), 3).double(), wanted, rtol=1e-3, atol=1e-3)
