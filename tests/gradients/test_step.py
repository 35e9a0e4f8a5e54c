import pytest
import torch
from torch import nn

from gradtruce.balance import CAMEGrad, Linear
from gradtruce.gradients import TaskGradients
from tests.gradients.toys import (
    WEIGHTS,
    Noisy,
    Remembering,
    SignMask,
    Turns,
    TwoHeads,
    batch,
)


def sgd(model: nn.Module) -> torch.optim.SGD:
    return torch.optim.SGD(model.parameters(), lr=0.01)


def test_step_equals_backward_and_an_optimizer_step() -> None:
    by_hand, driven = TwoHeads(), TwoHeads()
    driven.load_state_dict(by_hand.state_dict())
    optimizer = sgd(by_hand)
    engine = TaskGradients(by_hand, CAMEGrad(), weights=WEIGHTS)
    for seed in range(2):
        engine.backward(by_hand(batch(seed=seed)))
        optimizer.step()
        optimizer.zero_grad()
    optimizer = sgd(driven)
    engine = TaskGradients(driven, CAMEGrad(), weights=WEIGHTS)
    for seed in range(2):
        engine.step(lambda seed=seed: driven(batch(seed=seed)), optimizer)
    for wanted, found in zip(by_hand.parameters(), driven.parameters(), strict=True):
        assert torch.equal(wanted, found)


def test_a_balancer_sees_the_losses_of_the_batch_again_after_the_update() -> None:
    model, balancer = TwoHeads(), Remembering()
    data = batch()
    TaskGradients(model, balancer, weights=WEIGHTS).step(lambda: model(data), sgd(model))
    now = torch.stack([loss.detach().double() for loss in model(data).values()])
    assert torch.equal(balancer.after, now)
    assert balancer.after[1] < balancer.before[1]


def test_the_second_look_draws_the_same_dropout_and_leaves_buffers_alone() -> None:
    model = TwoHeads(dropout=0.5)
    model.trunk.append(nn.BatchNorm1d(5))
    balancer, data = Remembering(), batch()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    TaskGradients(model, balancer, weights=WEIGHTS).step(lambda: model(data), optimizer)
    assert torch.equal(balancer.after, balancer.before)
    assert model.trunk[-1].num_batches_tracked == 1


def test_what_a_second_look_draws_does_not_move_the_random_numbers() -> None:
    drawn = []
    for balancer in (Linear(), Remembering()):
        torch.manual_seed(0)
        model = TwoHeads(dropout=0.5)
        engine = TaskGradients(model, balancer, weights=WEIGHTS)
        engine.step(lambda model=model: model(batch()), sgd(model))
        drawn.append(torch.rand(1))
    assert drawn[0] == drawn[1]


@pytest.mark.parametrize("balancer", [Remembering(), Turns()])
def test_backward_refuses_what_only_step_can_drive(balancer: nn.Module) -> None:
    model = TwoHeads()
    engine = TaskGradients(model, balancer, weights=WEIGHTS, seed=0)
    with pytest.raises(TypeError, match=r"call step\(compute_losses, optimizer\)"):
        engine.backward(model(batch()))


def test_a_schedule_updates_for_one_group_after_the_other() -> None:
    model, data = TwoHeads(), batch()
    optimizer = sgd(model)
    calls = []

    def losses() -> dict[str, torch.Tensor]:
        calls.append(model.trunk[0].weight.detach().clone())
        return model(data)

    engine = TaskGradients(model, Turns(), weights=WEIGHTS, seed=0)
    record = engine.step(losses, optimizer)
    assert len(calls) == 2
    assert not torch.equal(calls[0], calls[1])
    assert record.active.sum() == 1
    assert record.step == 2


def test_tasks_that_wait_for_their_turn_are_not_called_inactive() -> None:
    model = TwoHeads()
    engine = TaskGradients(model, Turns(), weights=WEIGHTS, seed=0)
    for _ in range(60):  # 120 updates; a warning would be an error
        engine.step(lambda: model(batch()), sgd(model))


def test_rows_are_transformed_with_random_numbers_of_the_seed() -> None:
    def update(seed: int) -> torch.Tensor:
        torch.manual_seed(0)
        model = TwoHeads()
        TaskGradients(model, SignMask(), weights=WEIGHTS, seed=seed).backward(model(batch()))
        assert model.report.weight.grad.all()  # outside of the scope nothing is dropped
        return model.trunk[0].weight.grad

    assert (update(1) == 0).any()
    assert torch.equal(update(1), update(1))
    assert not torch.equal(update(1), update(2))


def test_noise_is_added_to_the_combined_gradients_in_scope() -> None:
    model = TwoHeads()
    TaskGradients(model, Linear(), weights=WEIGHTS).backward(model(batch()))
    plain = [p.grad for p in (model.trunk[0].weight, model.report.weight)]
    model.zero_grad()
    TaskGradients(model, Noisy(), weights=WEIGHTS, seed=0).backward(model(batch()))
    torch.testing.assert_close(model.trunk[0].weight.grad, plain[0] + 1)
    torch.testing.assert_close(model.report.weight.grad, plain[1])


@pytest.mark.parametrize("balancer", [SignMask(), Turns(), Noisy()])
def test_a_balancer_that_draws_needs_a_seed(balancer: nn.Module) -> None:
    with pytest.raises(ValueError, match="give seed="):
        TaskGradients(TwoHeads(), balancer, weights=WEIGHTS)


def test_a_parameter_in_no_group_of_the_optimizer_is_an_error() -> None:
    model = TwoHeads()
    optimizer = torch.optim.SGD(model.trunk.parameters(), lr=0.1)
    engine = TaskGradients(model, CAMEGrad(), weights=WEIGHTS)
    with pytest.raises(ValueError, match=r"'report.weight' .* no group"):
        engine.step(lambda: model(batch()), optimizer)


def test_losses_that_blow_up_after_the_update_leave_no_trace_in_the_balancer() -> None:
    model, balancer, calls = TwoHeads(), Remembering(), []

    def losses() -> dict[str, torch.Tensor]:
        calls.append(1)
        factor = torch.nan if len(calls) == 2 else 1.0
        return {name: factor * loss for name, loss in model(batch()).items()}

    TaskGradients(model, balancer, weights=WEIGHTS).step(losses, sgd(model))
    assert len(calls) == 2
    assert balancer.after.tolist() == [0.0, 0.0]
