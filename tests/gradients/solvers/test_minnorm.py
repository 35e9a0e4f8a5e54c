import pytest
import torch

from gradtruce.gradients.solvers.faces import all_faces, best_of_faces
from gradtruce.gradients.solvers.minnorm import nearest_points_optimum
from tests.laws.gramians import bank


@pytest.mark.parametrize("tasks", [2, 3, 5, 7])
def test_shifted_min_norm_points_agree_with_the_enumeration_of_faces(tasks: int) -> None:
    everyone = torch.ones(tasks, dtype=torch.bool)
    for kind, J in bank(tasks, 30, seed=13):
        J = J[J.norm(dim=1).argsort()] / J.norm(dim=1).max()
        G = J @ J.T
        b = G.mean(1)
        s = 0.5 * b.mean().clamp_min(0).sqrt()
        found = nearest_points_optimum(G, b, s, everyone)
        wanted = best_of_faces(G, b, s, everyone, all_faces(tasks, G.device))
        torch.testing.assert_close(found @ J, wanted @ J, rtol=0, atol=1e-6, msg=kind)


def test_a_radius_of_zero_leaves_the_linear_problem() -> None:
    J = torch.tensor([[1.0, 0.0], [0.0, 2.0]], dtype=torch.float64)
    G = J @ J.T
    w = nearest_points_optimum(G, G.mean(1), torch.zeros((), dtype=G.dtype), torch.ones(2).bool())
    assert w.tolist() == [1, 0]
