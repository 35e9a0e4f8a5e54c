import torch

from gradtruce.balance import Linear
from gradtruce.gradients.balancer import TaskStatistics


def test_the_coefficients_are_the_static_weights() -> None:
    weights = torch.tensor([1.0, 0.0, 4.0], dtype=torch.float64)
    step = TaskStatistics(torch.eye(3, dtype=torch.float64), weights=weights)
    assert torch.equal(Linear().coefficients(step), weights)


def test_one_backward_pass_is_enough() -> None:
    assert Linear.needs == "losses"
    assert Linear.is_fixed
