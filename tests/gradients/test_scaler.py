"""With a gradient scaler: the same updates, and overflow that leaves no trace."""

import pytest
import torch
from torch import nn

from gradtruce.balance import CAMEGrad, Linear
from gradtruce.gradients import StepRecord, TaskGradients
from gradtruce.gradients.balancer import Balancer, FeatureReader, TaskStatistics
from tests.gradients.toys import (
    WEIGHTS,
    EqualLayers,
    InverseLoss,
    Noisy,
    Remembering,
    TwoHeads,
    batch,
    gradients_of,
)
from tests.laws.balancers import balancers, make

ODD = (EqualLayers, Noisy, Remembering, InverseLoss)
in_a_plain_model = balancers(lambda kind: not issubclass(kind, FeatureReader))
SCALE = 2.0**16


def scaler(scale: float = SCALE) -> torch.amp.GradScaler:
    return torch.amp.GradScaler("cpu", init_scale=scale)


def after_steps(
    kind: type[Balancer], dtype: torch.dtype, with_scaler: bool
) -> tuple[list[torch.Tensor], StepRecord]:
    torch.manual_seed(0)
    model = TwoHeads().to(dtype)
    options = {"scaler": scaler()} if with_scaler else {}
    engine = TaskGradients(model, make(kind), weights=WEIGHTS, seed=5, **options)
    engine.epoch = 0
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    record = None
    for seed in range(3):
        record = engine.step(lambda seed=seed: model(batch(seed=seed).to(dtype)), optimizer)
    return [p.detach() for p in model.parameters()], record


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@in_a_plain_model
def test_the_update_agrees_with_and_without(kind: type[Balancer], dtype: torch.dtype) -> None:
    check_agreement(kind, dtype)


@pytest.mark.parametrize("kind", ODD)
def test_so_do_noise_blocks_and_second_looks(kind: type[Balancer]) -> None:
    check_agreement(kind, torch.float64)


def check_agreement(kind: type[Balancer], dtype: torch.dtype) -> None:
    wanted, plain = after_steps(kind, dtype, with_scaler=False)
    found, record = after_steps(kind, dtype, with_scaler=True)
    exact = 1e-9 if dtype == torch.float64 else 1e-4
    for mine, theirs in zip(found, wanted, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=exact, atol=exact / 10)
    torch.testing.assert_close(record.coefficients, plain.coefficients, rtol=exact, atol=exact)
    if plain.gramian is not None:
        torch.testing.assert_close(record.gramian, plain.gramian, rtol=exact, atol=exact)


@pytest.mark.parametrize("balancer", [CAMEGrad, Linear, InverseLoss])
def test_gradients_stay_scaled(balancer: type[Balancer]) -> None:
    model, data = TwoHeads().double(), batch().double()
    TaskGradients(model, balancer(), weights=WEIGHTS).backward(model(data))
    plain = [p.grad for p in model.parameters()]
    model.zero_grad()
    TaskGradients(model, balancer(), weights=WEIGHTS, scaler=scaler()).backward(model(data))
    for parameter, gradient in zip(model.parameters(), plain, strict=True):
        if gradient is not None:
            torch.testing.assert_close(parameter.grad, SCALE * gradient)


def test_micro_batches_are_scaled_alike() -> None:
    model, data = TwoHeads().double(), batch().double()
    whole = TaskGradients(model, CAMEGrad(), weights=WEIGHTS).backward(model(data))
    model.zero_grad()
    engine = TaskGradients(model, CAMEGrad(), weights=WEIGHTS, scaler=scaler())
    for place, part in enumerate(data.split(2)):
        losses = {name: loss / 2 for name, loss in model(part).items()}
        record = engine.backward(losses, last=place == 1)
    torch.testing.assert_close(record.gramian, whole.gramian)
    torch.testing.assert_close(record.losses, whole.losses)


class Stateful(Balancer, name="toy_stateful"):
    """Keeps the mean of all Gramians it has seen."""

    seen: torch.Tensor
    count: torch.Tensor

    def bind(self, tasks: list[str]) -> None:
        self.register_buffer("seen", torch.zeros(len(tasks), len(tasks), dtype=torch.float64))
        self.register_buffer("count", torch.zeros((), dtype=torch.float64))

    def coefficients(self, step: TaskStatistics) -> torch.Tensor:
        self.seen = self.seen + step.gramian
        self.count += 1
        return step.weights


class LosingLosses(Balancer, name="toy_losing", needs="losses"):
    """Keeps the sum of all losses."""

    seen: torch.Tensor

    def bind(self, tasks: list[str]) -> None:
        self.register_buffer("seen", torch.zeros(len(tasks), dtype=torch.float64))

    def coefficients(self, step: TaskStatistics) -> torch.Tensor:
        self.seen += step.losses
        return step.weights


for _toy in (Stateful, LosingLosses):
    del Balancer.known[_toy.name]


@pytest.mark.parametrize("kind", [Stateful, LosingLosses, CAMEGrad, Linear])
def test_an_overflow_is_skipped_and_leaves_no_trace(kind: type[Balancer]) -> None:
    torch.manual_seed(0)
    model, balancer = TwoHeads(), kind()
    growing = scaler(2.0**127)  # overflows in float32
    engine = TaskGradients(model, balancer, weights=WEIGHTS, scaler=growing)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    before = [p.detach().clone() for p in model.parameters()]
    state = {name: value.clone() for name, value in balancer.state_dict().items()}
    record = engine.step(lambda: model(100 * batch()), optimizer)
    assert not record.finite
    assert record.to_dict()["finite"] is False
    assert growing.get_scale() == 2.0**126
    for parameter, old in zip(model.parameters(), before, strict=True):
        assert torch.equal(parameter, old)
    for name, value in balancer.state_dict().items():
        assert torch.equal(value, state[name])
    steps = 0
    while not record.finite or torch.equal(model.trunk[0].weight, before[0]):
        record, steps = engine.step(lambda: model(100 * batch()), optimizer), steps + 1
    assert 1 < steps < 100
    assert record.coefficients.isfinite().all()


def test_a_loss_that_is_not_finite_is_skipped_though_its_gradient_is() -> None:
    model, data = TwoHeads(), batch()
    engine = TaskGradients(model, Linear(), weights=WEIGHTS, scaler=scaler())
    losses = model(data)
    losses["report"] = losses["report"] + torch.inf
    record = engine.backward(losses)
    assert not record.finite
    assert not any(p.grad.isfinite().all() for p in model.trunk.parameters())


@pytest.mark.parametrize("kind", [CAMEGrad, Linear])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=["bf16", "fp16"])
def test_under_autocast_the_update_is_the_combination_of_autocast_gradients(
    kind: type[Balancer], dtype: torch.dtype
) -> None:
    model, data = TwoHeads(), batch()
    with torch.autocast("cpu", dtype):
        losses = model(data)
    scaled = [loss * 256.0 for loss in losses.values()]
    rows = [[g / 256.0 for g in row] for row in gradients_of(model, scaled)]
    with torch.autocast("cpu", dtype):
        losses = model(data)
    record = TaskGradients(model, kind(), weights=WEIGHTS, scaler=scaler(256.0)).backward(losses)
    assert record.finite
    for place, parameter in enumerate(model.parameters()):
        if parameter.grad is None:
            continue
        factors = record.coefficients if place < 4 else record.weights
        wanted = sum(a * row[place].double() for a, row in zip(factors, rows, strict=True))
        error = (parameter.grad.double() / 256.0 - wanted).norm() / wanted.norm()
        assert error < (1e-6 if kind is CAMEGrad else 2e-2)  # of one pass, rounded within


def test_a_scaler_that_is_switched_off_is_as_none() -> None:
    model, optimizer_calls = TwoHeads(), []
    off = torch.amp.GradScaler("cpu", enabled=False)
    engine = TaskGradients(model, CAMEGrad(), weights=WEIGHTS, scaler=off, check="now")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    optimizer.register_step_pre_hook(lambda *_: optimizer_calls.append(model.trunk[0].weight.grad))
    engine.step(lambda: model(batch()), optimizer)
    assert len(optimizer_calls) == 1
    with pytest.raises(FloatingPointError):
        engine.backward({name: loss * torch.nan for name, loss in model(batch()).items()})


def test_a_check_beside_a_scaler_is_refused() -> None:
    with pytest.raises(ValueError, match="check='now' contradicts scaler="):
        TaskGradients(TwoHeads(), CAMEGrad(), weights=WEIGHTS, scaler=scaler(), check="now")


def test_the_loop_of_the_torch_documentation_works() -> None:
    torch.manual_seed(0)
    model, mine = TwoHeads(), scaler()
    twin = TwoHeads()
    twin.load_state_dict(model.state_dict())
    theirs = scaler()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    plain = torch.optim.SGD(twin.parameters(), lr=0.01)
    engine = TaskGradients(model, Linear(), weights=WEIGHTS, scaler=mine)
    for seed in range(3):
        engine.backward(model(batch(seed=seed)))
        mine.unscale_(optimizer)
        nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        mine.step(optimizer)
        mine.update()
        optimizer.zero_grad()
        losses = twin(batch(seed=seed))
        theirs.scale(losses["report"] + 4 * losses["findings"]).backward()
        theirs.unscale_(plain)
        nn.utils.clip_grad_norm_(twin.parameters(), 0.5)
        theirs.step(plain)
        theirs.update()
        plain.zero_grad()
    for a, b in zip(model.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(a, b)
