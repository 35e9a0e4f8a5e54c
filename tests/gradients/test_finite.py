import copy

import pytest
import torch
from torch import Tensor

from gradtruce.balance import CAMEGrad, GradNorm, Linear, UncertaintyWeighting
from gradtruce.gradients import TaskGradients
from gradtruce.gradients.balancer import Balancer
from tests.gradients.toys import WEIGHTS, Noisy, TwoHeads, batch

BROKEN = ["loss", "shared gradient", "private gradient"]


def broken_losses(model: TwoHeads, kind: str) -> dict[str, Tensor]:
    losses = model(batch())
    if kind == "loss":
        losses["findings"] = losses["findings"] * torch.nan
    elif kind == "shared gradient":
        features = model.trunk(batch())
        losses["findings"] = losses["findings"] + (features - features).abs().sqrt().sum() * 1.0
    else:
        losses["findings"] = losses["findings"] + (model.findings.bias * 0.0).abs().sqrt().sum()
    return losses


def engine_of(model: TwoHeads, balancer: Balancer, check: str | None = None) -> TaskGradients:
    return TaskGradients(model, balancer, weights=WEIGHTS, check=check, seed=0)


@pytest.mark.parametrize("balancer", [CAMEGrad(), Linear()])
@pytest.mark.parametrize("kind", BROKEN)
def test_now_raises_before_gradients_change(kind: str, balancer: Balancer) -> None:
    model = TwoHeads()
    engine = engine_of(model, balancer)
    engine.backward(model(batch()))
    before = [None if p.grad is None else p.grad.clone() for p in model.parameters()]
    with pytest.raises(FloatingPointError, match="is not finite in step 2; lower the learning"):
        engine.backward(broken_losses(model, kind), add=True)
    for parameter, kept in zip(model.parameters(), before, strict=True):
        assert (parameter.grad is None) == (kept is None)
        assert kept is None or torch.equal(parameter.grad, kept)


@pytest.mark.parametrize("kind", BROKEN)
def test_the_error_names_the_task(kind: str) -> None:
    model = TwoHeads()
    with pytest.raises(FloatingPointError, match="task 'findings'"):
        engine_of(model, CAMEGrad()).backward(broken_losses(model, kind))


@pytest.mark.parametrize("balancer", [CAMEGrad(), Linear(), Noisy()])
@pytest.mark.parametrize("kind", BROKEN)
def test_deferred_writes_zeros_and_raises_at_the_next_call(kind: str, balancer: Balancer) -> None:
    model = TwoHeads()
    engine = engine_of(model, balancer, check="deferred")
    assert engine.backward(model(batch())).finite
    model.zero_grad()
    record = engine.backward(broken_losses(model, kind))
    assert not record.finite
    assert not any(p.grad.any() for p in model.parameters() if p.grad is not None)
    model.zero_grad()
    with pytest.raises(FloatingPointError, match="step 2"):
        engine.backward(model(batch()))
    assert all(p.grad is None for p in model.parameters())
    engine.backward(model(batch()))  # told once


def test_close_raises_what_was_deferred() -> None:
    model = TwoHeads()
    engine = engine_of(model, CAMEGrad(), check="deferred")
    engine.backward(broken_losses(model, "loss"))
    with pytest.raises(FloatingPointError, match="step 1"):
        engine.close()


def test_a_step_that_was_refused_does_not_count() -> None:
    model = TwoHeads()
    engine = engine_of(model, CAMEGrad())
    with pytest.raises(FloatingPointError):
        engine.backward(broken_losses(model, "loss"))
    assert engine.backward(model(batch())).step == 1


def fail(_: Tensor) -> None:
    raise RuntimeError("out of memory")


@pytest.mark.parametrize("kind", [CAMEGrad, UncertaintyWeighting, GradNorm])
@pytest.mark.parametrize("add", [False, True])
def test_a_backward_pass_that_fails_leaves_no_trace(kind: type[Balancer], add: bool) -> None:
    model = TwoHeads()
    engine = engine_of(model, kind())
    engine.backward(model(batch()))
    if not add:
        model.zero_grad()
    gradients = [None if p.grad is None else p.grad.clone() for p in model.parameters()]
    before = copy.deepcopy(engine.state_dict())
    losses = model(batch())
    losses["findings"].register_hook(fail)
    with pytest.raises(RuntimeError, match="out of memory"):
        engine.backward(losses, add=add)
    for parameter, kept in zip(model.parameters(), gradients, strict=True):
        assert (parameter.grad is None) == (kept is None)
        assert kept is None or torch.equal(parameter.grad, kept)
    after = engine.state_dict()
    assert after["steps"] == before["steps"]
    for name, value in after["balancer"].items():
        assert torch.equal(value, before["balancer"][name]), name
    assert engine.backward(model(batch()), add=add).step == 2
