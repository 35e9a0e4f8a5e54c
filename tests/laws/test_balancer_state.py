"""What the state of every balancer must obey over several steps."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from gradtruce.gradients.balancer import Balancer, TaskStatistics
from tests.laws.balancers import RANDOM, Batch, Trial, balancers, batch, every_balancer, few, make

TASKS = 7  # no other dimension of a buffer is 7


def some_batches(count: int, seed: int = 0, tasks: int = TASKS) -> list[Batch]:
    generator = torch.Generator().manual_seed(seed)
    found = []
    for _ in range(count):
        plain = batch(torch.randn(tasks, 5, dtype=torch.float64, generator=generator))
        factors = 0.5 + torch.rand(tasks, generator=generator, dtype=torch.float64)
        found.append(plain._replace(losses=plain.losses * factors))
    return found


def entries(state: dict[str, Tensor], place: int) -> dict[str, Tensor]:
    """Return what belongs to one task: its entry in each dimension that counts tasks."""
    return {
        f"{name}, dimension {dimension}": values.select(dimension, place).clone()
        for name, values in state.items()
        if isinstance(values, Tensor)
        for dimension, size in enumerate(values.shape)
        if size == TASKS
    }


@every_balancer
@few
@given(before=st.integers(1, 4), seed=st.integers(0, 99))
def test_the_state_makes_a_round_trip(kind: type[Balancer], before: int, seed: int) -> None:
    batches = some_batches(before + 3, seed)
    first, second = Trial(kind, TASKS, seed=seed), Trial(kind, TASKS, seed=seed)
    first.run(batches[:before])
    second.balancer.load_state_dict(first.balancer.state_dict())
    second.generator.set_state(first.generator.get_state())
    second.steps = first.steps
    assert torch.equal(first.run(batches[before:]), second.run(batches[before:]))


@every_balancer
@pytest.mark.parametrize("place", [0, 3, TASKS - 1])
def test_an_inactive_task_leaves_its_state_alone(kind: type[Balancer], place: int) -> None:
    trial = Trial(kind, TASKS)
    *before, last = some_batches(4)
    trial.run(before)
    kept = entries(trial.balancer.state_dict(), place)
    active = torch.arange(TASKS) != place
    J = last.J.masked_fill(~active.unsqueeze(-1), 0.0)
    trial(last._replace(J=J, losses=last.losses.masked_fill(~active, 0.0), active=active))
    for name, values in entries(trial.balancer.state_dict(), place).items():
        assert torch.equal(values, kept[name]), name


@balancers(lambda kind: kind.name not in RANDOM)
@pytest.mark.parametrize("place", [0, 2, 4])
def test_a_task_that_is_never_active_changes_no_step_of_the_others(
    kind: type[Balancer], place: int
) -> None:
    batches = some_batches(6, tasks=4)
    found = Trial(kind, 5).run([each.without(place) for each in batches])
    others = torch.tensor([k for k in range(5) if k != place])
    torch.testing.assert_close(found[:, others], Trial(kind, 4).run(batches), rtol=1e-7, atol=1e-9)


@every_balancer
def test_the_same_seed_gives_the_same_steps(kind: type[Balancer]) -> None:
    batches = some_batches(5)
    first, second = (Trial(kind, TASKS, seed=3).run(batches) for _ in range(2))
    assert torch.equal(first, second)


@balancers(lambda kind: kind.name in RANDOM)
def test_without_a_seed_random_numbers_are_refused(kind: type[Balancer]) -> None:
    balancer = make(kind)
    balancer.bind(["a", "b", "c"])
    gramian = torch.eye(3, dtype=torch.float64) - 0.3
    with pytest.raises(ValueError, match="seed="):
        balancer.coefficients(TaskStatistics(gramian, torch.ones(3).double(), epoch=0))


@every_balancer
@few
@given(power=st.integers(-10, 10), seed=st.integers(0, 99))
def test_many_steps_at_any_scale_stay_finite(kind: type[Balancer], power: int, seed: int) -> None:
    batches = [each.times(10.0**power) for each in some_batches(8, seed, tasks=3)]
    assert Trial(kind, 3).run(batches).isfinite().all()


@every_balancer
def test_state_is_in_buffers(kind: type[Balancer]) -> None:
    """What changes from step to step is saved, and moves with `.to`."""
    trial = Trial(kind, TASKS)
    tensors = [name for name, value in vars(trial.balancer).items() if isinstance(value, Tensor)]
    assert not tensors
    trial.run(some_batches(3))
    tensors = [name for name, value in vars(trial.balancer).items() if isinstance(value, Tensor)]
    assert not tensors
