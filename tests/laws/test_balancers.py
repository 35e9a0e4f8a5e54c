"""What every balancer of the package must obey."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import gradtruce.balance  # fills the list of known balancers
from gradtruce.gradients import TaskGradients
from gradtruce.gradients.balancer import Balancer, TaskStatistics
from tests.laws.gramians import KINDS, task_gradients

BALANCERS = [
    pytest.param(kind, id=name)
    for name, kind in sorted(Balancer.known.items())
    if kind.__module__.startswith(f"{gradtruce.balance.__name__}.")
]

every_balancer = pytest.mark.parametrize("kind", BALANCERS)
few = settings(max_examples=25, deadline=None)


@st.composite
def jacobians(draw: st.DrawFn, *, largest: int = 16, scales: bool = True) -> Tensor:
    tasks = draw(st.integers(1, largest))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    J = task_gradients(draw(st.sampled_from(KINDS)), tasks, draw(st.integers(1, 18)), generator)
    return J * 10.0 ** draw(st.integers(-10, 10)) if scales else J


def statistics(J: Tensor, weights: Tensor | None = None) -> TaskStatistics:
    G = J @ J.T
    losses = torch.linspace(0.5, 2.0, len(J), dtype=torch.float64)
    given_weights = torch.linspace(1.0, 4.0, len(J), dtype=torch.float64)
    return TaskStatistics(G, losses, given_weights if weights is None else weights)


def solve(kind: type[Balancer], step: TaskStatistics) -> Tensor:
    balancer = kind()
    balancer.bind([f"task {k}" for k in range(step.gramian.shape[-1])])
    return balancer.coefficients(step)


def agree(found: Tensor, wanted: Tensor, J: Tensor, tolerance: float = 1e-5) -> None:
    """Require that two updates are the same, in units of the largest task gradient."""
    scale = float(wanted.norm()) + 1e-3 * float(J.norm())
    assert float((found - wanted).norm()) <= tolerance * scale


@every_balancer
@few
@given(J=jacobians())
def test_coefficients_are_finite(kind: type[Balancer], J: Tensor) -> None:
    a = solve(kind, statistics(J))
    assert a.shape == (len(J),)
    assert a.isfinite().all()


@every_balancer
@few
@given(J=jacobians(largest=9, scales=False), seed=st.integers(0, 99))
def test_the_order_of_tasks_does_not_matter(kind: type[Balancer], J: Tensor, seed: int) -> None:
    order = torch.randperm(len(J), generator=torch.Generator().manual_seed(seed))
    step = statistics(J)
    permuted = TaskStatistics(
        step.gramian[order][:, order], step.losses[order], step.weights[order]
    )
    agree(solve(kind, permuted) @ J[order], solve(kind, step) @ J, J)


@every_balancer
@few
@given(J=jacobians(largest=9, scales=False), power=st.integers(-10, 10))
def test_a_common_scale_of_the_gradients_has_the_stated_effect(
    kind: type[Balancer], J: Tensor, power: int
) -> None:
    scale = 10.0**power
    found = solve(kind, statistics(scale * J)) @ J / scale ** kind.degree
    agree(found, solve(kind, statistics(J)) @ J, J)


@every_balancer
@few
@given(J=jacobians(largest=9, scales=False))
def test_a_rotation_of_the_parameters_changes_nothing(kind: type[Balancer], J: Tensor) -> None:
    Q = torch.linalg.qr(torch.randn(J.shape[1], J.shape[1], dtype=J.dtype)).Q
    agree(solve(kind, statistics(J @ Q)) @ J, solve(kind, statistics(J)) @ J, J)


@every_balancer
@few
@given(J=jacobians(largest=8, scales=False), place=st.integers(0, 8))
def test_an_inactive_task_changes_nothing_for_the_others(
    kind: type[Balancer], J: Tensor, place: int
) -> None:
    place = min(place, len(J))
    others = torch.tensor([k for k in range(len(J) + 1) if k != place])
    step = statistics(J)
    G = torch.zeros(len(J) + 1, len(J) + 1, dtype=torch.float64)
    G[others[:, None], others] = step.gramian
    losses, weights = torch.zeros(len(G)).double(), torch.full((len(G),), 7.0).double()
    losses[others], weights[others] = step.losses, step.weights
    active = torch.ones(len(G), dtype=torch.bool)
    active[place] = False
    a = solve(kind, TaskStatistics(G, losses, weights, active))
    agree(a[others] @ J, solve(kind, step) @ J, J)


@every_balancer
@few
@given(scale=st.integers(-10, 10))
def test_one_task_keeps_its_direction(kind: type[Balancer], scale: int) -> None:
    J = 10.0**scale * torch.tensor([[3.0, -4.0]], dtype=torch.float64)
    assert solve(kind, statistics(J)).item() > 0


@every_balancer
def test_gradients_of_zero_give_a_finite_update(kind: type[Balancer]) -> None:
    for tasks in (1, 2, 3, 9):
        a = solve(kind, statistics(torch.zeros(tasks, 2, dtype=torch.float64)))
        assert a.isfinite().all()


@every_balancer
def test_float32_statistics_are_solved_too(kind: type[Balancer]) -> None:
    J = torch.randn(3, 5, dtype=torch.float64)
    G = (J @ J.T).float()
    found = solve(kind, TaskStatistics(G)).double()
    wanted = solve(kind, TaskStatistics(G.double()))
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-6)


@every_balancer
def test_the_state_makes_a_round_trip(kind: type[Balancer]) -> None:
    first, second = kind(), kind()
    for balancer in (first, second):
        balancer.bind(["a", "b", "c"])
    step = statistics(torch.randn(3, 5, dtype=torch.float64))
    first.coefficients(step)
    second.load_state_dict(first.state_dict())
    assert torch.equal(first.coefficients(step), second.coefficients(step))


@every_balancer
def test_one_backward_pass_of_the_weighted_losses_gives_the_same_update(
    kind: type[Balancer],
) -> None:
    weight = torch.nn.Parameter(torch.randn(6, dtype=torch.float64))
    model = torch.nn.ParameterList([weight])
    targets = torch.randn(3, 6, dtype=torch.float64)
    losses = {name: (weight - t).pow(4).sum() for name, t in zip("abc", targets, strict=True)}
    record = TaskGradients(model, kind(), tasks=("a", "b", "c"), diagnostics=True).backward(losses)
    again = [(weight - t).pow(4).sum() for t in targets]
    total = sum(a * loss for a, loss in zip(record.coefficients, again, strict=True))
    torch.testing.assert_close(weight.grad, torch.autograd.grad(total, weight)[0])
