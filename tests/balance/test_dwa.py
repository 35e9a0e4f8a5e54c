import pytest
import torch

from gradtruce.balance.dwa import DWA
from gradtruce.gradients import TaskGradients
from tests.balance.steps import step_of
from tests.gradients.toys import WEIGHTS, TwoHeads, batch
from tests.reference.dwa import dwa as reference

F64 = torch.float64


def bound(tasks: int = 3, **options: float) -> DWA:
    balancer = DWA(**options)
    balancer.bind([f"task {k}" for k in range(tasks)])
    return balancer


@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_it_agrees_with_the_paper_in_its_own_notation(temperature: float) -> None:
    generator = torch.Generator().manual_seed(0)
    history = (0.1 + torch.rand(6, 4, 3, generator=generator, dtype=F64)).tolist()
    balancer = bound(temperature=temperature)
    for epoch, steps in enumerate(history):
        wanted = torch.tensor(reference(history[:epoch], temperature), dtype=F64) if epoch else None
        for losses in steps:
            a = balancer.coefficients(step_of(losses, epoch))
            if wanted is None:
                wanted = torch.ones(3, dtype=F64)
            torch.testing.assert_close(a, wanted, rtol=1e-12, atol=0.0)


def test_static_weights_multiply_the_result() -> None:
    plain, weighted, weights = bound(), bound(), [1.0, 4.0, 0.5]
    for epoch, losses in enumerate([[3.0, 1.0, 2.0], [2.0, 1.0, 1.5], [1.0, 1.0, 1.0]]):
        a = plain.coefficients(step_of(losses, epoch))
        found = weighted.coefficients(step_of(losses, epoch, weights=weights))
    torch.testing.assert_close(found, torch.tensor(weights, dtype=F64) * a)


def test_an_epoch_without_a_task_does_not_count_for_it() -> None:
    there, absent = bound(2), bound(2)
    means = [[4.0, 4.0], [2.0, 3.0], [1.0, 1.5]]
    for epoch, losses in zip([0, 1, 2], means, strict=True):
        there.coefficients(step_of(losses, epoch))
    for epoch, losses in zip([0, 1, 3], means, strict=True):
        if epoch == 3:
            absent.coefficients(step_of([1.0, 0.0], 2, [True, False]))
        a = absent.coefficients(step_of(losses, epoch))
    assert absent.last[1] == there.last[1] == 3.0
    ratio = torch.tensor([1.0 / 2.0, 3.0 / 4.0], dtype=F64)
    torch.testing.assert_close(a, 2 * (ratio / 2).softmax(0))


def test_means_that_are_not_above_zero_say_nothing_and_are_told() -> None:
    balancer = bound(2)
    for epoch, losses in enumerate([[-1.0, 2.0], [0.5, 1.0]]):
        balancer.coefficients(step_of(losses, epoch))
    a = balancer.coefficients(step_of([0.5, 1.0], 2))
    assert balancer.flags()["loss_not_positive"]
    torch.testing.assert_close(a, 2 * torch.tensor([0.5, 0.25], dtype=F64).softmax(0))


def test_a_mean_that_explodes_gives_finite_weights() -> None:
    balancer = bound(2)
    for epoch, losses in enumerate([[1e-300, 1e-300], [1e300, 1e300], [1.0, 1.0]]):
        a = balancer.coefficients(step_of(losses, epoch))
    torch.testing.assert_close(a, torch.ones(2, dtype=F64))


def test_a_step_that_is_not_finite_leaves_no_trace() -> None:
    balancer = bound(2)
    balancer.coefficients(step_of([1.0, 2.0], 0))
    before = {name: value.clone() for name, value in balancer.state_dict().items()}
    balancer.coefficients(step_of([1.0, float("inf")], 1))
    assert all(torch.equal(value, before[name]) for name, value in balancer.state_dict().items())


def test_without_an_epoch_it_says_what_to_set() -> None:
    model = TwoHeads()
    gradients = TaskGradients(model, DWA(), weights=WEIGHTS)
    with pytest.raises(ValueError, match=r"set `gradients.epoch = epoch`"):
        gradients.backward(model(batch()))
    gradients.epoch = 0
    record = gradients.backward(model(batch()))
    assert record.coefficients.tolist() == [1.0, 4.0]


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="temperature must be above 0, got 0"):
        DWA(temperature=0.0)
