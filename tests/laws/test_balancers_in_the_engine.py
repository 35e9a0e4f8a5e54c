"""What every balancer must obey when the engine drives it, on a model."""

import torch
from torch import Tensor, nn

from gradtruce.gradients import TaskGradients
from gradtruce.gradients.balancer import Balancer, GradientNoise, RowTransform
from tests.laws.balancers import balancers, every_balancer, make

NAMES = ("a", "b", "c")


class Bowls(nn.Module):
    """Three losses of the same numbers, each with another target."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(2)
        self.place = nn.Parameter(torch.randn(6, dtype=torch.float64, generator=generator))
        self.targets = torch.randn(3, 6, dtype=torch.float64, generator=generator)

    def forward(self) -> dict[str, Tensor]:
        away = (self.place - self.targets).pow(4).sum(-1)
        return dict(zip(NAMES, away.unbind(), strict=True))


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
    model = Bowls()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    seen: list[tuple[Tensor, Tensor]] = []
    optimizer.register_step_pre_hook(
        lambda *_: seen.append((model.place.detach().clone(), model.place.grad.clone()))
    )
    gradients = engine(model, kind)
    for _ in range(3):
        record = gradients.step(model, optimizer)
        place, found = seen[-1]
        again = Bowls()
        again.load_state_dict({"place": place})
        losses = [
            loss for loss, is_in in zip(again().values(), record.active, strict=True) if is_in
        ]
        total = (record.coefficients[record.active] * torch.stack(losses)).sum()
        torch.testing.assert_close(found, torch.autograd.grad(total, again.place)[0])


@every_balancer
def test_a_resumed_run_goes_on_as_if_never_stopped(kind: type[Balancer]) -> None:
    def trained(*, stops: bool) -> Tensor:
        model = Bowls()
        optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
        gradients = engine(model, kind)
        for place in range(6):
            if stops and place == 3:
                state, gradients = gradients.state_dict(), engine(model, kind)
                gradients.load_state_dict(state)
            gradients.step(model, optimizer)
        return model.place.detach()

    assert torch.equal(trained(stops=True), trained(stops=False))


@every_balancer
def test_a_step_descends_where_the_tasks_agree(kind: type[Balancer]) -> None:
    model = Bowls()
    model.targets = model.targets[:1] + 0.01 * model.targets
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4)
    gradients = engine(model, kind)
    before = model()
    for _ in range(30):
        gradients.step(model, optimizer)
    after = model()
    assert all(after[name] < before[name] for name in NAMES)
