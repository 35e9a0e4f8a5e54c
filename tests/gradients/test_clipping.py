"""Clipping against torch's own functions on the same update."""

import pytest
import torch
from torch import nn

from gradtruce.balance import CAMEGrad, Linear
from gradtruce.gradients import TaskGradients
from gradtruce.gradients.balancer import Balancer
from gradtruce.gradients.clipping import Clipping
from tests.gradients.toys import WEIGHTS, EqualLayers, InverseLoss, Noisy, TwoHeads, batch

KINDS = [CAMEGrad, Linear, InverseLoss, EqualLayers, Noisy]
kinds = pytest.mark.parametrize("kind", KINDS)


def unclipped(model: nn.Module, kind: type[Balancer], **options: object) -> None:
    data = batch().to(next(model.parameters()).dtype)
    TaskGradients(model, kind(), weights=WEIGHTS, seed=0, **options).backward(model(data))


@kinds
@pytest.mark.parametrize("limit", [0.1, 1e6])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("diagnostics", [False, True])
@pytest.mark.parametrize("scale", [None, 2.0**16])
def test_the_norm_is_clipped_as_by_torch(
    kind: type[Balancer],
    limit: float,
    dtype: torch.dtype,
    diagnostics: bool,
    scale: float | None,
) -> None:
    model, data = TwoHeads().to(dtype), batch().to(dtype)
    unclipped(model, kind)
    norm = nn.utils.clip_grad_norm_(model.parameters(), limit)
    wanted = [p.grad for p in model.parameters()]
    model.zero_grad()
    scaler = None if scale is None else torch.amp.GradScaler("cpu", init_scale=scale)
    engine = TaskGradients(
        model,
        kind(),
        weights=WEIGHTS,
        seed=0,
        clip_norm=limit,
        diagnostics=diagnostics,
        scaler=scaler,
    )
    record = engine.backward(model(data))
    for parameter, gradient in zip(model.parameters(), wanted, strict=True):
        if gradient is None:
            assert parameter.grad is None
        else:
            torch.testing.assert_close(
                parameter.grad / (scale or 1), gradient, rtol=2e-5, atol=1e-7
            )
    torch.testing.assert_close(record.total_norm, norm.double(), rtol=1e-5, atol=0)
    assert bool(record.clipped) == bool(norm > limit)
    line = record.to_dict()
    assert line["clipped"] == bool(norm > limit)
    assert line["total_norm"] == pytest.approx(float(norm), rel=1e-5)


@kinds
@pytest.mark.parametrize("scale", [None, 2.0**16])
def test_values_are_clipped_as_by_torch(kind: type[Balancer], scale: float | None) -> None:
    model = TwoHeads().double()
    unclipped(model, kind)
    nn.utils.clip_grad_value_(model.parameters(), 0.05)
    wanted = [p.grad for p in model.parameters()]
    model.zero_grad()
    scaler = None if scale is None else torch.amp.GradScaler("cpu", init_scale=scale)
    unclipped(model, kind, clip_value=0.05, scaler=scaler)
    for parameter, gradient in zip(model.parameters(), wanted, strict=True):
        if gradient is not None:
            assert gradient.abs().max() <= 0.05
            torch.testing.assert_close(parameter.grad / (scale or 1), gradient)


def test_the_record_tells_the_update_before_clipping() -> None:
    model, data = TwoHeads().double(), batch().double()
    plain = TaskGradients(model, CAMEGrad(), weights=WEIGHTS).backward(model(data))
    assert plain.clipped is None
    model.zero_grad()
    record = TaskGradients(model, CAMEGrad(), weights=WEIGHTS, clip_norm=0.01).backward(model(data))
    torch.testing.assert_close(record.coefficients, plain.coefficients)
    torch.testing.assert_close(record.update_norm, plain.update_norm)
    update = torch.cat([p.grad.flatten() for p in model.trunk.parameters()])
    torch.testing.assert_close(update.norm(), record.clip_factor * record.update_norm)


def test_parameters_outside_that_several_tasks_reach_count_with_their_inner_products() -> None:
    model, data = TwoHeads().double(), batch().double()
    chosen = list(model.trunk[0].parameters())  # the second layer is left outside
    unclipped(model, CAMEGrad, shared=chosen)
    norm = nn.utils.clip_grad_norm_(model.parameters(), 0.1)
    wanted = [p.grad for p in model.parameters()]
    model.zero_grad()
    engine = TaskGradients(model, CAMEGrad(), weights=WEIGHTS, shared=chosen, clip_norm=0.1)
    record = engine.backward(model(data))
    torch.testing.assert_close(record.total_norm, norm)
    for parameter, gradient in zip(model.parameters(), wanted, strict=True):
        if gradient is not None:
            torch.testing.assert_close(parameter.grad, gradient, rtol=1e-5, atol=1e-8)


def test_the_norm_is_that_of_the_step_where_gradients_are_added_up() -> None:
    model, data = TwoHeads().double(), batch().double()
    engine = TaskGradients(model, CAMEGrad(), weights=WEIGHTS, clip_norm=0.1)
    for part in data.split(2):
        engine.backward(model(part), add=True)
    total = torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None]).norm()
    assert 0.1 < total <= 0.2


def test_an_update_of_zero_is_left_alone() -> None:
    assert Clipping(norm=1.0).factor(torch.tensor(0.0)) == 1
    assert Clipping(norm=1.0).factor(torch.tensor(torch.nan)).isnan()


def test_a_broken_step_stays_zero_under_clipping() -> None:
    model = TwoHeads()
    engine = TaskGradients(
        model, CAMEGrad(), weights=WEIGHTS, check="deferred", clip_norm=1.0, clip_value=0.1
    )
    losses = {name: loss * torch.nan for name, loss in model(batch()).items()}
    record = engine.backward(losses)
    assert not record.finite
    assert not any(p.grad.any() for p in model.parameters() if p.grad is not None)
    with pytest.raises(FloatingPointError):
        engine.close()


@pytest.mark.parametrize("limit", [0.0, -1.0, float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["clip_norm", "clip_value"])
def test_a_limit_that_is_none_is_an_error(name: str, limit: float) -> None:
    with pytest.raises(ValueError, match=f"{name} must be above 0 and finite"):
        TaskGradients(TwoHeads(), CAMEGrad(), weights=WEIGHTS, **{name: limit})
