import pytest
import torch

from gradtruce.balance.stch import STCH
from gradtruce.gradients.balancer import TaskStatistics
from tests.balance.steps import step_of
from tests.reference.stch import relative_stch
from tests.reference.stch import stch as reference

F64 = torch.float64


def bound(tasks: int = 3, **options: object) -> STCH:
    balancer = STCH(**options)  # type: ignore[arg-type]
    balancer.bind([f"task {k}" for k in range(tasks)])
    return balancer


@pytest.mark.parametrize("mu", [0.05, 1.0, 20.0])
def test_it_is_the_gradient_of_the_scalarization(mu: float) -> None:
    generator = torch.Generator().manual_seed(0)
    weights, ideal = [0.2, 0.5, 0.3], {"task 0": -1.0, "task 2": 0.2}
    for _ in range(20):
        losses = torch.randn(3, generator=generator, dtype=F64)
        found = bound(smoothing=mu, ideal_losses=ideal).coefficients(
            step_of(losses, weights=weights)
        )
        z, lambda_ = torch.tensor([-1.0, 0.0, 0.2], dtype=F64), torch.tensor(weights, dtype=F64)
        torch.testing.assert_close(found, reference(losses, lambda_, z, mu=mu))


def test_with_little_smoothing_the_worst_task_gets_all() -> None:
    a = bound(smoothing=1e-3).coefficients(step_of([1.0, 3.0, 2.0]))
    torch.testing.assert_close(a, torch.tensor([0.0, 1.0, 0.0], dtype=F64))


def test_relative_to_an_early_epoch_it_is_what_the_authors_code_minimises() -> None:
    balancer = bound(relative=True, warmup_epochs=1, smoothing=0.5)
    steps = 0.1 + torch.rand(4, 5, 3, generator=torch.Generator().manual_seed(0), dtype=F64)
    for epoch, losses in enumerate(steps):
        for now in losses:
            a = balancer.coefficients(step_of(now, epoch))
            wanted = 1 / now if epoch <= 1 else relative_stch(now, steps[1].mean(0), mu=0.5)
            torch.testing.assert_close(a, wanted, rtol=1e-10, atol=0.0)


def test_relative_losses_of_any_size_count_the_same() -> None:
    small, large = bound(relative=True, warmup_epochs=0), bound(relative=True, warmup_epochs=0)
    scale = torch.tensor([1.0, 1e3, 1e-3], dtype=F64)
    for epoch, losses in enumerate([[1.0, 2.0, 3.0], [0.5, 1.9, 2.0]]):
        now = torch.tensor(losses, dtype=F64)
        a, b = (
            small.coefficients(step_of(now, epoch)),
            large.coefficients(step_of(scale * now, epoch)),
        )
    torch.testing.assert_close(a * now, b * scale * now)


def test_a_task_that_was_absent_in_the_early_epoch_follows_its_logarithm() -> None:
    balancer = bound(2, relative=True, warmup_epochs=0)
    step = step_of([1.0, 2.0], 0)
    absent = TaskStatistics(step.gramian, step.losses, active=torch.tensor([True, False]), epoch=0)
    balancer.coefficients(absent)
    a = balancer.coefficients(step_of([0.5, 4.0], 1))
    torch.testing.assert_close(a, torch.tensor([1 / 0.5, 1 / 4.0], dtype=F64))


def test_a_loss_without_a_logarithm_is_left_out_and_told() -> None:
    balancer = bound(relative=True, warmup_epochs=0)
    balancer.coefficients(step_of([1.0, 2.0, 3.0], 0))
    a = balancer.coefficients(step_of([1.0, -2.0, 3.0], 1))
    assert balancer.flags()["loss_not_positive"]
    torch.testing.assert_close(a, torch.tensor([1.0, 0.0, 1 / 3], dtype=F64))


def test_plain_losses_may_be_negative() -> None:
    balancer = bound(2)
    a = balancer.coefficients(step_of([-1.0, -2.0]))
    torch.testing.assert_close(a, torch.tensor([1.0, 0.0], dtype=F64).softmax(0))
    assert not balancer.flags()["loss_not_positive"]


def test_without_an_epoch_it_says_what_to_set() -> None:
    with pytest.raises(ValueError, match=r"set `gradients.epoch = epoch`"):
        bound(relative=True).coefficients(step_of([1.0, 2.0, 3.0]))


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="smoothing must be above 0, got 0"):
        STCH(0.0)
    with pytest.raises(ValueError, match="warmup_epochs must be at least 0, got -1"):
        STCH(warmup_epochs=-1)
    with pytest.raises(ValueError, match="must be finite"):
        STCH(ideal_losses={"a": float("nan")})
    with pytest.raises(ValueError, match="relative=True"):
        STCH(ideal_losses={"a": 1.0}, relative=True)
    with pytest.raises(ValueError, match="ideal_losses: no task is called 'a'"):
        bound(ideal_losses={"a": 1.0})
