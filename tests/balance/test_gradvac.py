import pytest
import torch
from torch import Tensor

from gradtruce.balance.gradvac import GradVac, vaccinate
from gradtruce.gradients.balancer import TaskStatistics
from tests.laws.gramians import bank
from tests.reference.gradvac import GradVac as Reference
from tests.reference.gradvac import pcgrad

F64 = torch.float64


def orders_of(tasks: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(tasks, tasks, dtype=F64, generator=generator).argsort(-1)


def bound(tasks: int, decay: float = 0.01, **options: tuple[str, ...]) -> GradVac:
    balancer = GradVac(decay, **options)
    balancer.bind([f"task {k}" for k in range(tasks)])
    return balancer


@pytest.mark.parametrize("tasks", [1, 2, 3, 5, 9])
@pytest.mark.parametrize("decay", [0.01, 0.5])
def test_it_agrees_with_the_paper_in_its_own_loops(tasks: int, decay: float) -> None:
    balancer, reference = bound(tasks, decay), Reference(tasks, decay)
    weights = torch.linspace(0.5, 4.0, tasks, dtype=F64)
    generator = torch.Generator().manual_seed(7)
    for kind, J in bank(tasks, 40, seed=tasks):
        if kind not in {"plain", "uneven", "cancelling"} or J.shape[1] < 2:
            continue  # with gradients on a line some v_i vanish, and the paper divides by zero
        order = orders_of(tasks, int(generator.initial_seed()))
        step = TaskStatistics(J @ J.T, weights=weights, generator=torch.Generator().manual_seed(7))
        found = balancer.coefficients(step) @ J
        changed = reference(J.numpy(), order.tolist())
        wanted = torch.from_numpy(sum(w * v for w, v in zip(weights.numpy(), changed, strict=True)))
        torch.testing.assert_close(found, wanted, rtol=1e-7, atol=1e-7)
        wanted_targets = torch.from_numpy(reference.target)
        torch.testing.assert_close(balancer.targets[0], wanted_targets, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("tasks", [2, 3, 6])
def test_targets_of_zero_are_pcgrad(tasks: int) -> None:
    J = torch.randn(tasks, 4, dtype=F64, generator=torch.Generator().manual_seed(tasks))
    orders = orders_of(tasks, 3)
    everyone, targets = torch.ones(tasks, dtype=torch.bool), torch.zeros(tasks, tasks, dtype=F64)
    rows, _ = vaccinate(J @ J.T, targets, orders, everyone)
    wanted = torch.stack([torch.from_numpy(v) for v in pcgrad(J.numpy(), orders.tolist())])
    torch.testing.assert_close(rows @ J, wanted)


def test_the_cosine_aimed_at_is_reached() -> None:
    J = torch.randn(2, 6, dtype=F64, generator=torch.Generator().manual_seed(1))
    targets = torch.full((2, 2), 0.7, dtype=F64)
    everyone = torch.tensor([True, True])
    rows, _ = vaccinate(J @ J.T, targets, torch.tensor([[0, 1], [1, 0]]), everyone)
    v = rows @ J
    for i, j in ((0, 1), (1, 0)):
        assert torch.cosine_similarity(v[i], J[j], dim=0).item() == pytest.approx(0.7)


def test_each_block_has_targets_of_its_own() -> None:
    J = torch.randn(2, 3, 5, dtype=F64, generator=torch.Generator().manual_seed(2))
    both = bound(3, 0.5, prefixes=("encoder",))
    names = ["encoder.weight", "head.weight"]
    assert both.blocks(names) == [0, 1]
    alone = [bound(3, 0.5), bound(3, 0.5)]
    for seed in range(4):
        generators = [torch.Generator().manual_seed(seed) for _ in range(3)]
        found = both.coefficients(TaskStatistics(J @ J.mT, generator=generators[0]))
        wanted = [
            balancer.coefficients(TaskStatistics(rows @ rows.T, generator=generator))
            for balancer, rows, generator in zip(alone, J, generators[1:], strict=True)
        ]
        torch.testing.assert_close(found, torch.stack(wanted))


def test_blocks_without_a_rest_leave_its_targets_alone() -> None:
    balancer = bound(2, 0.5, prefixes=("encoder",))
    balancer.coefficients(TaskStatistics(torch.eye(2, dtype=F64).unsqueeze(0) + 0.5))
    assert (balancer.targets[0] != 0).any()
    assert not balancer.targets[1].any()


def test_a_pair_with_an_inactive_task_keeps_its_target() -> None:
    balancer = bound(3, 0.5)
    balancer.targets.fill_(0.25)
    G = torch.eye(3, dtype=F64) + 0.5
    active = torch.tensor([True, True, False])
    G[2], G[:, 2] = 0, 0
    generator = torch.Generator().manual_seed(0)
    balancer.coefficients(TaskStatistics(G, active=active, generator=generator))
    assert (balancer.targets[0, 2] == 0.25).all()
    assert (balancer.targets[0, :, 2] == 0.25).all()
    assert balancer.targets[0, 0, 1] == pytest.approx(0.125 + 0.5 * 0.5 / 1.5)


def test_numbers_that_are_not_finite_do_not_reach_the_targets() -> None:
    balancer = bound(2)
    balancer.coefficients(TaskStatistics(torch.full((2, 2), torch.nan, dtype=F64)))
    assert not balancer.targets.any()


def test_opposite_gradients_vanish() -> None:
    J = torch.tensor([[1.0, 0.0], [-2.0, 0.0]], dtype=F64)
    found = bound(2).coefficients(TaskStatistics(J @ J.T)) @ J
    torch.testing.assert_close(found, torch.zeros(2, dtype=F64))


def test_a_target_of_one_has_no_pole() -> None:
    balancer = bound(2)
    balancer.targets.fill_(1.0)
    a = balancer.coefficients(TaskStatistics(torch.eye(2, dtype=F64)))
    assert a.isfinite().all()
    assert a.max() < 30


def test_a_prefix_that_names_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="none begins with 'encodr'; their names begin with enc"):
        bound(2, prefixes=("encodr",)).blocks(["encoder.weight"])


@pytest.mark.parametrize("decay", [0.0, 1.1])
def test_the_decay_is_checked(decay: float) -> None:
    with pytest.raises(ValueError, match="decay must be above 0 and at most 1"):
        GradVac(decay)


def test_prefixes_must_differ() -> None:
    with pytest.raises(ValueError, match="prefixes must differ"):
        GradVac(prefixes=("a", "a"))
