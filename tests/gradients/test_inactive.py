import warnings

import pytest
import torch
from torch import Tensor

from gradtruce.balance import CAMEGrad, Linear
from gradtruce.gradients import TaskGradients
from gradtruce.gradients.balancer import Balancer
from gradtruce.gradients.inactivity import PATIENCE
from tests.gradients.toys import WEIGHTS, TwoHeads, batch

THREE = {**WEIGHTS, "quiet": 0.5}


def engine_of(model: TwoHeads, balancer: Balancer | None = None) -> TaskGradients:
    return TaskGradients(model, balancer or CAMEGrad(), weights=THREE)


def trunk_gradient(model: TwoHeads) -> Tensor:
    return torch.cat([p.grad.flatten() for p in model.trunk.parameters()])


def quiet_losses(model: TwoHeads) -> dict[str, Tensor | None]:
    """Return the ways for the third task to be inactive."""
    features = model.trunk(batch())
    return {
        "absent": None,
        "constant": torch.tensor(3.0),
        "zero": (features * 0.0).sum(),
        "tiny": (features * 1e-15).sum(),
        "detached": model.unused(features.detach()[:, :2]).sum(),
    }


@pytest.mark.parametrize("kind", ["absent", "constant", "zero", "tiny", "detached"])
@pytest.mark.parametrize("balancer", [CAMEGrad(), CAMEGrad(fold_weights=True)])
def test_an_inactive_task_changes_nothing_for_the_others(kind: str, balancer: Balancer) -> None:
    model = TwoHeads()
    two = TaskGradients(model, balancer, weights=WEIGHTS).backward(model(batch()))
    wanted = trunk_gradient(model)
    model.zero_grad()
    losses = model(batch())
    quiet = quiet_losses(model)[kind]
    if quiet is not None:
        losses["quiet"] = quiet
    three = engine_of(model, balancer).backward(losses)
    assert three.active.tolist() == [True, True, False]
    torch.testing.assert_close(three.coefficients[:2], two.coefficients, rtol=1e-6, atol=0)
    assert three.coefficients[2] == 0.5
    assert not three.gramian[2].any()
    torch.testing.assert_close(trunk_gradient(model), wanted)


def test_private_parameters_of_a_task_without_gradient_in_scope_still_learn() -> None:
    model = TwoHeads()
    losses = model(batch()) | {"quiet": quiet_losses(model)["detached"]}
    engine_of(model).backward(losses)
    assert (model.unused.bias.grad == 0.5 * 4).all()


def test_no_active_task_is_an_error() -> None:
    model = TwoHeads()
    with pytest.raises(ValueError, match="losses must hold at least one of report, findings"):
        TaskGradients(model, CAMEGrad(), weights=WEIGHTS).backward({})
    with torch.no_grad():
        losses = model(batch())
    with pytest.raises(ValueError, match="no graph; was the model run under"):
        TaskGradients(model, Linear(), weights=WEIGHTS).backward(losses)


def test_a_micro_batch_may_have_no_active_task() -> None:
    model = TwoHeads()
    engine = TaskGradients(model, CAMEGrad(), weights=WEIGHTS)
    engine.backward({}, last=False)
    engine.backward(model(batch()), last=False)
    assert engine.backward({}).active.all()


@pytest.mark.parametrize("balancer", [CAMEGrad, Linear])
def test_rows_of_zeros_alone_give_a_zero_update(balancer: type[Balancer]) -> None:
    model = TwoHeads()
    losses = {name: 0.0 * loss for name, loss in model(batch()).items()}
    engine = TaskGradients(model, balancer(), weights=WEIGHTS, scope="all")
    record = engine.backward(losses)
    assert not trunk_gradient(model).any()
    assert record.coefficients.tolist() == [1, 4]


def run(engine: TaskGradients, model: TwoHeads, steps: int) -> None:
    for _ in range(steps):
        engine.backward(model(batch()))
        model.zero_grad()


def test_a_task_that_stays_inactive_is_warned_of_once() -> None:
    model = TwoHeads()
    engine = engine_of(model)
    run(engine, model, PATIENCE - 1)
    with pytest.warns(UserWarning, match=r"'quiet' has had no gradient .* expect_inactive"):
        run(engine, model, 1)
    run(engine, model, 2 * PATIENCE)


def test_an_expected_absence_is_no_warning() -> None:
    model = TwoHeads()
    engine = engine_of(model)
    engine.expect_inactive({"quiet"})
    run(engine, model, 2 * PATIENCE)
    engine.expect_inactive(set())
    run(engine, model, PATIENCE - 1)
    with pytest.warns(UserWarning, match="'quiet'"):
        run(engine, model, 1)


def test_the_count_of_inactive_steps_outlives_a_restart() -> None:
    model = TwoHeads()
    engine = engine_of(model)
    run(engine, model, PATIENCE - 1)
    resumed = engine_of(model)
    resumed.load_state_dict(engine.state_dict())
    with pytest.warns(UserWarning, match="'quiet'"):
        run(resumed, model, 1)


def test_a_task_that_comes_back_starts_a_new_count() -> None:
    model = TwoHeads()
    engine = engine_of(model)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(3):
            run(engine, model, PATIENCE - 1)
            losses = model(batch())
            engine.backward(losses | {"quiet": losses["report"] * 1.0})
            model.zero_grad()


def test_only_known_tasks_may_be_expected() -> None:
    with pytest.raises(
        ValueError, match=r"no task is called 'quite'; known: report, findings, quiet"
    ):
        engine_of(TwoHeads()).expect_inactive({"quite"})
    with pytest.raises(TypeError, match="must be a collection of tasks, got the text 'quiet'"):
        engine_of(TwoHeads()).expect_inactive("quiet")


def test_a_task_that_starts_late_joins_the_balance_in_its_first_step() -> None:
    model = TwoHeads()
    engine = TaskGradients(model, CAMEGrad(), weights=WEIGHTS)
    engine.expect_inactive({"findings"})
    for _ in range(5):
        record = engine.backward({"report": model(batch())["report"]})
        model.zero_grad()
    assert record.gramian.sum() == 0  # nothing is shared yet
    record = engine.backward(model(batch()))
    assert record.active.all()
    assert record.gramian[0, 1] != 0
