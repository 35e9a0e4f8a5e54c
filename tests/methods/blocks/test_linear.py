import pytest
import torch
from torch import nn

from gradtruce.methods.blocks import linear as module
from gradtruce.methods.blocks.linear import linear
from gradtruce.methods.blocks.xavier import XavierLinear

ROWS, INPUTS, OUTPUTS = (4, 60), 320, 512  # above the least


@pytest.fixture
def parts():
    torch.manual_seed(0)
    shapes = ((*ROWS, INPUTS), (OUTPUTS, INPUTS), (OUTPUTS,))
    return tuple(torch.randn(shape, requires_grad=True) for shape in shapes)


@pytest.fixture
def calls(monkeypatch):
    """Return a list that grows with every product of oneDNN."""
    product, found = module._product, []

    def counted(*given):
        found.append(given)
        return product(*given)

    monkeypatch.setattr(module, "_product", counted)
    return found


def test_values_and_gradients_are_torch_s(parts, calls):
    weights = torch.randn(*ROWS, OUTPUTS)
    values, gradients = [], []
    for function in (linear, nn.functional.linear):
        found = function(*parts)
        values.append(found)
        gradients.append(torch.autograd.grad((found * weights).sum(), parts))
    assert len(calls) == 3
    torch.testing.assert_close(*values, rtol=1e-5, atol=1e-4)
    for found, expected in zip(*gradients, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=3e-4)


def test_a_gradient_has_a_gradient(parts):
    found = []
    for function in (linear, nn.functional.linear):
        loss = function(*parts).square().mean()
        first = torch.autograd.grad(loss, parts, create_graph=True)
        found.append(torch.autograd.grad(sum(each.square().sum() for each in first), parts))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


def test_only_what_is_asked_for_is_computed(parts, calls):
    tokens, weight, bias = parts
    linear(tokens.detach(), weight, bias).sum().backward()
    assert len(calls) == 2
    assert tokens.grad is None
    assert weight.grad is not None


@pytest.mark.parametrize("kind", ["small", "double", "autocast", "compiled"])
def test_elsewhere_it_is_torch_s_function(parts, calls, monkeypatch, kind):
    if kind == "small":
        parts = tuple(each[:2] for each in parts)
    elif kind == "double":
        parts = tuple(each.double() for each in parts)
    elif kind == "compiled":
        monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    with torch.autocast("cpu", torch.bfloat16, enabled=kind == "autocast"):
        assert torch.equal(linear(*parts), nn.functional.linear(*parts))
    assert not calls


def test_layers_of_the_methods_take_it(parts, calls):
    layer = XavierLinear(INPUTS, OUTPUTS)
    expected = nn.functional.linear(parts[0], layer.weight, layer.bias)
    torch.testing.assert_close(layer(parts[0]), expected, rtol=1e-5, atol=1e-4)
    assert calls
