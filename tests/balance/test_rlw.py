import pytest
import torch
from torch import Generator

from gradtruce.balance.rlw import RLW
from gradtruce.gradients.balancer import TaskStatistics

F64 = torch.float64


def step_of(
    seed: int | None, weights: list[float], active: list[bool] | None = None
) -> TaskStatistics:
    return TaskStatistics(
        torch.zeros(len(weights), len(weights), dtype=F64),
        weights=torch.tensor(weights, dtype=F64),
        active=None if active is None else torch.tensor(active),
        generator=None if seed is None else Generator().manual_seed(seed),
    )


def test_it_is_the_softmax_of_normal_numbers_times_the_static_weights() -> None:
    z = torch.randn(3, generator=Generator().manual_seed(5), dtype=F64)
    weights = torch.tensor([1.0, 4.0, 0.5], dtype=F64)
    wanted = weights * z.exp() / z.exp().sum()
    torch.testing.assert_close(RLW().coefficients(step_of(5, weights.tolist())), wanted)
    torch.testing.assert_close(
        RLW(sum_to_tasks=True).coefficients(step_of(5, weights.tolist())), 3 * wanted
    )


def test_the_mean_is_linear_scalarization() -> None:
    step = step_of(0, [1.0, 4.0])
    mean = torch.stack([RLW().coefficients(step) for _ in range(3000)]).mean(0)
    torch.testing.assert_close(mean, torch.tensor([0.5, 2.0], dtype=F64), rtol=0.05, atol=0.0)


@pytest.mark.parametrize("place", [0, 1, 3])
def test_an_inactive_task_uses_no_number_up(place: int) -> None:
    active = [k != place for k in range(4)]
    found = RLW(sum_to_tasks=True).coefficients(step_of(7, [1.0] * 4, active))
    wanted = RLW(sum_to_tasks=True).coefficients(step_of(7, [1.0] * 3))
    torch.testing.assert_close(found[torch.tensor(active)], wanted)


def test_without_a_seed_it_says_what_to_give() -> None:
    with pytest.raises(ValueError, match="give seed="):
        RLW().coefficients(step_of(None, [1.0, 1.0]))
