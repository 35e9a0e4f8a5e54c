"""The interface of the authors' trainer, around any optimizer."""

import copy
from functools import partial

import pytest
import torch
from torch import Tensor, nn

import gradtruce as gt
from tests.gradients.toys import Remembering, TwoHeads, batch


def setting(**options: object) -> tuple[TwoHeads, torch.optim.Optimizer, torch.optim.Optimizer]:
    torch.manual_seed(0)
    model = TwoHeads().double()
    inner = torch.optim.AdamW(model.parameters(), lr=0.01)
    return model, inner, gt.wrap(inner, gt.CAMEGrad(), **options)


def losses_of(model: nn.Module, seed: int = 1) -> list[Tensor]:
    return list(model(batch(seed=seed).double()).values())


def test_a_step_is_that_of_the_engine() -> None:
    model, _, optimizer = setting()
    same = copy.deepcopy(model)
    plain = torch.optim.AdamW(same.parameters(), lr=0.01)
    engine = gt.TaskGradients(same, gt.CAMEGrad(), weights={"report": 1.0, "findings": 4.0})
    for seed in range(3):
        record = optimizer.step(losses_of(model, seed), task_weights=[1.0, 4.0])
        wanted = engine.backward(same(batch(seed=seed).double()))
        plain.step()
        plain.zero_grad()
        assert torch.equal(record.coefficients, wanted.coefficients)
    for one, other in zip(model.parameters(), same.parameters(), strict=True):
        assert torch.equal(one, other)
        assert one.grad is None


def test_a_schedule_changes_the_optimizer_inside() -> None:
    model, inner, optimizer = setting(task_weights=[1.0, 4.0])
    schedules = [
        torch.optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: 0.5**epoch),
        torch.optim.lr_scheduler.LinearLR(optimizer, start_factor=1.0),
    ]
    optimizer.step(losses_of(model))
    schedules[0].step()
    assert inner.param_groups[0]["lr"] == optimizer.param_groups[0]["lr"] == 0.005
    assert optimizer.state is inner.state
    assert optimizer.defaults is inner.defaults


@pytest.mark.parametrize("is_a_function", [True, False])
def test_a_scaler_changes_no_update(is_a_function: bool) -> None:
    scaler = torch.amp.GradScaler("cpu", init_scale=256.0)
    plain_model, _, plain = setting(task_weights=[1.0, 4.0])
    model, _, scaled = setting(task_weights=[1.0, 4.0], scaler=scaler)
    for seed in range(2):
        plain.step(losses_of(plain_model, seed))
        losses = losses_of(model, seed)
        scaled.step(partial(list, losses) if is_a_function else losses)
    for one, other in zip(model.parameters(), plain_model.parameters(), strict=True):
        torch.testing.assert_close(one, other)


def test_weights_of_one_are_the_default() -> None:
    model, _, optimizer = setting()
    assert optimizer.step(losses_of(model)).weights.tolist() == [1.0, 1.0]


@pytest.mark.parametrize("is_named", [True, False])
def test_a_state_makes_a_round_trip(is_named: bool) -> None:
    first, _, optimizer = setting()
    optimizer.step(losses_of(first), task_weights=[1.0, 4.0])
    second = copy.deepcopy(first)
    resumed = gt.wrap(
        torch.optim.AdamW(second.parameters(), lr=0.5),
        gt.CAMEGrad(),
        task_weights=[1.0, 4.0] if is_named else None,
    )
    resumed.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    assert resumed.param_groups[0]["lr"] == 0.01
    records = [o.step(losses_of(m, 2)) for o, m in ((optimizer, first), (resumed, second))]
    assert records[0].step == records[1].step == 2
    for one, other in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(one, other)


def test_a_state_from_before_the_first_step_is_that_of_the_optimizer_alone() -> None:
    _, _, fresh = setting()
    model, _, optimizer = setting()
    optimizer.load_state_dict(fresh.state_dict())
    assert optimizer.step(losses_of(model), task_weights=[1.0, 2.0]).step == 1


def test_a_balancer_that_sees_losses_again_takes_a_function() -> None:
    torch.manual_seed(0)
    model, balancer = TwoHeads().double(), Remembering()
    optimizer = gt.wrap(torch.optim.SGD(model.parameters(), lr=0.01), balancer)
    with pytest.raises(ValueError, match="task_weights"):
        optimizer.step(lambda: losses_of(model))
    optimizer.step(lambda: losses_of(model), task_weights=[1.0, 4.0])
    assert (balancer.after != balancer.before).all()
    with pytest.raises(TypeError, match="see losses again"):
        optimizer.step(losses_of(model))


@pytest.mark.parametrize("is_a_function", [True, False])
def test_a_parameter_in_no_optimizer_is_refused(is_a_function: bool) -> None:
    model = TwoHeads()
    optimizer = gt.wrap(torch.optim.SGD(model.trunk.parameters(), lr=0.1), gt.CAMEGrad())
    before = copy.deepcopy(model.state_dict())
    losses = losses_of(model.double())
    with pytest.raises(ValueError, match=r"4 parameters in no group of the optimizer"):
        optimizer.step((lambda: losses) if is_a_function else losses, task_weights=[1.0, 1.0])
    assert all(
        torch.equal(before[key].double(), value) for key, value in model.state_dict().items()
    )
    assert all(parameter.grad is None for parameter in model.parameters())


def test_a_parameter_of_the_model_in_no_optimizer_is_refused_at_once() -> None:
    model = TwoHeads()
    inner = torch.optim.SGD(model.trunk.parameters(), lr=0.1)
    with pytest.raises(ValueError, match=r"'report\.weight' \(and 5 others\)"):
        gt.wrap(inner, gt.CAMEGrad(), model=model)


def test_bad_arguments_are_refused() -> None:
    model, inner, optimizer = setting()
    with pytest.raises(TypeError):
        gt.wrap(model, gt.CAMEGrad())
    with pytest.raises(TypeError):
        gt.wrap(inner, gt.CAMEGrad)
    with pytest.raises(TypeError, match=r"nn\.Parameter; number 0 of group 0"):
        gt.wrap(torch.optim.SGD([torch.ones(1, requires_grad=True)]), gt.CAMEGrad())
    with pytest.raises(ValueError, match="at least 0, got -1"):
        optimizer.step(losses_of(model), task_weights=[1.0, -1.0])
    optimizer.step(losses_of(model), task_weights=[1.0, 4.0])
    with pytest.raises(ValueError, match=r"stay as they were, \[1\.0, 4\.0\]"):
        optimizer.step(losses_of(model), task_weights=[1.0, 5.0])
    with pytest.raises(ValueError, match="there must be 2 losses"):
        optimizer.step(losses_of(model)[:1])


def test_groups_can_be_added_before_the_first_step() -> None:
    model = TwoHeads().double()
    optimizer = gt.wrap(torch.optim.SGD(model.trunk.parameters(), lr=0.1), gt.CAMEGrad())
    heads = [*model.report.parameters(), *model.findings.parameters()]
    optimizer.add_param_group({"params": heads, "lr": 0.2})
    optimizer.step(losses_of(model))
    assert len(optimizer.param_groups) == 2
    with pytest.raises(RuntimeError, match="add groups before"):
        optimizer.add_param_group({"params": list(model.unused.parameters())})


def test_gradients_left_over_are_refused_and_zero_grad_empties_them() -> None:
    model, _, optimizer = setting()
    sum(losses_of(model)).backward()
    with pytest.raises(ValueError, match="has a gradient already"):
        optimizer.step(losses_of(model))
    optimizer.zero_grad()
    optimizer.step(losses_of(model))


@pytest.mark.parametrize("is_a_function", [False, True])
def test_a_scaler_takes_the_step_and_changes_nothing(is_a_function: bool) -> None:
    weights = []
    for scaler in (None, torch.amp.GradScaler("cpu", init_scale=1024.0, growth_interval=2)):
        torch.manual_seed(0)
        model = TwoHeads().double()
        inner = torch.optim.SGD(model.parameters(), lr=0.01)
        optimizer = gt.wrap(inner, gt.CAMEGrad(), task_weights=[1.0, 4.0], scaler=scaler)
        for seed in range(3):
            give = lambda model=model, seed=seed: losses_of(model, seed)  # noqa: E731
            optimizer.step(give if is_a_function else give())
        weights.append([p.detach().clone() for p in model.parameters()])
    assert scaler.get_scale() == 2048.0
    for plain, scaled in zip(*weights, strict=True):
        torch.testing.assert_close(scaled, plain, rtol=1e-12, atol=1e-15)
