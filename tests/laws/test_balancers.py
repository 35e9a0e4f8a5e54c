"""What the coefficients of every balancer must obey in a single step."""

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torch import Tensor

from gradtruce.gradients.balancer import Balancer
from tests.laws.balancers import (
    ORDERED,
    RANDOM,
    ROTATED,
    SCALE_FREE,
    Batch,
    Trial,
    agree,
    balancers,
    batch,
    every_balancer,
    few,
    jacobians,
    ones,
    update,
)
from tests.laws.gramians import task_gradients


@every_balancer
@few
@given(J=jacobians(scales=True))
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["fp64", "fp32"])
def test_coefficients_are_finite(kind: type[Balancer], dtype: torch.dtype, J: Tensor) -> None:
    a, _ = Trial(kind, len(J))(batch(J), dtype)
    assert a.shape == (len(J),)
    assert a.isfinite().all()


@balancers(lambda kind: kind.name not in RANDOM | ORDERED)
@few
@given(J=jacobians(largest=9), seed=st.integers(0, 99))
def test_the_order_of_tasks_does_not_matter(kind: type[Balancer], J: Tensor, seed: int) -> None:
    order = torch.randperm(len(J), generator=torch.Generator().manual_seed(seed))
    agree(update(kind, batch(J).order(order)), update(kind, batch(J)), J)


@balancers(lambda kind: kind.name in RANDOM)
def test_the_order_of_tasks_does_not_matter_in_the_mean(kind: type[Balancer]) -> None:
    J = task_gradients("plain", 3, 4, torch.Generator().manual_seed(5))
    order = torch.tensor([2, 0, 1])
    draws = [
        torch.stack([update(kind, each, seed=seed) for seed in range(start, start + 200)])
        for each, start in ((batch(J), 0), (batch(J).order(order), 1000))
    ]
    spread = torch.stack([each.var(0) / len(each) for each in draws]).sum(0).sqrt()
    assert ((draws[0].mean(0) - draws[1].mean(0)).abs() <= 5 * spread + 1e-12).all()


@every_balancer
@few
@given(J=jacobians(largest=9), power=st.integers(-10, 10))
def test_a_common_scale_of_the_gradients_has_the_stated_effect(
    kind: type[Balancer], J: Tensor, power: int
) -> None:
    scale = 10.0**power
    a, scaled = Trial(kind, len(J))(batch(J).times(scale))
    if kind.degree is None:
        assert a.isfinite().all()
    else:
        agree(scaled / scale ** (kind.degree + 1), update(kind, batch(J)), J)


@balancers(lambda kind: kind.name not in ROTATED)
@few
@given(J=jacobians(largest=9))
def test_a_rotation_of_the_parameters_changes_nothing(kind: type[Balancer], J: Tensor) -> None:
    Q = torch.linalg.qr(torch.randn(J.shape[1], J.shape[1], dtype=J.dtype)).Q
    agree(update(kind, batch(J @ Q)), update(kind, batch(J)) @ Q, J)


@every_balancer
@few
@given(J=jacobians(largest=8), place=st.integers(0, 8))
def test_an_inactive_task_changes_nothing_for_the_others(
    kind: type[Balancer], J: Tensor, place: int
) -> None:
    place = min(place, len(J))
    wider = batch(J).without(place)
    if kind.name in RANDOM:  # one more task takes one more number: compare two of its losses
        other = wider.losses.clone()
        other[place] = 123.0
        agree(update(kind, wider._replace(losses=other)), update(kind, wider), J)
        return
    agree(update(kind, wider), update(kind, batch(J)), J)


@balancers(lambda kind: kind.name not in RANDOM)
@pytest.mark.parametrize("smallest", [1.9e-7, 2.4e-7, 3e-7, 3.6e-7, 4.8e-7])
def test_nor_does_it_where_the_rank_is_in_doubt(kind: type[Balancer], smallest: float) -> None:
    """Thresholds that grow with the number of tasks count the active ones."""
    J = torch.tensor([[1.0, 0.0], [1.0, 0.0]], dtype=torch.float64)
    J[1, 1] = 2 * smallest**0.5  # the eigenvalues of the Gramian are near 2 and 2·smallest
    for place in (0, 2):
        agree(update(kind, batch(J).without(place)), update(kind, batch(J)), J)


@every_balancer
@few
@given(J=jacobians(largest=5), seed=st.integers(0, 99))
def test_no_number_of_an_inactive_task_matters(kind: type[Balancer], J: Tensor, seed: int) -> None:
    wider = batch(J).without(0)
    strange = wider._replace(losses=wider.losses.clone(), weights=wider.weights.clone())
    strange.losses[0], strange.weights[0] = 123.0, 0.01
    agree(update(kind, strange, seed=seed), update(kind, wider, seed=seed), J)


@every_balancer
@few
@given(scale=st.integers(-10, 10))
def test_one_task_keeps_its_direction(kind: type[Balancer], scale: int) -> None:
    J = 10.0**scale * torch.tensor([[3.0, -4.0]], dtype=torch.float64)
    found = update(kind, batch(J))
    assert torch.cosine_similarity(found / found.norm(), J[0] / J[0].norm(), dim=0) > 1 - 1e-9


@every_balancer
@pytest.mark.parametrize("tasks", [1, 2, 3, 9])
def test_gradients_of_zero_give_a_finite_update(kind: type[Balancer], tasks: int) -> None:
    a, _ = Trial(kind, tasks)(batch(torch.zeros(tasks, 2, dtype=torch.float64)))
    assert a.isfinite().all()


@balancers(lambda kind: kind.name not in ROTATED)
@pytest.mark.parametrize("tasks", [2, 3, 9, 16])
@pytest.mark.parametrize("share", [1.0, 0.3, 1e-3])
def test_opposite_gradients_give_no_more_than_their_sum_allows(
    kind: type[Balancer], tasks: int, share: float
) -> None:
    """All rows lie on a line, so the update does; and its coefficients stay finite."""
    line = torch.tensor([3.0, -4.0, 0.0], dtype=torch.float64)
    factors = torch.ones(tasks, 1, dtype=torch.float64)
    factors[1::2] = -share
    a, found = Trial(kind, tasks)(ones(factors * line))
    assert a.isfinite().all()
    across = torch.linalg.cross(found, line / 5)
    assert across.norm() <= 1e-9 * (1 + found.norm())


@every_balancer
@pytest.mark.parametrize("tasks", [2, 3, 8, 9, 16])
def test_tasks_with_the_same_gradient_are_followed(kind: type[Balancer], tasks: int) -> None:
    J = torch.tensor([[3.0, -4.0]], dtype=torch.float64).expand(tasks, 2).contiguous()
    found = update(kind, ones(J))
    assert torch.cosine_similarity(found, J[0], dim=0) > 1 - 1e-6


@balancers(lambda kind: kind.name not in ROTATED)
@pytest.mark.parametrize("tasks", [2, 3, 8, 9, 16])
def test_orthogonal_gradients_all_descend(kind: type[Balancer], tasks: int) -> None:
    generator = torch.Generator().manual_seed(tasks)
    J = task_gradients("orthogonal", tasks, tasks, generator)
    products = J @ update(kind, ones(J))
    assert (products >= -1e-9).all()
    assert (products > 0).any()


@balancers(lambda kind: "update⟩" in kind.guarantee)
@few
@given(J=jacobians(smallest=2, largest=9))
def test_the_stated_guarantee_of_descent_holds(kind: type[Balancer], J: Tensor) -> None:
    """⟨g_k, update⟩ ≥ 0, under the conditions that the guarantee names."""
    if "two tasks" in kind.guarantee:
        J = J[:2]
    if "independent" in kind.guarantee:
        J = J[: J.shape[1]]
        assume(torch.linalg.cond(J.T / J.norm(dim=1)) < 1e3)
    trial = Trial(kind, len(J))
    _, found = trial(ones(J))
    if "unless capped" in kind.guarantee:
        assume(not trial.balancer.flags()["capped"])
    assert (J @ found >= -1e-6 * J.norm(dim=1) * found.norm() - 1e-9 * J.norm() ** 2).all()


@balancers(lambda kind: kind.name in SCALE_FREE)
@few
@given(J=jacobians(smallest=2, largest=6), powers=st.lists(st.integers(-4, 4), min_size=6))
def test_the_scale_of_a_single_loss_does_not_turn_the_update(
    kind: type[Balancer], J: Tensor, powers: list[int]
) -> None:
    J = J[: J.shape[1]] / J[: J.shape[1]].norm(dim=1, keepdim=True)
    assume(torch.linalg.cond(J) < 1e3)
    factors = torch.tensor(powers[: len(J)]).double().exp().unsqueeze(-1)
    found, wanted = update(kind, ones(factors * J)), update(kind, ones(J))
    assert torch.cosine_similarity(found, wanted, dim=0) > 1 - 1e-6


@every_balancer
def test_float32_statistics_are_solved_too(kind: type[Balancer]) -> None:
    J = torch.randn(3, 5, dtype=torch.float64)
    rounded = Batch(
        *(each.float().double() if each.is_floating_point() else each for each in batch(J))
    )
    G = (J @ J.T).float()
    found = Trial(kind, 3).coefficients(G, rounded)
    wanted = Trial(kind, 3).coefficients(G.double(), rounded)
    torch.testing.assert_close(found.double(), wanted.double(), rtol=1e-5, atol=1e-6)


@balancers(lambda kind: kind.needs in {"norms", "gramian"} and kind.name not in RANDOM)
def test_blocks_are_solved_as_if_alone(kind: type[Balancer]) -> None:
    J = torch.randn(2, 3, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    given = ones(J[0])
    alone = [Trial(kind, 3).coefficients(each @ each.T, given) for each in J]
    both = Trial(kind, 3).coefficients(J @ J.mT, given)
    torch.testing.assert_close(both, torch.stack(alone))
