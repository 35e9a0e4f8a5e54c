from itertools import product

import numpy as np
import pytest
import torch
from torch import Tensor

from gradtruce.balance.pcgrad import PCGrad, surgery
from gradtruce.balance.upgrad import UPGrad
from gradtruce.gradients.balancer import TaskStatistics
from tests.laws.gramians import bank
from tests.reference.pcgrad import pcgrad as reference

F64 = torch.float64


def random(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def orders_of(tasks: int, seed: int) -> Tensor:
    return torch.stack([torch.randperm(tasks, generator=random(seed + k)) for k in range(tasks)])


def everyone(tasks: int) -> Tensor:
    return torch.ones(tasks, dtype=torch.bool)


@pytest.mark.parametrize("tasks", [1, 2, 3, 5, 8, 16])
def test_the_algorithm_in_the_papers_notation_gives_the_same(tasks: int) -> None:
    for place, (kind, J) in enumerate(bank(tasks, 20, seed=tasks)):
        orders = orders_of(tasks, place)
        found = surgery(J @ J.T, orders, everyone(tasks)).sum(0) @ J
        wanted = torch.from_numpy(reference(J.numpy(), orders.numpy()))
        assert (found - wanted).norm() <= 1e-7 * (wanted.norm() + 1e-3 * J.norm()), kind


def test_a_value_worked_by_hand() -> None:
    # v_1 = g_1 + ¼·g_2 and v_2 = g_2 + 1·g_1
    J = torch.tensor([[1.0, 0.0], [-1.0, 3.0**0.5]], dtype=F64)
    a = PCGrad().coefficients(TaskStatistics(J @ J.T))
    torch.testing.assert_close(a, torch.tensor([2.0, 1.25], dtype=F64))


def fan() -> Tensor:
    """Return unit rows at 0°, 150° and 210°: the first, projected twice, opposes itself."""
    angles = torch.tensor([0.0, 5 / 6, 7 / 6], dtype=F64) * torch.pi
    return torch.stack([angles.cos(), angles.sin()], -1)


def test_no_gradient_is_projected_onto_itself() -> None:
    # some public codes do, which matters once others have turned v_i against g_i
    g, orders = fan().numpy(), np.array([[1, 2, 0], [0, 2, 1], [0, 1, 2]])
    found = surgery(fan() @ fan().T, torch.from_numpy(orders), everyone(3)).sum(0)
    np.testing.assert_allclose(found.numpy() @ g, reference(g, orders))
    assert np.abs(reference(g, orders) - reference(g, orders, onto_itself=True)).max() > 0.1


def test_two_tasks_need_no_seed_and_neither_gets_worse() -> None:
    for kind, J in bank(2, 40, seed=1):
        update = PCGrad().coefficients(TaskStatistics(J @ J.T)) @ J
        assert (J @ update).min() >= -1e-12 * J.norm().square(), kind


def test_two_tasks_make_it_upgrad() -> None:
    weights = torch.tensor([1.0, 4.0], dtype=F64)
    for _, J in bank(2, 40, seed=2):
        step = TaskStatistics(J @ J.T, weights=weights)
        found, wanted = (kind().coefficients(step) @ J for kind in (PCGrad, UPGrad))
        assert (found - wanted).norm() <= 1e-9 * J.norm()


def test_without_conflict_it_is_the_weighted_sum() -> None:
    weights = torch.tensor([1.0, 4.0, 0.5], dtype=F64)
    G = torch.tensor([[1.0, 0.2, 0.0], [0.2, 4.0, 0.1], [0.0, 0.1, 2.0]], dtype=F64)
    a = PCGrad().coefficients(TaskStatistics(G, weights=weights, generator=random(0)))
    torch.testing.assert_close(a, weights)


def test_weights_equal_weighting_the_losses_beforehand() -> None:
    weights = torch.tensor([1.0, 4.0, 0.5], dtype=F64)
    for place, (_, J) in enumerate(bank(3, 20, seed=3)):
        rows = weights.unsqueeze(-1) * J
        found = PCGrad().coefficients(
            TaskStatistics(J @ J.T, weights=weights, generator=random(place))
        )
        wanted = PCGrad().coefficients(TaskStatistics(rows @ rows.T, generator=random(place)))
        assert (found @ J - wanted @ rows).norm() <= 1e-8 * J.norm()


def test_the_same_seed_gives_the_same_orders() -> None:
    G = fan() @ fan().T
    found = [PCGrad().coefficients(TaskStatistics(G, generator=random(3))) for _ in range(2)]
    assert torch.equal(found[0], found[1])


def test_every_order_is_drawn_equally_often() -> None:
    G, generator = fan() @ fan().T, random(0)
    pairs = (([1, 2, 0], [2, 1, 0]), ([0, 2, 1], [2, 0, 1]), ([0, 1, 2], [1, 0, 2]))
    results = torch.stack(
        [surgery(G, torch.tensor(orders), everyone(3)).sum(0) for orders in product(*pairs)]
    )
    draws = torch.stack(
        [PCGrad().coefficients(TaskStatistics(G, generator=generator)) for _ in range(400)]
    )
    same = (draws.unsqueeze(1) - results).norm(dim=-1) < 1e-12
    assert same.any(1).all()  # nothing but these is ever drawn
    torch.testing.assert_close(draws.mean(0), results.mean(0), rtol=0, atol=0.1)


def test_a_task_of_weight_zero_is_left_out() -> None:
    J = torch.tensor([[1.0, 0.0], [-0.5, 3.0], [-4.0, -4.0]], dtype=F64)
    step = TaskStatistics(
        J @ J.T, weights=torch.tensor([1.0, 1.0, 0.0], dtype=F64), generator=random(0)
    )
    a = PCGrad().coefficients(step)
    torch.testing.assert_close(a[:2], PCGrad().coefficients(TaskStatistics(J[:2] @ J[:2].T)))
    assert a[2] == 0


def test_blocks_are_solved_each_for_itself() -> None:
    G = torch.stack([J @ J.T for _, J in bank(3, 6, seed=5)])
    single = [PCGrad().coefficients(TaskStatistics(each, generator=random(0))) for each in G]
    found = PCGrad().coefficients(TaskStatistics(G, generator=random(0)))
    torch.testing.assert_close(found, torch.stack(single))


def test_a_gramian_of_nan_gives_nan_so_that_the_check_sees_it() -> None:
    for tasks in (2, 3, 9):
        G = torch.full((tasks, tasks), torch.nan, dtype=F64)
        assert PCGrad().coefficients(TaskStatistics(G, generator=random(0))).isnan().all()


def test_three_tasks_without_a_seed_are_an_error() -> None:
    with pytest.raises(ValueError, match="seed="):
        PCGrad().coefficients(TaskStatistics(torch.eye(3)))
