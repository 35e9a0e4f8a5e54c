import copy
from collections.abc import Sequence
from typing import final

import pytest
import torch
from jaxtyping import Float
from torch import Tensor

from gradtruce.balance import EMA, FAMO, CAMEGrad, GradNorm, Linear
from gradtruce.gradients import TaskGradients
from gradtruce.gradients.balancer import (
    AfterStep,
    Balancer,
    GradientNoise,
    ParameterBlocks,
    RowTransform,
    TaskSchedule,
    TaskStatistics,
)
from tests.gradients.toys import WEIGHTS, TwoHeads, batch
from tests.laws.gramians import bank

F64 = torch.float64


@final
class TwoBlocks(Balancer, name="toy_two_blocks", needs="blocks"):
    """a_k = ‖g_k‖² in each of two blocks."""

    def blocks(self, names: Sequence[str]) -> Sequence[int]:
        return [place % 2 for place in range(len(names))]

    def coefficients(self, step: TaskStatistics) -> Float[Tensor, "*blocks tasks"]:
        return step.gramian.diagonal(dim1=-2, dim2=-1)


del Balancer.known[TwoBlocks.name]  # lists of balancers must not show it


def bound(balancer: Balancer | str, tasks: int, decay: float = 0.9) -> EMA:
    averaged = EMA(balancer, decay=decay)
    averaged.bind([f"task {k}" for k in range(tasks)])
    return averaged


def step_of(J: Tensor, active: list[bool] | None = None) -> TaskStatistics:
    mask = torch.ones(len(J), dtype=torch.bool) if active is None else torch.tensor(active)
    rows = J.masked_fill(~mask.unsqueeze(-1), 0.0)
    return TaskStatistics(rows @ rows.T, torch.ones(len(J), dtype=F64), active=mask)


def test_it_is_the_exponential_moving_average_of_the_coefficients() -> None:
    averaged, wanted = bound(CAMEGrad(), 4, decay=0.7), None
    for _, J in bank(4, 20, seed=0):
        new = CAMEGrad().coefficients(step_of(J))
        wanted = new if wanted is None else 0.7 * wanted + 0.3 * new
        torch.testing.assert_close(averaged.coefficients(step_of(J)), wanted)


def test_without_decay_nothing_changes() -> None:
    averaged = bound(CAMEGrad(), 3, decay=0.0)
    for _, J in bank(3, 10, seed=1):
        assert torch.equal(averaged.coefficients(step_of(J)), CAMEGrad().coefficients(step_of(J)))


def test_an_inactive_task_keeps_its_average_and_a_late_one_starts_with_its_own() -> None:
    averaged = bound(TwoBlocks(), 2, decay=0.5)
    averaged.coefficients(step_of(torch.tensor([[1.0], [9.0]], dtype=F64), [True, False]))
    assert averaged.met.tolist() == [True, False]
    a = averaged.coefficients(step_of(torch.tensor([[2.0], [3.0]], dtype=F64)))
    assert a.tolist() == [2.5, 9.0]
    averaged.coefficients(step_of(torch.tensor([[2.0], [3.0]], dtype=F64), [False, True]))
    assert averaged.average.tolist() == [2.5, 9.0]


def test_a_step_that_is_not_finite_leaves_no_trace() -> None:
    averaged = bound(TwoBlocks(), 2)
    averaged.coefficients(step_of(torch.ones(2, 1, dtype=F64)))
    a = averaged.coefficients(step_of(torch.tensor([[torch.inf], [1.0]], dtype=F64)))
    assert not a.isfinite().all()
    assert averaged.average.tolist() == [1.0, 1.0]


def test_it_asks_the_engine_for_what_its_balancer_asks() -> None:
    assert EMA(GradNorm()).needs == "norms"
    assert EMA("famo").needs == "losses"
    assert EMA(CAMEGrad()).synchronises == CAMEGrad.synchronises
    assert EMA(Linear()).is_fixed
    assert EMA.needs == "gramian"
    assert isinstance(EMA(FAMO()), AfterStep)
    assert not isinstance(EMA(CAMEGrad()), AfterStep)
    assert isinstance(EMA(TwoBlocks()), ParameterBlocks)
    assert isinstance(EMA("stgu"), TaskSchedule)
    assert isinstance(EMA("graddrop"), RowTransform)
    assert isinstance(EMA("sgld"), GradientNoise)


def test_flags_are_passed_on() -> None:
    averaged = bound(CAMEGrad(), 2)
    averaged.coefficients(step_of(torch.eye(2, dtype=F64)))
    assert set(averaged.flags()) == {"gain_capped", "stationary"}
    assert bound(Linear(), 2).flags() == {}


def test_the_engine_drives_it_and_its_state_makes_a_round_trip() -> None:
    torch.manual_seed(0)
    model = TwoHeads()
    gradients = TaskGradients(model, EMA(FAMO(), decay=0.5), weights=WEIGHTS)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for _ in range(3):
        gradients.step(lambda: model(batch()), optimizer)
    state = gradients.state_dict()
    assert state["name"] == "ema(famo)"
    other = TaskGradients(copy.deepcopy(model), EMA("famo", decay=0.5), weights=WEIGHTS)
    other.load_state_dict(state)
    for name, value in other.state_dict()["balancer"].items():
        assert torch.equal(value, state["balancer"][name]), name
    third = TaskGradients(model, EMA(Linear()), weights=WEIGHTS)
    with pytest.raises(ValueError, match="'ema\\(famo\\)'"):
        third.load_state_dict(state)


def test_averages_of_blocks_make_a_round_trip_into_one_that_has_seen_none() -> None:
    G = torch.stack([torch.eye(3, dtype=F64), 2 * torch.eye(3, dtype=F64)])
    first, second = bound(TwoBlocks(), 3), bound(TwoBlocks(), 3)
    assert first.coefficients(TaskStatistics(G)).shape == (2, 3)
    second.load_state_dict(first.state_dict())
    step = TaskStatistics(3 * G)
    assert torch.equal(first.coefficients(step), second.coefficients(step))


def test_a_copy_calls_its_own_balancer() -> None:
    original = bound(FAMO(), 2)
    twin = copy.deepcopy(original)
    twin.coefficients(TaskStatistics(torch.zeros(2, 2), torch.ones(2)))
    twin.after_step(torch.tensor([0.5, 0.9]))
    assert not original.balancer.logits.any()
    assert twin.balancer.logits.any()


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="decay must be at least 0 and below 1, got 1"):
        EMA(Linear(), decay=1.0)
    with pytest.raises(ValueError, match="no balancer is called 'cgrad'"):
        EMA("cgrad")
    with pytest.raises(TypeError):
        EMA(Linear)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="options are for a balancer given by name"):
        EMA(Linear(), options={"radius": 0.5})
