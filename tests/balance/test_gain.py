"""What the gain of CAME-Grad does, and does not do, behind an adaptive optimizer."""

import torch
from torch import Tensor, nn

from gradtruce.balance import CAMEGrad
from gradtruce.gradients import TaskGradients

STEPS = 100


def train(gain: float, optimizer: str, clip_value: float | None = None) -> Tensor:
    """Return the parameters after training on two regression tasks with a shared trunk."""
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(32, 8, generator=generator, dtype=torch.float64)
    targets = torch.randn(32, 2, generator=generator, dtype=torch.float64)
    torch.manual_seed(0)
    trunk = nn.Sequential(nn.Linear(8, 8), nn.Tanh()).double()
    heads = nn.ModuleList(nn.Linear(8, 1).double() for _ in range(2))
    model = nn.ModuleList([trunk, heads])
    # all parameters in scope, as in the published rows: the gain then scales the whole gradient
    engine = TaskGradients(model, CAMEGrad(gain=gain), weights={"a": 1.0, "b": 4.0}, scope="all")
    step = {
        "adamw": torch.optim.AdamW(model.parameters(), lr=1e-3),
        "sgd": torch.optim.SGD(model.parameters(), lr=1e-3),
    }[optimizer]
    for _ in range(STEPS):
        features = trunk(inputs)
        errors = [(h(features)[:, 0] - targets[:, k]).square().mean() for k, h in enumerate(heads)]
        engine.backward({"a": errors[0], "b": errors[1]})
        if clip_value is not None:
            nn.utils.clip_grad_value_(model.parameters(), clip_value)
        step.step()
        step.zero_grad()
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def largest_change(optimizer: str, clip_value: float | None = None) -> float:
    once, twice = train(1.0, optimizer, clip_value), train(2.0, optimizer, clip_value)
    return float((once - twice).abs().max())


def test_the_gain_is_a_no_op_under_adamw_without_clipping() -> None:
    assert largest_change("adamw") < 1e-5


def test_value_clipping_lets_the_gain_through_adamw() -> None:
    assert largest_change("adamw", clip_value=0.1) > 1e-3


def test_the_gain_matters_under_sgd() -> None:
    assert largest_change("sgd") > 1e-3
