"""Coefficients from the gradients of shared features, and one backward pass after them."""

import pytest
import torch
from torch import Tensor, nn

from gradtruce.balance import CAMEGrad, Linear
from gradtruce.gradients import TaskGradients, TaskStatistics
from gradtruce.gradients.balancer import Balancer
from tests.gradients.toys import WEIGHTS, EqualNorms, InverseLoss, batch, gradients_of


class Split(nn.Module):
    """Returns losses, and the features that they are computed from."""

    def __init__(self, *, skips: bool = False) -> None:
        super().__init__()
        self.trunk = nn.Linear(6, 5)
        self.report, self.findings = nn.Linear(5, 6), nn.Linear(5, 2)
        self.unused = nn.Linear(2, 2)
        self.skips = skips

    def forward(self, data: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        features = self.trunk(data).tanh()
        report = self.report(features)
        if self.skips:  # the trunk's weight is used behind the features, too, as tied ones are
            report = report @ self.trunk.weight.T
        losses = {
            "report": report.square().mean(),
            "findings": self.findings(features).sub(1.0).pow(4).mean(),
        }
        return losses, features


def feature_rows(losses: dict[str, Tensor], features: Tensor) -> Tensor:
    rows = [torch.autograd.grad(loss, features, retain_graph=True)[0] for loss in losses.values()]
    return torch.stack([row.flatten() for row in rows])


@pytest.mark.parametrize("skips", [False, True])
@pytest.mark.parametrize("kind", [CAMEGrad, EqualNorms])
def test_coefficients_come_from_the_features(kind: type[Balancer], skips: bool) -> None:
    model = Split(skips=skips).double()
    engine = TaskGradients(model, kind(), weights=WEIGHTS, scope="features")
    for seed in range(3):
        data = batch(seed=seed).double()
        losses, features = model(data)
        J = feature_rows(losses, features)
        weights = torch.tensor(list(WEIGHTS.values()), dtype=torch.float64)
        wanted = kind().coefficients(TaskStatistics(J @ J.T, weights=weights))
        rows = gradients_of(model, list(losses.values()))
        record = engine.backward(losses, features=features)
        torch.testing.assert_close(record.coefficients, wanted)
        torch.testing.assert_close(record.gramian, J @ J.T)
        for place, parameter in enumerate(model.parameters()):
            if parameter.grad is None:
                assert place >= 6
                continue
            factors = record.coefficients if place < 2 else weights
            update = sum(a * row[place] for a, row in zip(factors, rows, strict=True))
            torch.testing.assert_close(parameter.grad, update)
        model.zero_grad()
    assert "scope: features, 2 of 8 parameters" in engine.describe()


def test_after_the_first_step_the_trunk_is_passed_once() -> None:
    model = Split()
    passes = []
    model.trunk.weight.register_hook(lambda _: passes.append(1))
    engine = TaskGradients(model, CAMEGrad(), weights=WEIGHTS, scope="features")
    for seed in range(2):
        passes.clear()
        losses, features = model(batch(seed=seed))
        engine.backward(losses, features=features)
        model.zero_grad()
    assert len(passes) == 1


def test_several_features_count_together() -> None:
    model = Split().double()
    losses, features = model(batch().double())
    engine = TaskGradients(model, CAMEGrad(), weights=WEIGHTS, scope="features")
    whole = engine.backward(losses, features=features)
    model.zero_grad()
    parts = model.trunk(batch().double()).tanh().split(2, dim=1)
    joined = torch.cat(parts, dim=1)
    losses = {
        "report": model.report(joined).square().mean(),
        "findings": model.findings(joined).sub(1.0).pow(4).mean(),
    }
    engine = TaskGradients(model, CAMEGrad(), weights=WEIGHTS, scope="features")
    torch.testing.assert_close(engine.backward(losses, features=parts).gramian, whole.gramian)


def test_the_scope_is_kept_in_the_state() -> None:
    model = Split()
    engine = TaskGradients(model, CAMEGrad(), weights=WEIGHTS, scope="features")
    losses, features = model(batch())
    engine.backward(losses, features=features)
    model.zero_grad()
    resumed = TaskGradients(model, CAMEGrad(), weights=WEIGHTS, scope="features")
    resumed.load_state_dict(engine.state_dict())
    assert resumed.describe() == engine.describe()
    found = []
    for each in (engine, resumed):
        losses, features = model(batch(seed=2))
        each.backward(losses, features=features)
        found.append([p.grad for p in model.parameters() if p.grad is not None])
        model.zero_grad()
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


def test_features_may_be_looked_at_every_few_steps() -> None:
    model = Split()
    engine = TaskGradients(model, CAMEGrad(), weights=WEIGHTS, scope="features", every=2)
    losses, features = model(batch())
    first = engine.backward(losses, features=features)
    model.zero_grad()
    second = engine.backward(model(batch(seed=2))[0])
    assert second.gramian is None
    torch.testing.assert_close(second.coefficients, first.coefficients)


@pytest.mark.parametrize("kind", [Linear, InverseLoss])
def test_losses_alone_look_at_no_features(kind: type[Balancer]) -> None:
    model = Split()
    record = TaskGradients(model, kind(), weights=WEIGHTS, scope="features").backward(
        model(batch())[0]
    )
    assert record.gramian is None
    model.zero_grad()
    losses, features = model(batch())
    looked = TaskGradients(
        model, kind(), weights=WEIGHTS, scope="features", diagnostics=True
    ).backward(losses, features=features)
    assert looked.gramian is not None
    torch.testing.assert_close(looked.coefficients, record.coefficients)


def test_with_a_scaler() -> None:
    model = Split().double()
    losses, features = model(batch().double())
    engine = TaskGradients(model, CAMEGrad(), weights=WEIGHTS, scope="features")
    wanted = engine.backward(losses, features=features)
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    model.zero_grad()
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)
    losses, features = model(batch().double())
    engine = TaskGradients(model, CAMEGrad(), weights=WEIGHTS, scope="features", scaler=scaler)
    record = engine.backward(losses, features=features)
    torch.testing.assert_close(record.gramian, wanted.gramian)
    found = [p.grad for p in model.parameters() if p.grad is not None]
    for mine, theirs in zip(found, gradients, strict=True):
        torch.testing.assert_close(mine / 2.0**10, theirs)


def engine_of(model: nn.Module) -> TaskGradients:
    return TaskGradients(model, CAMEGrad(), weights=WEIGHTS, scope="features")


def test_bad_features_are_refused_before_anything_changes() -> None:
    model = Split()
    losses, features = model(batch())
    for given, message in [
        (None, "give it as backward"),
        ([], "at least one tensor"),
        (features.detach(), "look for a detach"),
        (2 * features, "no loss depends on the features"),
        (2 * torch.ones(1, requires_grad=True), "no parameter of the model lies before"),
    ]:
        engine = engine_of(model)
        with pytest.raises(ValueError, match=message):
            engine.backward(losses, features=given)
        assert "completed steps: 0" in engine.describe()
        assert all(p.grad is None for p in model.parameters())
    broken = {name: loss * torch.nan for name, loss in losses.items()}
    with pytest.raises(FloatingPointError):
        engine_of(model).backward(broken, features=features)
    engine_of(model).backward(losses, features=features)  # the graph is still whole


def test_features_need_their_scope_and_whole_batches() -> None:
    model = Split()
    losses, features = model(batch())
    with pytest.raises(ValueError, match="made with scope='features'"):
        TaskGradients(model, CAMEGrad(), weights=WEIGHTS).backward(losses, features=features)
    with pytest.raises(ValueError, match="cannot add up micro-batches"):
        engine_of(model).backward(losses, last=False, features=features)
    with pytest.raises(ValueError, match="contradicts scope='features'"):
        TaskGradients(
            model,
            CAMEGrad(),
            weights=WEIGHTS,
            scope="features",
            shared=list(model.trunk.parameters()),
        )


def test_losses_alone_may_come_in_micro_batches() -> None:
    model = Split()
    engine = TaskGradients(model, Linear(), weights=WEIGHTS, scope="features")
    engine.backward(model(batch())[0], last=False)
    assert engine.backward(model(batch(seed=2))[0]).step == 1
