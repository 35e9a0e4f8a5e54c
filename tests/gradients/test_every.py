"""Coefficients that are computed every few steps, and one backward pass in between."""

import pytest
import torch
from torch import Tensor, nn

from gradtruce.balance import CAMEGrad, Linear
from gradtruce.gradients import StepRecord, TaskGradients
from gradtruce.gradients.balancer import Balancer, TaskStatistics
from tests.gradients.toys import (
    WEIGHTS,
    EqualLayers,
    InverseLoss,
    Noisy,
    SignMask,
    TwoHeads,
    batch,
    gradients_of,
)


class Given(Balancer, name="toy_given"):
    """Returns coefficients that a test chooses."""

    def __init__(self, *values: float) -> None:
        super().__init__()
        self.values = values
        self.asked = 0

    def coefficients(self, step: TaskStatistics) -> Tensor:
        self.asked += 1
        return torch.tensor(self.values, dtype=torch.float64)


del Balancer.known["toy_given"]


class Crossing(nn.Module):
    """A trunk, a head for each of two tasks, and a layer outside that both tasks reach."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk, self.both = nn.Linear(6, 5), nn.Linear(5, 4)
        self.report, self.findings = nn.Linear(4, 3), nn.Linear(4, 2)
        self.late = nn.Linear(4, 2)
        self.is_late = False

    def forward(self, data: Tensor) -> dict[str, Tensor]:
        features = self.both(self.trunk(data).tanh()).tanh()
        found = self.late(features) if self.is_late else self.findings(features)
        return {
            "report": self.report(features).square().mean(),
            "findings": found.sub(1.0).pow(4).mean(),
        }


def check(model: nn.Module, record: StepRecord, data: Tensor, inside: int) -> None:
    """Require Σ a_k g_k in the first parameters and Σ λ_k g_k in the others."""
    rows = gradients_of(model, list(model(data).values()))
    for place, parameter in enumerate(model.parameters()):
        if parameter.grad is None:
            assert not any(row[place].any() for row in rows)
            continue
        factors = record.coefficients if place < inside else record.weights
        wanted = sum(a * row[place] for a, row in zip(factors, rows, strict=True))
        torch.testing.assert_close(parameter.grad, wanted)


def run(model: nn.Module, engine: TaskGradients, steps: int, inside: int = 4) -> list[StepRecord]:
    records = []
    for seed in range(steps):
        data = batch(seed=seed).double()
        records.append(engine.backward(model(data)))
        check(model, records[-1], data, inside)
        model.zero_grad()
    return records


def test_in_between_the_last_coefficients_weigh_the_losses() -> None:
    model = TwoHeads().double()
    records = run(model, TaskGradients(model, CAMEGrad(), weights=WEIGHTS, every=3), 7)
    assert [record.gramian is not None for record in records] == [
        True, False, False, True, False, False, True
    ]  # fmt: skip
    for place, record in enumerate(records):
        assert torch.equal(record.coefficients, records[place // 3 * 3].coefficients)
        assert record.active.all()
        assert record.step == place + 1
    assert not torch.equal(records[0].coefficients, records[3].coefficients)


def test_a_step_in_between_costs_one_pass_through_trunk_and_heads() -> None:
    model = TwoHeads().double()
    passes = []
    model.trunk[0].weight.register_hook(lambda _: passes.append("trunk"))
    model.report.weight.register_hook(lambda _: passes.append("head"))
    engine = TaskGradients(model, CAMEGrad(), weights=WEIGHTS, every=2)
    for seed in range(2):
        passes.clear()
        engine.backward(model(batch(seed=seed).double()))
        model.zero_grad()
    assert sorted(passes) == ["head", "trunk"]


@pytest.mark.parametrize("values", [(0.0, 2.0), (1e-9, 2.0), (-1.5, 2.0), (0.0, 0.0)])
def test_a_coefficient_of_zero_leaves_private_parameters_their_weight(
    values: tuple[float, float],
) -> None:
    model = TwoHeads().double()
    records = run(model, TaskGradients(model, Given(*values), weights=WEIGHTS, every=4), 3)
    assert records[2].gramian is None


def test_a_weight_of_zero_does_so_too() -> None:
    model = TwoHeads().double()
    weights = {"report": 0.0, "findings": 1.0}
    run(model, TaskGradients(model, Given(3.0, 2.0), weights=weights, every=2), 2)


def test_a_parameter_outside_that_two_tasks_reach_gets_both_weights() -> None:
    model = Crossing().double()
    engine = TaskGradients(
        model, CAMEGrad(), weights=WEIGHTS, every=3, shared=model.trunk.parameters()
    )
    run(model, engine, 3, inside=2)


def test_a_frozen_parameter_is_no_obstacle() -> None:
    model = Crossing().double()
    model.both.bias.requires_grad_(False)
    model.trunk.bias.requires_grad_(False)
    engine = TaskGradients(model, CAMEGrad(), weights=WEIGHTS, every=2, shared=[model.trunk.weight])
    run(model, engine, 2, inside=2)


def test_a_parameter_that_no_task_had_reached_is_noted_and_learned() -> None:
    model = Crossing().double()
    engine = TaskGradients(model, CAMEGrad(), weights=WEIGHTS, every=5)
    first = engine.backward(model(batch().double()))
    model.zero_grad()
    model.is_late = True
    second = engine.backward(model(batch().double()))
    assert second.notes == [
        "outside the scope and not reached before, with coefficients: late.weight, late.bias"
    ]
    torch.testing.assert_close(second.coefficients, first.coefficients)
    model.zero_grad()
    record = engine.backward(model(batch().double()))
    assert record.gramian is not None
    check(model, record, batch().double(), inside=4)


def test_a_task_that_comes_for_the_first_time_gets_coefficients_of_its_own() -> None:
    model = TwoHeads().double()
    engine = TaskGradients(model, CAMEGrad(), weights=WEIGHTS, every=10, scope="all")
    engine.backward({"report": model(batch().double())["report"]})
    model.zero_grad()
    assert engine.backward(model(batch().double())).gramian is not None


def test_a_task_may_be_absent_in_between() -> None:
    model, data = TwoHeads().double(), batch().double()
    engine = TaskGradients(model, Given(0.5, 2.0), weights=WEIGHTS, every=3)
    engine.backward(model(data))
    model.zero_grad()
    record = engine.backward({"findings": model(data)["findings"]})
    assert record.active.tolist() == [False, True]
    assert record.coefficients.tolist() == [WEIGHTS["report"], 2.0]
    alone = gradients_of(model, [model(data)["findings"]])[0]
    torch.testing.assert_close(model.trunk[0].weight.grad, 2.0 * alone[0])
    assert model.report.weight.grad is None


def test_micro_batches_in_between_are_added_up() -> None:
    model, data = TwoHeads().double(), batch().double()
    engine = TaskGradients(model, Given(0.5, 2.0), weights=WEIGHTS, every=3)
    for _ in range(2):
        for place, part in enumerate(data.split(2)):
            losses = {name: loss / 2 for name, loss in model(part).items()}
            record = engine.backward(losses, last=place == 1)
        check(model, record, data, inside=4)
        model.zero_grad()


def test_the_scope_widens_at_a_step_with_rows() -> None:
    model = TwoHeads().double()
    nn.init.zeros_(model.trunk[3].weight)  # nothing reaches the first layer at first
    engine = TaskGradients(model, CAMEGrad(), weights=WEIGHTS, every=4)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    notes = []
    for seed in range(5):
        notes.append(list(engine.backward(model(batch(seed=seed).double())).notes))
        optimizer.step()
        optimizer.zero_grad()
    assert notes == [[], [], [], [], ["scope widened by trunk.0.weight, trunk.0.bias"]]


def test_losses_alone_are_weighed_anew_in_each_step() -> None:
    model = TwoHeads().double()
    often = TaskGradients(model, InverseLoss(), weights=WEIGHTS)
    seldom = TaskGradients(model, InverseLoss(), weights=WEIGHTS, every=4, diagnostics=True)
    for seed in range(5):
        data = batch(seed=seed).double()
        wanted = often.backward(model(data)).coefficients
        gradient = model.trunk[0].weight.grad
        model.zero_grad()
        record = seldom.backward(model(data))
        torch.testing.assert_close(record.coefficients, wanted)
        torch.testing.assert_close(model.trunk[0].weight.grad, gradient)
        assert (record.gramian is not None) == (seed % 4 == 0)
        model.zero_grad()


def test_a_run_resumes_between_two_computations() -> None:
    def steps(engine: TaskGradients, model: nn.Module, seeds: range) -> list[StepRecord]:
        records = []
        for seed in seeds:
            records.append(engine.backward(model(batch(seed=seed))))
            model.zero_grad()
        return records

    model = TwoHeads()
    engine = TaskGradients(model, CAMEGrad(), weights=WEIGHTS, every=3)
    steps(engine, model, range(2))
    resumed = TaskGradients(model, CAMEGrad(), weights=WEIGHTS, every=3)
    resumed.load_state_dict(engine.state_dict())
    wanted = steps(engine, model, range(2, 6))
    found = steps(resumed, model, range(2, 6))
    for mine, theirs in zip(found, wanted, strict=True):
        assert torch.equal(mine.coefficients, theirs.coefficients)
        assert (mine.gramian is None) == (theirs.gramian is None)


def test_with_a_scaler_and_clipping() -> None:
    model = TwoHeads().double()
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)
    plain = TaskGradients(model, CAMEGrad(), weights=WEIGHTS, every=3, clip_norm=0.1)
    scaled = TaskGradients(
        model, CAMEGrad(), weights=WEIGHTS, every=3, clip_norm=0.1, scaler=scaler
    )
    for seed in range(3):
        data = batch(seed=seed).double()
        record = plain.backward(model(data))
        gradients = [p.grad for p in model.parameters() if p.grad is not None]
        assert torch.cat([g.flatten() for g in gradients]).norm() <= 0.1 + 1e-6
        model.zero_grad()
        torch.testing.assert_close(scaled.backward(model(data)).total_norm, record.total_norm)
        for mine, theirs in zip(
            [p.grad for p in model.parameters() if p.grad is not None], gradients, strict=True
        ):
            torch.testing.assert_close(mine / 2.0**10, theirs)
        model.zero_grad()


def test_an_overflow_keeps_the_coefficients_from_before() -> None:
    model = TwoHeads()
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
    engine = TaskGradients(model, Given(0.5, 2.0), weights=WEIGHTS, every=2, scaler=scaler)
    losses = model(batch())
    engine.backward({name: loss * torch.inf for name, loss in losses.items()})
    model.zero_grad()
    assert engine.backward(model(batch())).coefficients.tolist() == list(WEIGHTS.values())


@pytest.mark.parametrize("kind", [SignMask, Noisy, EqualLayers])
def test_what_needs_the_rows_of_each_step_is_refused(kind: type[Balancer]) -> None:
    for options in ({"every": 2}, {"scope": "features"}):
        with pytest.raises(ValueError, match="needs the gradients of every task in each step"):
            TaskGradients(TwoHeads(), kind(), weights=WEIGHTS, seed=0, **options)


def test_an_interval_below_one_is_an_error() -> None:
    with pytest.raises(ValueError, match="from 1 on, got 0"):
        TaskGradients(TwoHeads(), Linear(), weights=WEIGHTS, every=0)
