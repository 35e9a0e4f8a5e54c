import pytest
import torch

from gradtruce.balance.uncertainty_weighting import UncertaintyWeighting
from gradtruce.gradients import TaskGradients
from tests.balance.steps import step_of
from tests.gradients.toys import WEIGHTS, TwoHeads, batch
from tests.reference.uncertainty_weighting import uncertainty_weighting as reference

F64 = torch.float64
TASKS = ("a", "b", "c")


def bound(tasks: tuple[str, ...] = TASKS, **options: object) -> UncertaintyWeighting:
    balancer = UncertaintyWeighting(**options)  # type: ignore[arg-type]
    balancer.bind(tasks)
    return balancer


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_it_agrees_with_the_objective_differentiated_by_autograd(scale: float) -> None:
    generator = torch.Generator().manual_seed(0)
    losses = scale * torch.rand(60, 3, generator=generator, dtype=F64) + 0.1 * scale
    lambda_, c = torch.tensor([1.0, 4.0, 0.5], dtype=F64), torch.tensor([0.5, 1.0, 0.5], dtype=F64)
    balancer = bound(classification=["b"], learning_rate=0.05)
    found = [
        balancer.coefficients(step_of(now.tolist(), weights=lambda_.tolist())) for now in losses
    ]
    wanted = reference(losses, c, lambda_, lr=0.05)
    torch.testing.assert_close(torch.stack(found), wanted, rtol=1e-9, atol=1e-12)


def test_in_the_long_run_a_weight_is_that_of_the_task_over_twice_the_loss() -> None:
    balancer = bound(classification=["c"], learning_rate=0.05)
    step = step_of([0.2, 1.0, 5.0], weights=[1.0, 2.0, 3.0])
    for _ in range(2000):
        a = balancer.coefficients(step)
    wanted = torch.tensor([1 / 0.4, 2 / 2, 3 / 10], dtype=F64)
    torch.testing.assert_close(a, wanted, rtol=1e-4, atol=0.0)
    fixed = torch.log(2 * balancer.factor * step.losses)
    torch.testing.assert_close(balancer.log_variance, fixed, rtol=1e-4, atol=1e-4)


def test_a_loss_below_zero_leaves_its_variance_alone_and_is_told() -> None:
    balancer = bound()
    balancer.coefficients(step_of([1.0, 0.5, 2.0]))
    assert not balancer.flags()["loss_not_positive"]
    before = balancer.log_variance.clone()
    for _ in range(100):
        a = balancer.coefficients(step_of([3.0, -0.5, 0.0]))
    assert balancer.flags()["loss_not_positive"]
    assert torch.equal(balancer.log_variance[1:], before[1:])
    assert balancer.log_variance[0] > before[0]
    assert a.isfinite().all()


def test_a_step_that_is_not_finite_leaves_no_trace() -> None:
    balancer = bound()
    balancer.coefficients(step_of([1.0, 0.5, 2.0]))
    before = {name: value.clone() for name, value in balancer.state_dict().items()}
    balancer.coefficients(step_of([1.0, float("nan"), 2.0]))
    assert all(torch.equal(value, before[name]) for name, value in balancer.state_dict().items())


def test_one_backward_pass_serves_and_the_optimizer_needs_no_more_parameters() -> None:
    torch.manual_seed(0)
    model, balancer = TwoHeads(), UncertaintyWeighting(initial=-0.5)
    gradients = TaskGradients(model, balancer, weights=WEIGHTS)
    assert not list(balancer.parameters())
    record = gradients.backward(model(batch()))
    factor = 0.5 * torch.exp(torch.tensor(0.5)).double()
    torch.testing.assert_close(record.coefficients, factor * torch.tensor([1.0, 4.0]).double())
    assert record.gramian is None
    total = sum(
        a * loss for a, loss in zip(record.coefficients, model(batch()).values(), strict=True)
    )
    wanted = torch.autograd.grad(total, model.report.weight)[0]
    torch.testing.assert_close(model.report.weight.grad, wanted)


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="learning_rate must be above 0, got -1"):
        UncertaintyWeighting(learning_rate=-1.0)
    with pytest.raises(ValueError, match="initial must be finite"):
        UncertaintyWeighting(initial=float("nan"))
    with pytest.raises(TypeError, match="list of names"):
        UncertaintyWeighting(classification="findings")
    with pytest.raises(ValueError, match="no task is called 'd'"):
        bound(classification=["d"])
