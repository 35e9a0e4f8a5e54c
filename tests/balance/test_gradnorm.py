import pytest
import torch
from torch import Tensor

from gradtruce.balance.gradnorm import GradNorm, training_rates, weight_gradient
from gradtruce.gradients.balancer import TaskStatistics
from tests.laws.gramians import bank
from tests.reference.gradnorm import grad_loss
from tests.reference.gradnorm import gradnorm as reference

F64 = torch.float64


def bound(tasks: int, **options: object) -> GradNorm:
    balancer = GradNorm(**options)  # type: ignore[arg-type]
    balancer.bind([f"task {k}" for k in range(tasks)])
    return balancer


def run(balancer: GradNorm, J: Tensor, losses: Tensor, weights: Tensor | None = None) -> Tensor:
    return torch.stack(
        [
            balancer.coefficients(TaskStatistics(rows @ rows.T, now, weights))
            for rows, now in zip(J, losses, strict=True)
        ]
    )


def draws(steps: int, tasks: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    sizes = torch.exp(torch.randn(1, tasks, 1, generator=generator, dtype=F64))
    J = sizes * torch.randn(steps, tasks, 7, generator=generator, dtype=F64)
    return J, 0.5 + torch.rand(steps, tasks, generator=generator, dtype=F64)


@pytest.mark.parametrize("tasks", [1, 2, 3, 6])
@pytest.mark.parametrize(("alpha", "m"), [(1.5, 1), (0.0, 5), (0.5, 20)])
def test_it_agrees_with_the_second_backward_pass_of_the_paper(
    tasks: int, alpha: float, m: int
) -> None:
    J, losses = draws(40, tasks, seed=tasks)
    found = run(bound(tasks, asymmetry=alpha, initial_steps=m), J, losses)
    if tasks == 1:
        torch.testing.assert_close(found, torch.ones_like(found))
    else:
        wanted = reference(J, losses, alpha=alpha, lr=0.025, m=m)
        torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-12)


def test_the_gradient_is_that_of_autograd_on_degenerate_task_gradients() -> None:
    for _, J in bank(4, 20, seed=3):
        w = torch.tensor([0.3, 1.7, 1.2, 0.8], dtype=F64, requires_grad=True)
        losses = torch.tensor([[1.0, 2.0, 0.5, 1.0], [0.9, 1.0, 0.6, 0.2]], dtype=F64)
        grad_loss(w, J, losses, alpha=1.5, m=1, P=J.shape[1])
        everyone = torch.ones(4, dtype=torch.bool)
        rates = training_rates(losses[1] / losses[0], everyone)
        found = weight_gradient(w.detach(), J.norm(dim=1), rates, everyone, 1.5)
        torch.testing.assert_close(found, w.grad, rtol=1e-10, atol=1e-12)


def test_the_weights_sum_to_the_number_of_tasks_and_stay_above_zero() -> None:
    J, losses = draws(400, 4)
    J[:, 0] *= 1e4  # whose weight would be stepped below 0
    found = run(bound(4, learning_rate=0.1), J, losses)
    torch.testing.assert_close(found.sum(1), torch.full((400,), 4.0, dtype=F64))
    assert found.min() > 5e-4
    assert found[-1, 0] < 0.01


def test_without_asymmetry_the_weighted_norms_become_equal_but_for_the_static_weights() -> None:
    J = torch.diag(torch.tensor([1.0, 2.0, 0.5], dtype=F64)).expand(800, 3, 3)
    weights = torch.tensor([1.0, 4.0, 2.0], dtype=F64)
    balancer = bound(3, asymmetry=0.0, learning_rate=0.005)
    a = run(balancer, J, torch.ones(800, 3, dtype=F64), weights)[-1]
    torch.testing.assert_close(
        a * J[0].norm(dim=1) / weights, torch.full((3,), 6 / 7, dtype=F64), rtol=0.03, atol=0.0
    )


def test_a_task_that_lags_behind_gains_weight() -> None:
    J = torch.eye(2, dtype=F64).expand(30, 2, 2)
    losses = torch.stack([torch.linspace(1, 0.1, 30), torch.ones(30)], 1).double()
    a = run(bound(2, initial_steps=1), J, losses)[-1]
    assert a[1] > 1.2


@pytest.mark.parametrize("scale", [1e-10, 1e-4, 1e6])
def test_the_scale_of_gradients_and_losses_does_not_matter(scale: float) -> None:
    J, losses = draws(40, 3)
    found = run(bound(3), scale * J, losses / scale)
    torch.testing.assert_close(found, run(bound(3), J, losses), rtol=1e-9, atol=0.0)


def test_initial_losses_can_be_given() -> None:
    J, losses = draws(10, 2)
    given = bound(2, initial_losses={"task 1": float(losses[0, 1])}, initial_steps=1)
    found = run(given, J, losses)
    torch.testing.assert_close(found, run(bound(2, initial_steps=1), J, losses))


def test_a_loss_below_zero_stops_the_weights_and_is_told() -> None:
    J, losses = draws(10, 3)
    balancer = bound(3, initial_steps=1)
    run(balancer, J, losses)
    assert not balancer.flags()["loss_not_positive"]
    before = balancer.weight.clone()
    run(balancer, J, -losses)
    assert balancer.flags()["loss_not_positive"]
    assert torch.equal(balancer.weight, before)


@pytest.mark.parametrize("broken", ["loss", "gradient"])
def test_a_step_that_is_not_finite_leaves_no_trace(broken: str) -> None:
    J, losses = draws(11, 3)
    balancer = bound(3)
    run(balancer, J[:10], losses[:10])
    before = {name: value.clone() for name, value in balancer.state_dict().items()}
    (losses if broken == "loss" else J)[10, 1] = torch.inf
    run(balancer, J[10:], losses[10:])
    assert all(torch.equal(value, before[name]) for name, value in balancer.state_dict().items())


def test_a_step_without_any_gradient_leaves_no_trace() -> None:
    balancer = bound(2)
    none = torch.zeros(2, dtype=torch.bool)
    step = TaskStatistics(torch.zeros(2, 2).double(), torch.ones(2).double(), active=none)
    balancer.coefficients(step)
    assert torch.equal(balancer.weight, torch.ones(2, dtype=F64))
    assert not balancer.initial_count.any()


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="asymmetry must be at least 0, got -1"):
        GradNorm(-1.0)
    with pytest.raises(ValueError, match="learning_rate must be above 0"):
        GradNorm(learning_rate=0.0)
    with pytest.raises(ValueError, match="initial_steps must be at least 1, got 0"):
        GradNorm(initial_steps=0)
    with pytest.raises(ValueError, match=r"initial_losses\['a'\] must be above 0, got 0"):
        GradNorm(initial_losses={"a": 0.0})
    with pytest.raises(ValueError, match="initial_losses: no task is called 'a'"):
        bound(2, initial_losses={"a": 1.0})
