import pytest
import torch

from gradtruce.balance.famo import FAMO
from gradtruce.gradients import TaskGradients
from gradtruce.gradients.balancer import AfterStep
from tests.balance.steps import step_of
from tests.gradients.toys import WEIGHTS, TwoHeads, batch
from tests.reference.famo import famo as reference

F64 = torch.float64


def bound(tasks: int = 3, **options: object) -> FAMO:
    balancer = FAMO(**options)  # type: ignore[arg-type]
    balancer.bind([f"task {k}" for k in range(tasks)])
    return balancer


@pytest.mark.parametrize("gamma", [0.0, 1e-3, 1e-2])
def test_it_agrees_with_autograd_of_the_log_losses(gamma: float) -> None:
    generator = torch.Generator().manual_seed(0)
    before = 0.2 + torch.rand(60, 3, generator=generator, dtype=F64)
    after = before * (0.7 + 0.4 * torch.rand(60, 3, generator=generator, dtype=F64))
    balancer, found = bound(decay=gamma, minimum_losses={"task 1": -0.5}), []
    for now, then in zip(before, after, strict=True):
        found.append(balancer.coefficients(step_of(now)))
        balancer.after_step(then)
    b = torch.tensor([0.0, -0.5, 0.0], dtype=F64)
    wanted = reference(before, after, b, lr=0.025, gamma=gamma)
    torch.testing.assert_close(torch.stack(found), wanted, rtol=1e-8, atol=1e-12)


def test_the_coefficients_sum_to_one_and_go_with_the_inverse_loss() -> None:
    a = bound().coefficients(step_of([1e-3, 1.0, 50.0], weights=[1.0, 4.0, 2.0]))
    torch.testing.assert_close(a.sum(), torch.ones((), dtype=F64))
    ratio = a * torch.tensor([1e-3 / 1, 1.0 / 4, 50.0 / 2], dtype=F64)
    torch.testing.assert_close(ratio, ratio[:1].expand(3), rtol=1e-4, atol=0.0)


def test_a_task_that_improves_less_gains_weight() -> None:
    balancer = bound(2)
    for _ in range(20):
        balancer.coefficients(step_of([1.0, 1.0]))
        balancer.after_step(torch.tensor([0.5, 0.9], dtype=F64))
    a = balancer.coefficients(step_of([1.0, 1.0]))
    assert a[1] > a[0] + 0.2


def test_a_loss_below_its_minimum_is_left_out_and_told() -> None:
    balancer = bound()
    a = balancer.coefficients(step_of([1.0, -0.1, 1.0]))
    assert balancer.flags()["loss_below_minimum"]
    torch.testing.assert_close(a, torch.tensor([0.5, 0.0, 0.5], dtype=F64))
    balancer.after_step(torch.tensor([0.5, 0.3, -0.2], dtype=F64))
    assert balancer.logits[1:].tolist() == [0.0, 0.0]
    assert bound(1).coefficients(step_of([-1.0])).tolist() == [0.0]


def test_a_step_that_is_not_finite_leaves_no_trace() -> None:
    balancer = bound()
    balancer.coefficients(step_of([1.0, 2.0, 3.0]))
    balancer.after_step(torch.tensor([0.5, 1.9, 2.0], dtype=F64))
    before = {name: value.clone() for name, value in balancer.state_dict().items()}
    balancer.coefficients(step_of([1.0, float("nan"), 3.0]))
    balancer.after_step(torch.ones(3, dtype=F64))
    balancer.coefficients(step_of([1.0, 2.0, 3.0]))
    balancer.after_step(torch.tensor([0.5, float("inf"), 2.0], dtype=F64))
    assert all(torch.equal(value, before[name]) for name, value in balancer.state_dict().items())


def test_an_inactive_task_keeps_its_logit_whatever_is_computed_afterwards() -> None:
    balancer = bound()
    balancer.coefficients(step_of([1.0, 0.0, 3.0], active=[True, False, True]))
    balancer.after_step(torch.tensor([0.5, 7.0, 2.9], dtype=F64))
    assert balancer.logits[1] == 0.0
    assert balancer.adam.steps.tolist() == [1.0, 0.0, 1.0]
    assert balancer.logits[0] < 0 < balancer.logits[2]


def test_the_engine_shows_it_the_losses_after_the_update() -> None:
    torch.manual_seed(0)
    model, balancer = TwoHeads(dropout=0.5), FAMO()
    assert isinstance(balancer, AfterStep)
    gradients = TaskGradients(model, balancer, weights=WEIGHTS)
    with pytest.raises(TypeError, match=r"step\(compute_losses, optimizer\)"):
        gradients.backward(model(batch()))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    for _ in range(5):
        record = gradients.step(lambda: model(batch()), optimizer)
    torch.testing.assert_close(record.coefficients.sum(), torch.ones((), dtype=F64))
    assert balancer.adam.steps.tolist() == [5.0, 5.0]
    assert balancer.logits.abs().min() > 0

    other = TaskGradients(model, FAMO(), weights=WEIGHTS)
    other.load_state_dict(gradients.state_dict())
    assert torch.equal(other.state_dict()["balancer"]["logits"], balancer.logits)


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="learning_rate must be above 0"):
        FAMO(learning_rate=0.0)
    with pytest.raises(ValueError, match="decay must be at least 0, got -1"):
        FAMO(decay=-1.0)
    with pytest.raises(ValueError, match=r"minimum_losses\['a'\] must be finite"):
        FAMO(minimum_losses={"a": float("nan")})
    with pytest.raises(ValueError, match="minimum_losses: no task is called 'a'"):
        bound(minimum_losses={"a": 1.0})
