import pytest
import torch

from gradtruce.balance.nmt import NMT
from tests.balance.steps import step_of
from tests.reference.nmt import nmt as reference

F64 = torch.float64


def bound(tasks: int, **options: object) -> NMT:
    balancer = NMT(**options)  # type: ignore[arg-type]
    balancer.bind([f"task {k}" for k in range(tasks)])
    return balancer


@pytest.mark.parametrize("tasks", [1, 2, 3, 5])
def test_it_agrees_with_a_plain_program(tasks: int) -> None:
    generator = torch.Generator().manual_seed(tasks)
    losses = torch.randn(60, tasks, generator=generator, dtype=F64)
    options = {"stage_steps": 7, "slack": 0.1, "window": 4}
    balancer = bound(tasks, learning_rate=0.3, **options)
    found = torch.stack([balancer.coefficients(step_of(now)) for now in losses])
    wanted = reference(losses.tolist(), stage_steps=7, eta=0.3, epsilon=0.1, window=4)
    torch.testing.assert_close(found, torch.tensor(wanted, dtype=F64), rtol=1e-10, atol=1e-12)


def test_a_task_above_its_target_takes_over_and_one_below_lets_go() -> None:
    balancer = bound(2, targets={"task 0": 1.0}, learning_rate=0.5)
    for _ in range(50):
        a = balancer.coefficients(step_of([2.0, 1.0], weights=[2.0, 4.0]))
    assert a[0] / 2 > 0.95
    torch.testing.assert_close((a / torch.tensor([2.0, 4.0])).sum(), torch.ones((), dtype=F64))
    for _ in range(60):
        a = balancer.coefficients(step_of([0.0, 1.0]))
    assert a.tolist() == [0.0, 1.0]


def test_the_first_task_is_trained_alone_in_its_stage() -> None:
    balancer = bound(3, stage_steps=2)
    found = [balancer.coefficients(step_of([1.0, 1.0, 1.0])).tolist() for _ in range(6)]
    assert found == [[1, 0, 0]] * 2 + [[0, 1, 0]] * 2 + [[0, 0, 1]] * 2


def test_an_absent_task_neither_holds_up_nor_moves() -> None:
    balancer = bound(3, stage_steps=1)
    balancer.coefficients(step_of([1.0, 1.0, 1.0]))
    before = {name: value[1].clone() for name, value in balancer.state_dict().items()}
    a = balancer.coefficients(step_of([1.0, 0.0, 1.0], active=[True, False, True]))
    assert a[2] == 1.0
    assert all(value[1] == before[name] for name, value in balancer.state_dict().items())
    assert balancer.coefficients(step_of([1.0, 1.0, 1.0])).tolist() == [0.0, 1.0, 0.0]


def test_a_step_that_is_not_finite_leaves_no_trace() -> None:
    balancer = bound(2, stage_steps=2)
    for _ in range(3):
        balancer.coefficients(step_of([1.0, 2.0]))
    before = {name: value.clone() for name, value in balancer.state_dict().items()}
    balancer.coefficients(step_of([float("nan"), 2.0]))
    assert all(torch.equal(value, before[name]) for name, value in balancer.state_dict().items())


def test_it_holds_the_first_task_of_a_problem_at_its_target() -> None:
    # (x − 1)² first, (x + 1)² second: the constrained optimum is where the first is at its target.
    x = torch.nn.Parameter(torch.tensor(3.0, dtype=F64))
    balancer = bound(2, targets={"task 0": 0.25}, learning_rate=0.05)
    optimizer = torch.optim.SGD([x], lr=0.02)
    for _ in range(4000):
        losses = torch.stack([(x - 1).square(), (x + 1).square()])
        a = balancer.coefficients(step_of(losses.detach()))
        optimizer.zero_grad()
        (a @ losses).backward()
        optimizer.step()
    torch.testing.assert_close(x.detach(), torch.tensor(0.5, dtype=F64), rtol=0.0, atol=0.01)


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="stage_steps must be at least 1, got 0"):
        NMT(stage_steps=0)
    with pytest.raises(ValueError, match="window must be at least 1, got 0"):
        NMT(window=0)
    with pytest.raises(ValueError, match="slack must be at least 0, got -1"):
        NMT(slack=-1.0)
    with pytest.raises(ValueError, match="learning_rate must be above 0"):
        NMT(learning_rate=0.0)
    with pytest.raises(ValueError, match=r"targets\['a'\] must be finite"):
        NMT(targets={"a": float("inf")})
    with pytest.raises(ValueError, match="targets: no task is called 'a'"):
        bound(2, targets={"a": 1.0})
