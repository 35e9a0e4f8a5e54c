import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gradtruce.analysis.stages import came_grad_stages, gramian_of
from gradtruce.balance import CAMEGrad
from gradtruce.gradients.balancer import TaskStatistics
from gradtruce.gradients.solvers.rectification import norm

WEIGHTS = torch.tensor([1.0, 4.0, 2.0], dtype=torch.float64)


def gramian(seed):
    rows = torch.randn(3, 6, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return rows @ rows.T


@given(st.integers(0, 200), st.booleans())
def test_the_last_stage_is_what_the_balancer_returns(seed, fold_weights):
    G = gramian(seed)
    options = {"radius": 0.3, "gain": 1.2, "fusion": 0.4, "fold_weights": fold_weights}
    balancer = CAMEGrad(**options)
    update = balancer.coefficients(TaskStatistics(G, weights=WEIGHTS))
    stages = came_grad_stages(G, WEIGHTS, options)
    expected = float(norm(G, update) / norm(G, WEIGHTS))
    assert stages["fused"].magnitude == pytest.approx(expected)
    if not bool(balancer.gain_capped):
        assert stages["enhanced"].magnitude == pytest.approx(1.2)


@given(st.integers(0, 200))
def test_enhancing_changes_the_length_alone(seed):
    stages = came_grad_stages(gramian(seed), WEIGHTS, {})
    assert stages["enhanced"].joint_cosine == pytest.approx(stages["rectified"].joint_cosine)
    assert stages["enhanced"].validity == pytest.approx(stages["rectified"].validity)


def test_the_gramian_comes_back_from_norms_and_cosines():
    G = gramian(1)
    norms = G.diagonal().sqrt()
    tasks = ["a", "b", "c"]
    cosines = {
        f"{tasks[i]}|{tasks[j]}": float(G[i, j] / (norms[i] * norms[j]))
        for i, j in ((0, 1), (0, 2), (1, 2))
    }
    found = gramian_of(dict(zip(tasks, norms.tolist(), strict=True)), cosines, tasks)
    torch.testing.assert_close(found, G)
