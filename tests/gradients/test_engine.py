from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from gradtruce.balance import CAMEGrad, Linear
from gradtruce.gradients import StepRecord, TaskGradients
from gradtruce.gradients.balancer import Balancer
from tests.gradients.toys import (
    WEIGHTS,
    EqualNorms,
    InverseLoss,
    TwoHeads,
    batch,
    gradients_of,
)

SHARED = {"trunk.0.weight", "trunk.0.bias", "trunk.3.weight", "trunk.3.bias"}


def grads(model: nn.Module) -> dict[str, Tensor | None]:
    return {name: parameter.grad for name, parameter in model.named_parameters()}


def expected(model: TwoHeads, record: StepRecord, data: Tensor) -> dict[str, Tensor]:
    """Return Jᵀa on the trunk and Σ λ_k g_k elsewhere, in float64 from autograd's gradients."""
    losses = model(data)
    rows = gradients_of(model, [losses["report"], losses["findings"]])
    result = {}
    for (name, _), *column in zip(model.named_parameters(), *rows, strict=True):
        factors = record.coefficients if name in SHARED else record.weights
        result[name] = sum(a * g.double() for a, g in zip(factors, column, strict=True))
    return result


def check_update(model: TwoHeads, record: StepRecord, data: Tensor) -> None:
    found = grads(model)
    for name, wanted in expected(model, record, data).items():
        if name.startswith("unused"):
            assert found[name] is None
        else:
            error = (found[name].double() - wanted).norm() / wanted.norm()
            assert error < 1e-6, name


@pytest.mark.parametrize("balancer", [CAMEGrad(), EqualNorms(), CAMEGrad(fold_weights=True)])
def test_the_update_is_the_combination_of_task_gradients(balancer: Balancer) -> None:
    model, data = TwoHeads(), batch()
    record = TaskGradients(model, balancer, weights=WEIGHTS).backward(model(data))
    check_update(model, record, data)


def test_linear_scalarization_equals_the_weighted_sum_of_losses() -> None:
    model, data = TwoHeads(), batch()
    TaskGradients(model, Linear(), weights=WEIGHTS).backward(model(data))
    found = grads(model)
    model.zero_grad()
    losses = model(data)
    (losses["report"] + 4 * losses["findings"]).backward()
    for name, gradient in grads(model).items():
        torch.testing.assert_close(found[name], gradient)


@pytest.mark.parametrize("balancer", [Linear, InverseLoss])
def test_diagnostics_change_nothing_but_the_record(balancer: type[Balancer]) -> None:
    model, data = TwoHeads(), batch()
    plain = TaskGradients(model, balancer(), weights=WEIGHTS).backward(model(data))
    without = grads(model)
    model.zero_grad()
    looked = TaskGradients(model, balancer(), weights=WEIGHTS, diagnostics=True).backward(
        model(data)
    )
    assert plain.gramian is None
    assert looked.gramian is not None
    torch.testing.assert_close(plain.coefficients, looked.coefficients)
    for name, gradient in grads(model).items():
        torch.testing.assert_close(without[name], gradient)


def test_linear_costs_one_pass_through_the_trunk() -> None:
    model = TwoHeads()
    passes = []
    losses = model(batch())
    model.trunk[3].weight.register_hook(lambda gradient: passes.append(gradient))
    TaskGradients(model, Linear(), weights=WEIGHTS).backward(losses)
    assert len(passes) == 1
    model.zero_grad()
    TaskGradients(model, CAMEGrad(), weights=WEIGHTS).backward(model(batch()))
    assert len(passes) == 1 + 2


def test_gradients_left_by_a_former_step_are_an_error() -> None:
    model = TwoHeads()
    engine = TaskGradients(model, CAMEGrad(), weights=WEIGHTS)
    engine.backward(model(batch()))
    model.zero_grad(set_to_none=False)
    with pytest.raises(ValueError, match=r"zero_grad\(set_to_none=False\)"):
        engine.backward(model(batch()))
    assert not any(g.any() for g in grads(model).values() if g is not None)


def test_add_adds_to_what_is_there() -> None:
    model, data = TwoHeads(), batch()
    engine = TaskGradients(model, CAMEGrad(), weights=WEIGHTS)
    engine.backward(model(data))
    once = {name: g.clone() for name, g in grads(model).items() if g is not None}
    engine.backward(model(data), add=True)
    for name, gradient in once.items():
        torch.testing.assert_close(grads(model)[name], 2 * gradient)


@pytest.mark.parametrize("balancer", [CAMEGrad, Linear, InverseLoss])
@pytest.mark.parametrize("parts", [[4], [1, 3], [1, 1, 2]])
def test_micro_batches_give_the_step_of_the_whole_batch(
    balancer: type[Balancer], parts: list[int]
) -> None:
    model, data = TwoHeads().double(), batch(4).double()
    whole = TaskGradients(model, balancer(), weights=WEIGHTS).backward(model(data))
    wanted = grads(model)
    model.zero_grad()
    engine = TaskGradients(model, balancer(), weights=WEIGHTS)
    record = None
    for place, part in enumerate(data.split(parts)):
        share = len(part) / len(data)
        losses = {name: share * loss for name, loss in model(part).items()}
        assert all(g is None for g in grads(model).values())
        record = engine.backward(losses, last=place == len(parts) - 1)
        assert (record is None) == (place < len(parts) - 1)
    torch.testing.assert_close(record.coefficients, whole.coefficients)
    torch.testing.assert_close(record.losses, whole.losses)
    for name, gradient in grads(model).items():
        torch.testing.assert_close(gradient, wanted[name])


def test_micro_batches_of_linear_cost_one_backward_pass_each() -> None:
    model = TwoHeads()
    passes = []
    model.trunk[3].weight.register_hook(lambda gradient: passes.append(gradient))
    engine = TaskGradients(model, Linear(), weights=WEIGHTS)
    engine.backward(model(batch()), last=False)
    engine.backward(model(batch()))
    assert len(passes) == 2


def test_a_task_may_be_in_one_micro_batch_only() -> None:
    model = TwoHeads().double()
    first, second = batch(2, seed=1).double(), batch(2, seed=2).double()
    engine = TaskGradients(model, EqualNorms(), weights=WEIGHTS)
    engine.backward(model(first), last=False)
    record = engine.backward({"report": model(second)["report"]})
    assert record.active.tolist() == [True, True]
    assert record.losses[1] == model(first)["findings"]


def test_an_error_in_a_backward_pass_leaves_gradients_as_they_were() -> None:
    model = TwoHeads()
    engine = TaskGradients(model, CAMEGrad(), weights=WEIGHTS)
    losses = model(batch())
    losses["findings"].backward()
    model.zero_grad()
    model.trunk[0].weight.grad = torch.ones_like(model.trunk[0].weight)
    with pytest.raises(RuntimeError, match="second time"):
        engine.backward(losses, add=True)
    assert (model.trunk[0].weight.grad == 1).all()
    model.zero_grad()
    engine.backward(model(batch()))  # and the engine goes on


def test_coefficients_are_the_same_in_eager_float64_and_float32() -> None:
    model = TwoHeads()
    record = TaskGradients(model, CAMEGrad(), weights=WEIGHTS).backward(model(batch()))
    model.zero_grad()
    double = model.double()
    exact = TaskGradients(double, CAMEGrad(), weights=WEIGHTS).backward(double(batch().double()))
    torch.testing.assert_close(record.coefficients, exact.coefficients, rtol=1e-5, atol=0)


def test_bfloat16_gradients_are_combined_in_float32() -> None:
    model = TwoHeads().bfloat16()
    record = TaskGradients(model, CAMEGrad(), weights=WEIGHTS).backward(model(batch().bfloat16()))
    found = grads(model)
    for name, wanted in expected(model, record, batch().bfloat16()).items():
        if found[name] is not None:
            torch.testing.assert_close(found[name], wanted.bfloat16(), rtol=1e-2, atol=1e-3)


def test_a_training_run_resumes_from_its_state() -> None:
    def steps(engine: TaskGradients, model: TwoHeads, seeds: range) -> None:
        for seed in seeds:
            engine.backward(model(batch(seed=seed)))
            model.zero_grad()

    model = TwoHeads()
    engine = TaskGradients(model, CAMEGrad(), weights=WEIGHTS, seed=3)
    engine.epoch = 2
    steps(engine, model, range(3))
    resumed = TaskGradients(model, CAMEGrad(), weights=WEIGHTS, seed=4)
    resumed.load_state_dict(engine.state_dict())
    assert resumed.epoch == 2
    assert resumed.describe() == engine.describe()
    first = engine.backward(model(batch()))
    model.zero_grad()
    second = resumed.backward(model(batch()))
    assert first.step == second.step == 4
    assert torch.equal(first.coefficients, second.coefficients)


def test_the_state_holds_only_what_a_safe_loader_reads(tmp_path: Path) -> None:
    model = TwoHeads()
    engine = TaskGradients(model, CAMEGrad(), weights=WEIGHTS, seed=3)
    engine.backward(model(batch()))
    path = tmp_path / "state.pt"
    torch.save(engine.state_dict(), path)
    TaskGradients(model, CAMEGrad(), weights=WEIGHTS).load_state_dict(
        torch.load(path, weights_only=True)
    )


def test_the_state_of_other_tasks_is_refused_before_anything_changes() -> None:
    model = TwoHeads()
    state = TaskGradients(model, CAMEGrad(), tasks=("findings", "report")).state_dict()
    engine = TaskGradients(model, CAMEGrad(), weights=WEIGHTS)
    before = engine.describe()
    with pytest.raises(ValueError, match="of tasks findings, report; this engine has report"):
        engine.load_state_dict(state)
    assert engine.describe() == before


def test_the_state_of_another_balancer_is_refused() -> None:
    model = TwoHeads()
    state = TaskGradients(model, Linear(), weights=WEIGHTS).state_dict()
    with pytest.raises(ValueError, match="of balancer 'linear'; this engine has 'came_grad'"):
        TaskGradients(model, CAMEGrad(), weights=WEIGHTS).load_state_dict(state)


def test_no_state_is_given_within_a_step() -> None:
    model = TwoHeads()
    engine = TaskGradients(model, CAMEGrad(), weights=WEIGHTS)
    engine.backward(model(batch()), last=False)
    with pytest.raises(RuntimeError, match="a step is open"):
        engine.state_dict()
    engine.close()
    engine.state_dict()


def test_the_record_gives_the_geometry_of_the_step() -> None:
    model, data = TwoHeads().double(), batch().double()
    record = TaskGradients(model, CAMEGrad(), weights=WEIGHTS).backward(model(data))
    update = torch.cat([p.grad.flatten() for p in model.trunk.parameters()])
    torch.testing.assert_close(record.update_norm, update.norm())
    line = record.to_dict()
    assert line["coefficients"]["findings"] == record.coefficients[1]
    assert line["cosines"] == {"report|findings": record.cosines[0, 1]}
    assert line["flags"] == {"gain_capped": False, "stationary": False}
    assert line["finite"] is True
