import pytest
import torch
from torch import Tensor, nn

from gradtruce.balance.graddrop import GradDrop
from gradtruce.gradients import TaskGradients
from gradtruce.gradients.counter import Draws
from tests.gradients.toys import WEIGHTS, TwoHeads, batch, gradients_of
from tests.laws.gramians import bank
from tests.reference.graddrop import graddrop


def update(J: Tensor, weights: Tensor, draws: Draws, leak: float = 0.0) -> Tensor:
    rows = [row.clone() for row in J]
    GradDrop(leak).transform([[row] for row in rows], weights, draws)
    return weights @ torch.stack(rows)


@pytest.mark.parametrize("leak", [0.0, 0.3])
@pytest.mark.parametrize("tasks", [1, 2, 3, 7])
def test_the_update_is_that_of_the_paper(tasks: int, leak: float) -> None:
    weights = torch.linspace(1.0, 4.0, tasks, dtype=torch.float64)
    for place, (_, J) in enumerate(bank(tasks, 30, seed=tasks)):
        draws = Draws(0, place, (0,), J.shape[1])
        U = draws.uniform(0, J[0])
        wanted = graddrop(J.numpy(), weights.numpy(), U.numpy(), leak)
        torch.testing.assert_close(update(J, weights, draws, leak), torch.from_numpy(wanted))


def test_gradients_of_zero_stay_zero() -> None:
    J = torch.zeros(3, 4, dtype=torch.float64)
    assert torch.equal(update(J, torch.ones(3).double(), Draws(0, 0, (0,), 4)), J[0])


def test_where_signs_agree_nothing_is_dropped() -> None:
    J = torch.rand(3, 500, dtype=torch.float64) * torch.tensor([1.0, -1.0] * 250)
    weights = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
    torch.testing.assert_close(update(J, weights, Draws(4, 1, (0,), 500)), weights @ J)


def test_each_sign_wins_as_often_as_its_share() -> None:
    many = 40_000
    J = torch.tensor([[3.0], [-1.0]], dtype=torch.float64).expand(2, many)
    found = update(J, torch.ones(2).double(), Draws(7, 0, (0,), many))
    assert set(found.tolist()) == {3.0, -1.0}
    assert abs(float((found > 0).double().mean()) - 0.75) < 0.01


def test_a_leak_of_one_is_linear_scalarization() -> None:
    J = torch.randn(3, 20, dtype=torch.float64)
    weights = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
    torch.testing.assert_close(update(J, weights, Draws(0, 0, (0,), 20), leak=1.0), weights @ J)


def test_shards_of_the_coordinates_give_the_shards_of_the_update() -> None:
    J = torch.randn(3, 101, dtype=torch.float64)
    weights = torch.ones(3).double()
    whole = update(J, weights, Draws(2, 5, (0,), 101))
    parts = [
        update(J[:, start:end], weights, Draws(2, 5, (start,), 101))
        for start, end in ((0, 40), (40, 101))
    ]
    assert torch.equal(torch.cat(parts), whole)


def test_what_is_not_finite_is_not_hidden() -> None:
    for value in (torch.nan, torch.inf, -torch.inf):
        J = torch.tensor([[1.0], [value]], dtype=torch.float64)
        for step in range(8):
            assert not update(J, torch.ones(2).double(), Draws(0, step, (0,), 1)).isfinite()


def test_half_precision_does_not_overflow_in_the_sums() -> None:
    rows = [torch.full((8,), 60_000.0, dtype=torch.float16) for _ in range(4)]
    GradDrop().transform([[row] for row in rows], torch.ones(4).double(), Draws(0, 0, (0,), 8))
    assert all(bool((row == 60_000).all()) for row in rows)


@pytest.mark.parametrize("leak", [-0.1, 1.1, float("nan")])
def test_a_leak_out_of_range_is_refused(leak: float) -> None:
    with pytest.raises(ValueError, match="leak must be from 0 to 1"):
        GradDrop(leak)


def trained(seed: int, steps: int = 1) -> tuple[nn.Module, TaskGradients]:
    torch.manual_seed(0)
    model = TwoHeads().double()
    engine = TaskGradients(model, GradDrop(), weights=WEIGHTS, seed=seed)
    for _ in range(steps):
        model.zero_grad()
        engine.backward(model(batch().double()))
    return model, engine


def test_the_engine_drops_in_scope_and_sums_elsewhere() -> None:
    model, _ = trained(seed=3)
    found = [p.grad for p in model.parameters()]
    rows = gradients_of(model, list(model(batch().double()).values()))
    start = 0
    weights = torch.tensor([1.0, 4.0], dtype=torch.float64)
    for (name, _), gradient, *tasks in zip(model.named_parameters(), found, *rows, strict=True):
        if name.startswith("trunk"):
            J = torch.stack([g.flatten() for g in tasks])
            wanted = update(J, weights, Draws(3, 0, (start,), 0)).view_as(gradient)
            torch.testing.assert_close(gradient, wanted)
            assert not torch.allclose(gradient, tasks[0] + 4 * tasks[1])
        elif gradient is not None:
            torch.testing.assert_close(gradient, tasks[0] + 4 * tasks[1])
        start += tasks[0].numel()


def test_seed_and_step_decide_what_is_dropped() -> None:
    def gradient(seed: int, steps: int = 1) -> Tensor:
        return trained(seed, steps)[0].trunk[0].weight.grad

    assert torch.equal(gradient(1), gradient(1))
    assert not torch.equal(gradient(1), gradient(2))
    assert not torch.equal(gradient(1), gradient(1, steps=2))


def test_a_loaded_state_goes_on_with_the_numbers_of_its_seed() -> None:
    model, engine = trained(seed=1, steps=3)
    resumed = TaskGradients(model, GradDrop(), weights=WEIGHTS, seed=99)
    resumed.load_state_dict(engine.state_dict())
    found = []
    for each in (engine, resumed):
        model.zero_grad()
        each.backward(model(batch().double()))
        found.append(model.trunk[0].weight.grad)
    assert torch.equal(*found)
