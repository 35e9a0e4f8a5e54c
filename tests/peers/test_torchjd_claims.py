"""What our documentation says about TorchJD, shown on TorchJD 0.18."""

from inspect import signature

import pytest
import torch
from torch import Tensor

import gradtruce as gt
from gradtruce.gradients.balancer import Balancer, TaskStatistics

aggregation = pytest.importorskip("torchjd.aggregation")
pytest.importorskip("cvxpy")
pytest.importorskip("quadprog")

CONFLICT = torch.tensor([[1.0, 0.0], [-0.8, 0.6]], dtype=torch.float64)  # ‖J‖_F = √2


def ours(balancer: Balancer, J: Tensor) -> Tensor:
    return balancer.coefficients(TaskStatistics(J @ J.T)) @ J


def test_cagrad_gives_no_update_for_a_jacobian_of_norm_below_a_hundredth() -> None:
    """TorchJD compares the Gramian's trace with the absolute 1e-4."""
    large, small = 0.0071 * CONFLICT, 0.0070 * CONFLICT  # norms 0.01004 and 0.0099
    assert aggregation.CAGrad(c=0.5)(large).norm() > 0
    assert torch.equal(aggregation.CAGrad(c=0.5)(small), torch.zeros(2).double())


@pytest.mark.parametrize("scale", [1e-8, 1e-3, 1e3, 1e8])
def test_our_cagrad_is_the_same_at_every_scale(scale: float) -> None:
    for balancer in (gt.CAGrad(0.5), gt.CAMEGrad(), gt.UPGrad()):
        torch.testing.assert_close(
            ours(balancer, scale * CONFLICT) / scale, ours(balancer, CONFLICT)
        )


def test_upgrad_does_not_project_a_jacobian_of_norm_below_a_hundredth() -> None:
    """The same threshold: all that is left of the Gramian is its ridge, so the mean comes out."""
    J = torch.tensor([[1.0, 0.0], [-2.0, 0.1]], dtype=torch.float64)
    small = 1e-3 * J
    torch.testing.assert_close(aggregation.UPGrad()(small), small.mean(0))
    assert (J @ aggregation.UPGrad()(J) > -1e-3).all()
    assert float(small[0] @ aggregation.UPGrad()(small)) < 0  # the first task gets worse
    assert (small @ ours(gt.UPGrad(), small) >= -1e-12 * 1e-6).all()


def test_upgrad_misses_the_cone_by_its_ridge() -> None:
    J = torch.tensor([[0.0, 3.0], [3.0, 2.0], [-1.0, -1.0]], dtype=torch.float64)
    smallest = {
        "theirs": float((J @ aggregation.UPGrad()(J)).min()),
        "ours": float((J @ ours(gt.UPGrad(), J)).min()),
    }
    assert smallest["theirs"] < -5e-3
    assert smallest["ours"] > -1e-12


def test_mgda_stops_before_the_nearest_point() -> None:
    """A hundred steps of Frank-Wolfe, or a step below 1e-3, end the search."""
    generator = torch.Generator().manual_seed(0)
    excess = []
    for _ in range(20):
        J = torch.randn(6, 8, generator=generator, dtype=torch.float64)
        excess.append(float(aggregation.MGDA()(J).norm() / ours(gt.MGDA(), J).norm()))
    assert max(excess) > 1.01
    assert min(excess) > 1 - 1e-9


def test_imtlg_jumps_where_gradients_become_opposite() -> None:
    """The limit of equal projections is zero there; the pseudo-inverse gives something else."""
    near = torch.tensor([[1.0, 1e-5], [-2.0, 2e-5]], dtype=torch.float64)
    there = torch.tensor([[1.0, 0.0], [-2.0, 0.0]], dtype=torch.float64)
    assert aggregation.IMTLG()(near).norm() < 1e-4
    assert aggregation.IMTLG()(there).norm() > 0.1
    assert ours(gt.IMTLG(), near).norm() < 1e-4
    assert ours(gt.IMTLG(), there).norm() < 1e-12


def test_the_sums_of_ours_are_means_of_theirs() -> None:
    """Without conflict TorchJD's UPGrad and DualProj give the mean, ours the joint gradient."""
    J = torch.eye(3, dtype=torch.float64)
    for kind in ("UPGrad", "DualProj"):
        theirs = getattr(aggregation, kind)()(J)
        torch.testing.assert_close(theirs, J.mean(0), rtol=1e-3, atol=1e-3)
        torch.testing.assert_close(ours(getattr(gt, kind)(), J), J.sum(0))
    stationary = aggregation.CAGrad(c=0.0)(J)
    torch.testing.assert_close(stationary, J.mean(0), rtol=1e-4, atol=1e-4)


def test_the_defaults_of_theirs_that_we_name() -> None:
    scalarization = pytest.importorskip("torchjd.scalarization")
    assert signature(aggregation.GradVac).parameters["beta"].default == 0.5
    assert signature(scalarization.FAMO).parameters["weight_decay"].default == 1e-3
