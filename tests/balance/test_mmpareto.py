import pytest
import torch
from torch import Tensor

from gradtruce.balance.mmpareto import MMPareto
from gradtruce.gradients.balancer import TaskStatistics
from tests.laws.gramians import bank
from tests.reference.mmpareto import mmpareto as reference

F64 = torch.float64


def solve(J: Tensor, weights: Tensor | None = None, **options: object) -> tuple[Tensor, MMPareto]:
    balancer = MMPareto(**options)  # type: ignore[arg-type]
    return balancer.coefficients(TaskStatistics(J @ J.mT, weights=weights)), balancer


@pytest.mark.parametrize("tasks", [2, 3, 5, 9])
def test_it_agrees_with_the_paper_block_by_block(tasks: int) -> None:
    weights, compared = torch.linspace(0.5, 4.0, tasks, dtype=F64), 0
    for _, J in bank(tasks, 30, seed=tasks):
        wanted = reference((weights.unsqueeze(-1) * J).numpy(), 1.5)
        if wanted is None:
            continue
        found, h = solve(J.unsqueeze(0), weights)[0][0] @ J, torch.from_numpy(wanted)
        assert float((found - h).norm()) <= 1e-4 * float(h.norm())
        compared += 1
    assert compared >= 8


def test_without_conflict_the_update_is_the_sum_times_the_gain() -> None:
    J = torch.tensor([[[1.0, 0.2], [0.0, 3.0]]], dtype=F64)
    torch.testing.assert_close(solve(J)[0], torch.full((1, 2), 1.5, dtype=F64))


def test_a_conflict_worked_by_hand() -> None:
    # g1 = (2, 0), g2 = (−1, 1): the nearest point is g2 + x(g1 − g2) with x = 0.4, (0.2, 0.6)
    J = torch.tensor([[[2.0, 0.0], [-1.0, 1.0]]], dtype=F64)
    a, _ = solve(J, gain=2.0)
    h = 2 * torch.tensor([0.2, 0.6], dtype=F64)
    wanted = 2.0 * torch.tensor([1.0, 1.0], dtype=F64).norm() / h.norm() * h
    torch.testing.assert_close(a[0] @ J[0], wanted)


@pytest.mark.parametrize("tasks", [2, 3, 6, 12])
def test_the_length_of_the_sum_is_restored_and_no_task_gets_worse(tasks: int) -> None:
    for _, J in bank(tasks, 30, seed=5):
        a, balancer = solve(J.unsqueeze(0))
        if balancer.flags()["stationary"]:
            continue
        d = a[0] @ J
        assert d.norm().item() == pytest.approx(1.5 * J.sum(0).norm().item(), rel=1e-6)
        assert (J @ d >= -1e-6 * J.norm(dim=1) * d.norm()).all()


def test_tasks_that_do_not_reach_a_block_take_no_part_in_it() -> None:
    """The paper's model: two encoders, each with the joint loss and one of its own."""
    pair = torch.tensor([[2.0, 0.0], [-1.0, 1.0]], dtype=F64)
    J = torch.zeros(3, 3, 2, dtype=F64)
    J[0, [0, 1]], J[1, [0, 2]] = pair, pair
    J[2, 0] = torch.tensor([1.0, 1.0])  # the fusion module: the joint loss alone
    a, _ = solve(J)
    alone = solve(pair.unsqueeze(0))[0][0]
    torch.testing.assert_close(a[0, [0, 1]], alone)
    torch.testing.assert_close(a[1, [0, 2]], alone)
    assert a[2, 0] == 1.0
    assert a[0, 2] == a[1, 1] == 1.0


def test_the_length_is_restored_by_block_and_not_over_the_whole() -> None:
    J = torch.randn(4, 2, 5, dtype=F64, generator=torch.Generator().manual_seed(0))
    a, _ = solve(J)
    updates = (a.unsqueeze(-2) @ J).squeeze(-2)
    torch.testing.assert_close(updates.norm(dim=1), 1.5 * J.sum(1).norm(dim=1))


def test_opposite_gradients_leave_nothing_to_follow() -> None:
    J = torch.tensor([[[2.0, 0.0], [-1.0, 0.0]]], dtype=F64)
    a, balancer = solve(J)
    assert balancer.flags()["stationary"]
    assert (a[0] @ J[0]).norm() < 1e-12


def test_the_primary_task_meets_the_sum_of_the_others() -> None:
    J = torch.randn(2, 4, 6, dtype=F64, generator=torch.Generator().manual_seed(3))
    J[0, 0] = -J[0, 1:].sum(0) + 0.3 * J[0, 0]
    weights = torch.tensor([1.0, 4.0, 0.5, 2.0], dtype=F64)
    a, _ = solve(J, weights, grouping="primary")
    others = (weights[1:, None] * J[:, 1:]).sum(1)
    pair, _ = solve(torch.stack([J[:, 0], others], 1))
    wanted = (pair.unsqueeze(-2) @ torch.stack([J[:, 0], others], 1)).squeeze(-2)
    torch.testing.assert_close((a.unsqueeze(-2) @ J).squeeze(-2), wanted)


def test_parameters_outside_of_the_named_blocks_follow_the_plain_sum() -> None:
    J = torch.randn(3, 2, 5, dtype=F64, generator=torch.Generator().manual_seed(4))
    balancer = MMPareto(prefixes=("vision", "text"))
    assert balancer.blocks(["text.w", "vision.w", "head.w"]) == [1, 0, 2]
    weights = torch.tensor([1.0, 4.0], dtype=F64)
    a = balancer.coefficients(TaskStatistics(J @ J.mT, weights=weights))
    torch.testing.assert_close(a[2], weights)
    torch.testing.assert_close(a[:2], solve(J[:2], weights)[0])


def test_a_part_of_the_model_is_a_block() -> None:
    names = ["model.vision.conv.weight", "model.text.embedding.weight", "model.vision.norm.bias"]
    assert MMPareto().blocks(names) == [0, 1, 0]


@pytest.mark.parametrize("gain", [0.0, -1.0, float("inf")])
def test_the_gain_is_checked(gain: float) -> None:
    with pytest.raises(ValueError, match="gain must be above 0"):
        MMPareto(gain)


@pytest.mark.parametrize("grouping", ["pairs", ""])
def test_the_grouping_is_checked(grouping: str) -> None:
    with pytest.raises(ValueError, match="grouping must be one of tasks, primary"):
        MMPareto(grouping=grouping)


def test_prefixes_must_differ() -> None:
    with pytest.raises(ValueError, match="prefixes must differ"):
        MMPareto(prefixes=("a", "a"))
