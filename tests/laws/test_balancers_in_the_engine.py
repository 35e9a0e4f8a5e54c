"""What every balancer must obey when the engine drives it, on a model."""

import torch
from torch import Tensor, nn

from gradtruce.gradients import TaskGradients
from gradtruce.gradients.balancer import (
    Balancer,
    FeatureReader,
    GradientNoise,
    RowTransform,
)
from gradtruce.gradients.rotations import Rotations
from tests.laws.balancers import balancers, every_balancer, make

NAMES = ("a", "b", "c")


class Bowls(nn.Module):
    """Three losses of the same numbers, each with another target; seen through rotations if asked.

    What is rotated is two samples of three features.
    """

    def __init__(self, kind: type[Balancer]) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(2)
        self.place = nn.Parameter(torch.randn(2, 3, generator=generator))
        self.rotations = Rotations(NAMES, width=3) if issubclass(kind, FeatureReader) else None
        self.targets = torch.randn(3, 2, 3, dtype=torch.float64, generator=generator)
        self.to(torch.float64)

    def forward(self) -> dict[str, Tensor]:
        seen = dict.fromkeys(NAMES, self.place)
        if self.rotations is not None:
            seen = self.rotations(self.place)
        return {
            name: (seen[name] - target).pow(4).sum()
            for name, target in zip(NAMES, self.targets, strict=True)
        }


def engine(model: nn.Module, kind: type[Balancer], **options: object) -> TaskGradients:
    weights = {"a": 1.0, "b": 2.0, "c": 4.0}
    gradients = TaskGradients(
        model, make(kind), weights=weights, diagnostics=True, seed=1, **options
    )
    gradients.epoch = 0
    return gradients


def is_sum_of_task_gradients(kind: type[Balancer]) -> bool:
    return not issubclass(kind, RowTransform | GradientNoise)


@balancers(is_sum_of_task_gradients)
def test_one_backward_pass_of_the_weighted_losses_gives_the_same_update(
    kind: type[Balancer],
) -> None:
    model, again = Bowls(kind), Bowls(kind)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    seen: list[tuple[Tensor, Tensor]] = []
    optimizer.register_step_pre_hook(
        lambda *_: seen.append((model.place.detach().clone(), model.place.grad.clone()))
    )
    gradients = engine(model, kind)
    for _ in range(3):
        again.load_state_dict(model.state_dict())
        record = gradients.step(model, optimizer)
        place, found = seen[-1]
        again.place.data.copy_(place)
        shares = torch.where(record.active, record.coefficients, 0.0)
        total = (shares * torch.stack(list(again().values()))).sum()
        torch.testing.assert_close(found, torch.autograd.grad(total, again.place)[0])


@every_balancer
def test_a_resumed_run_goes_on_as_if_never_stopped(kind: type[Balancer]) -> None:
    def trained(*, stops: bool) -> Tensor:
        model = Bowls(kind)
        optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
        gradients = engine(model, kind)
        for place in range(6):
            if stops and place == 3:
                state, weights = gradients.state_dict(), model.state_dict()
                model = Bowls(kind)
                model.load_state_dict(weights)
                optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
                gradients = engine(model, kind)
                gradients.load_state_dict(state)
            gradients.step(model, optimizer)
        return model.place.detach()

    assert torch.equal(trained(stops=True), trained(stops=False))


@every_balancer
def test_a_step_descends_where_the_tasks_agree(kind: type[Balancer]) -> None:
    model = Bowls(kind)
    model.targets = model.targets[:1] + 0.01 * model.targets
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4)
    gradients = engine(model, kind)
    before = model()
    for _ in range(30):
        gradients.step(model, optimizer)
    after = model()
    assert all(after[name] < before[name] for name in NAMES)
