"""What a resumed run needs, of every balancer; and states that are refused."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gradtruce.balance import EMA, CAMEGrad
from gradtruce.gradients import TaskGradients
from gradtruce.gradients.balancer import Balancer, FeatureReader
from tests.gradients.test_scaler import LosingLosses, Stateful
from tests.gradients.toys import WEIGHTS, EqualLayers, TwoHeads, batch
from tests.laws.balancers import balancers, make

in_a_plain_model = balancers(lambda kind: not issubclass(kind, FeatureReader))


def train(engine: TaskGradients, model: nn.Module, seeds: range) -> list[Tensor]:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.005)
    for seed in seeds:
        engine.epoch = seed // 2
        engine.step(lambda seed=seed: model(batch(seed=seed)), optimizer)
    return [p.detach().clone() for p in model.parameters()]


def check_resumed(made: Callable[[], Balancer], **options: Any) -> None:
    torch.manual_seed(0)
    model = TwoHeads()
    twin = copy.deepcopy(model)
    wanted = train(
        TaskGradients(model, made(), weights=WEIGHTS, seed=3, **options), model, range(6)
    )
    first = TaskGradients(twin, made(), weights=WEIGHTS, seed=3, **options)
    train(first, twin, range(3))
    resumed = TaskGradients(twin, made(), weights=WEIGHTS, seed=3, **options)
    resumed.load_state_dict(first.state_dict())
    assert resumed.describe() == first.describe()
    for mine, theirs in zip(train(resumed, twin, range(3, 6)), wanted, strict=True):
        assert torch.equal(mine, theirs)


@in_a_plain_model
def test_a_run_goes_on_as_if_it_had_not_stopped(kind: type[Balancer]) -> None:
    check_resumed(lambda: make(kind))


@pytest.mark.parametrize("made", [EqualLayers, lambda: EMA(CAMEGrad())], ids=["blocks", "ema"])
@pytest.mark.parametrize("options", [{}, {"clip_norm": 0.1}, {"scope": "all"}], ids=str)
def test_so_it_does_with_blocks_wrappers_and_options(
    made: Callable[[], Balancer], options: dict[str, object]
) -> None:
    check_resumed(made, **options)


def test_a_state_that_is_none_is_refused() -> None:
    engine = TaskGradients(TwoHeads(), CAMEGrad(), weights=WEIGHTS)
    with pytest.raises(ValueError, match="it says no schema"):
        engine.load_state_dict(engine._balancer.state_dict())
    state = engine.state_dict()
    with pytest.raises(ValueError, match="has schema 99, this version reads 1"):
        engine.load_state_dict({**state, "schema": 99})
    del state["scope"]
    with pytest.raises(ValueError, match="lacks 'scope'"):
        engine.load_state_dict(state)


def test_a_balancer_of_other_arguments_is_refused_before_anything_changes() -> None:
    class Sized(Balancer, name="toy_sized"):
        def __init__(self, size: int) -> None:
            super().__init__()
            self.register_buffer("fits", torch.zeros(2))
            self.register_buffer("sized", torch.zeros(size))

        def coefficients(self, step: object) -> Tensor:
            return step.weights

    del Balancer.known["toy_sized"]
    model = TwoHeads()
    state = TaskGradients(model, Sized(3), weights=WEIGHTS).state_dict()
    state["balancer"]["fits"] = torch.ones(2)
    balancer = Sized(4)
    engine = TaskGradients(model, balancer, weights=WEIGHTS)
    with pytest.raises(ValueError, match="does not fit this one, which was made with other"):
        engine.load_state_dict(state)
    assert not balancer.fits.any()


@pytest.mark.parametrize("kind", [LosingLosses, Stateful])
@pytest.mark.parametrize("broken", ["loss", "gradient"])
def test_a_refused_step_leaves_no_trace_in_the_balancer(kind: type[Balancer], broken: str) -> None:
    model, balancer = TwoHeads(), kind()
    engine = TaskGradients(model, balancer, weights=WEIGHTS)
    engine.backward(model(batch()))
    model.zero_grad()
    before = {name: value.clone() for name, value in balancer.state_dict().items()}
    losses = model(batch())
    if broken == "loss":
        losses["report"] = losses["report"] * torch.nan
    else:
        model.trunk[3].weight.register_hook(lambda gradient: gradient * torch.inf)
    with pytest.raises(FloatingPointError):
        engine.backward(losses)
    for name, value in balancer.state_dict().items():
        assert torch.equal(value, before[name])
    assert all(p.grad is None for p in model.parameters())
