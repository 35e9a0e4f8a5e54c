"""Where conventions coincide, TorchJD's aggregators and ours give the same update."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

import gradtruce as gt
from gradtruce.gradients.balancer import Balancer, TaskStatistics

aggregation = pytest.importorskip("torchjd.aggregation")
linalg = pytest.importorskip("torchjd.linalg")
pytest.importorskip("cvxpy")
pytest.importorskip("quadprog")

tasks_2_to_6 = pytest.mark.parametrize("tasks", range(2, 7))


def independent(tasks: int, count: int = 20) -> Iterator[Tensor]:
    """Yield task gradients that conflict and do not depend on each other linearly."""
    generator = torch.Generator().manual_seed(tasks)
    for _ in range(count):
        J = torch.randn(tasks, tasks + 3, generator=generator, dtype=torch.float64)
        yield J * torch.exp(torch.randn(tasks, 1, generator=generator, dtype=torch.float64))


def ours(balancer: Balancer, J: Tensor) -> Tensor:
    balancer.bind([f"task {k}" for k in range(len(J))])
    return balancer.coefficients(TaskStatistics(J @ J.T)) @ J


def agree(found: Tensor, wanted: Tensor, tolerance: float) -> None:
    assert float((found - wanted).norm()) <= tolerance * float(wanted.norm())


@tasks_2_to_6
@pytest.mark.parametrize("radius", [0.2, 0.5, 1.5])
def test_cagrad(tasks: int, radius: float) -> None:
    for J in independent(tasks, 4):  # theirs has the mean's scale, and their solver a tolerance
        found = ours(gt.CAGrad(radius, rescale="none"), J)
        agree(found, tasks * aggregation.CAGrad(c=radius)(J), 1e-3)


def test_mgda_for_two_tasks() -> None:
    for J in independent(2):
        agree(ours(gt.MGDA(), J), aggregation.MGDA()(J), 1e-9)


@tasks_2_to_6
def test_mgda_is_what_theirs_converges_to(tasks: int) -> None:
    for J in independent(tasks, 2):
        nearest = ours(gt.MGDA(), J)
        agree(aggregation.MGDA(epsilon=1e-6, max_iters=2_000)(J), nearest, 3e-2)
        assert nearest.norm() <= aggregation.MGDA()(J).norm() * (1 + 1e-9)


@tasks_2_to_6
def test_upgrad_without_their_ridge(tasks: int) -> None:
    projector = linalg.QuadprogProjector(norm_eps=0.0, reg_eps=1e-12)
    for J in independent(tasks):  # theirs is the mean of the projections, ours their sum
        agree(ours(gt.UPGrad(), J), tasks * aggregation.UPGrad(projector=projector)(J), 1e-6)


@tasks_2_to_6
def test_imtlg_where_no_coefficients_cancel(tasks: int) -> None:
    balancer = gt.IMTLG()
    for J in independent(tasks):
        found = ours(balancer, J)
        if not balancer.flags()["sum_floored"]:
            agree(found, aggregation.IMTLG()(J), 1e-8)


@tasks_2_to_6
def test_config(tasks: int) -> None:
    for J in independent(tasks):
        agree(ours(gt.ConFIG(), J), aggregation.ConFIG()(J), 1e-8)


@tasks_2_to_6
@pytest.mark.parametrize("scale", ["min", "rmse", "median"])
def test_aligned_mtl(tasks: int, scale: str) -> None:
    for J in independent(tasks):  # theirs weighs the tasks 1/K by default, ours 1
        agree(
            ours(gt.AlignedMTL(scale), J), tasks * aggregation.AlignedMTL(scale_mode=scale)(J), 1e-8
        )
