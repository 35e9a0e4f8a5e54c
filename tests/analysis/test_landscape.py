import numpy as np
import pytest
import torch
from torch import nn

from gradtruce.analysis.landscape import (
    across,
    along,
    barrier,
    between,
    filter_normalised,
    moved,
    random_direction,
)

AMOUNTS = [-1.0, -0.5, 0.0, 0.5, 1.0]


def test_the_landscape_of_a_quadratic_is_the_quadratic():
    point = torch.tensor([1.0, -2.0], dtype=torch.float64)
    curves = torch.tensor([3.0, 5.0], dtype=torch.float64)
    pair = [torch.tensor([1.0, 0.0]).double()], [torch.tensor([0.0, 2.0]).double()]

    def loss():
        return {"loss": float((curves * point**2).sum())}

    line = along([point], pair[0], AMOUNTS, loss)["loss"]
    np.testing.assert_allclose(line, [3 * (1 + a) ** 2 + 20 for a in AMOUNTS])
    grid = across([point], pair, AMOUNTS, loss)["loss"]
    expected = [[3 * (1 + x) ** 2 + 5 * (-2 + 2 * y) ** 2 for x in AMOUNTS] for y in AMOUNTS]
    np.testing.assert_allclose(grid, expected)


def test_filters_get_the_length_of_the_network_and_biases_stand_still():
    torch.manual_seed(0)
    weights = [torch.randn(4, 3, 2, 2), torch.randn(4), torch.randn(6, 4)]
    found = filter_normalised(random_direction(weights, seed=1), weights)
    for piece, weight in ((found[0], weights[0]), (found[2], weights[2])):
        torch.testing.assert_close(piece.flatten(1).norm(dim=1), weight.flatten(1).norm(dim=1))
    assert not found[1].any()


def test_a_network_that_is_rescaled_and_computes_the_same_has_the_same_landscape():
    torch.manual_seed(0)
    nets = [nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 2)).double() for _ in range(2)]
    nets[1].load_state_dict(nets[0].state_dict())
    with torch.no_grad():  # ReLU(10 x) / 10 = ReLU(x)
        nets[1][0].weight.mul_(10)
        nets[1][0].bias.mul_(10)
        nets[1][2].weight.div_(10)
    inputs, targets = torch.randn(20, 3).double(), torch.randint(2, (20,))
    lines = []
    for net in nets:
        parameters = list(net.parameters())
        direction = filter_normalised(random_direction(parameters, seed=2), parameters)

        @torch.no_grad()
        def loss(net=net):
            return {"loss": float(nn.functional.cross_entropy(net(inputs), targets))}

        lines.append(along(parameters, direction, AMOUNTS, loss)["loss"])
    np.testing.assert_allclose(lines[0], lines[1])


def test_moving_leaves_no_trace_even_after_an_error():
    weight = torch.randn(5)
    before = weight.clone()
    with pytest.raises(KeyError), moved([weight], [[1e-8 * torch.randn(5)]], [0.3]):
        raise KeyError
    assert torch.equal(weight, before)


def test_the_line_between_two_networks_ends_at_both():
    first, second = torch.tensor([1.0]), torch.tensor([3.0])
    found = between([first], [second], [0.0, 0.5, 1.0], lambda: {"at": float(first)})
    assert found["at"] == [1.0, 2.0, 3.0]
    assert float(first) == 1.0


def test_networks_of_different_shapes_have_no_line():
    with pytest.raises(ValueError, match="different shapes"):
        between([torch.ones(2)], [torch.ones(3)], [0.0], dict)


def test_a_convex_loss_has_no_barrier():
    assert barrier([0.0, 0.5, 1.0], [1.0, 0.5, 2.0]) == 0.0
