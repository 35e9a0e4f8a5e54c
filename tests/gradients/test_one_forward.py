"""Layers that draw, count or are used twice: one forward pass serves all tasks."""

import pytest
import torch
from torch import Tensor, nn

from gradtruce.balance import CAMEGrad, Linear
from gradtruce.gradients import TaskGradients
from gradtruce.gradients.balancer import Balancer
from tests.gradients.toys import WEIGHTS, EqualLayers, batch, gradients_of


class Restless(nn.Module):
    """Has dropout, batch normalisation, a tied weight, a frozen and an unused layer."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm = nn.Linear(6, 8), nn.BatchNorm1d(8)
        self.dropout, self.frozen = nn.Dropout(0.5), nn.Linear(8, 8)
        self.frozen.requires_grad_(False)
        self.report, self.findings = nn.Linear(8, 6), nn.Linear(8, 2)
        self.unused = nn.Linear(2, 2)
        self.report.weight = nn.Parameter(self.report.weight.detach())
        self.calls = 0

    def forward(self, data: Tensor) -> dict[str, Tensor]:
        self.calls += 1
        features = self.dropout(self.norm(self.first(data)).tanh())
        features = self.frozen(features).tanh()
        report = self.report(features) @ self.first.weight.T  # tied: used in trunk and head
        return {
            "report": report.square().mean(),
            "findings": self.findings(features).sub(1.0).pow(4).mean(),
        }


@pytest.mark.parametrize(
    ("kind", "every"), [(CAMEGrad, 1), (CAMEGrad, 2), (Linear, 1), (EqualLayers, 1)]
)
def test_the_update_is_that_of_one_forward_pass(kind: type[Balancer], every: int) -> None:
    torch.manual_seed(0)
    model, data = Restless().double(), batch(8).double()
    engine = TaskGradients(model, kind(), weights=WEIGHTS, every=every)
    for step in range(1, 4):
        losses = model(data)
        rows = gradients_of(model, list(losses.values()))
        record = engine.backward(losses)
        assert model.norm.num_batches_tracked == model.calls == step
        for (name, parameter), *column in zip(model.named_parameters(), *rows, strict=True):
            if name.startswith(("unused", "frozen")):
                assert parameter.grad is None
                continue
            is_inside = name.startswith(("first", "norm"))
            if kind is EqualLayers and is_inside:
                a = record.block_coefficients[0 if name.startswith("first") else 1]
            else:
                a = record.coefficients if is_inside else record.weights
            wanted = sum(factor * g for factor, g in zip(a, column, strict=True))
            torch.testing.assert_close(parameter.grad, wanted)
        model.zero_grad()
