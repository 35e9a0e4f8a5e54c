import math

import pytest
import torch
from torch import Tensor

from gradtruce.balance.came_grad import CAMEGrad, fuse
from gradtruce.balance.sgld import SGLD
from gradtruce.gradients import TaskGradients
from gradtruce.gradients.balancer import TaskStatistics
from gradtruce.gradients.counter import Draws
from gradtruce.gradients.solvers.rectification import rectify
from tests.gradients.toys import WEIGHTS, TwoHeads, batch
from tests.laws.gramians import bank
from tests.reference.sgld import sgld


def update(balancer: SGLD, J: Tensor, weights: Tensor, draws: Draws, scale: float = 1.0) -> Tensor:
    a = balancer.coefficients(TaskStatistics(J @ J.T, weights=weights))
    gradient = scale * a @ J
    balancer.add([gradient], draws, scale)
    return gradient / scale


@pytest.mark.parametrize(("noise", "sigma"), [("energy", None), ("temperature", 0.2)])
@pytest.mark.parametrize("tasks", [1, 2, 3])
def test_the_update_is_that_of_the_paper(tasks: int, noise: str, sigma: float | None) -> None:
    weights = torch.linspace(1.0, 4.0, tasks, dtype=torch.float64)
    balancer = SGLD(0.5, 1.5, 0.2, noise=noise, temperature=2e-4, learning_rate=1e-2)
    for place, (_, J) in enumerate(bank(tasks, 10, seed=tasks)):
        draws = Draws(0, place, (0,), J.shape[1])
        xi = draws.normal(0, J[0]).numpy()
        wanted = sgld(J.numpy(), weights.numpy(), xi, rho=0.5, kappa=1.5, nu=0.2, sigma=sigma)
        found = update(balancer, J, weights, draws)
        assert float((found - torch.from_numpy(wanted)).norm()) <= 1e-5 * float(J.norm())


def test_without_noise_it_is_the_composition_of_rectify_and_fuse() -> None:
    J = torch.randn(3, 9, dtype=torch.float64)
    weights = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
    direction, _ = rectify(J @ J.T, 0.5)
    found = SGLD(0.5, 1.5, 0.2).coefficients(TaskStatistics(J @ J.T, weights=weights))
    torch.testing.assert_close(found, fuse(direction, 1.5 * weights, 0.2))


def test_noise_by_energy_has_the_norm_of_stage_two_in_the_mean() -> None:
    J = torch.randn(2, 20_000, dtype=torch.float64)
    weights = torch.tensor([1.0, 4.0], dtype=torch.float64)
    found = update(SGLD(fusion=0.0), J, weights, Draws(0, 0, (0,), 20_000))
    came = CAMEGrad(fusion=0.0).coefficients(TaskStatistics(J @ J.T, weights=weights)) @ J
    assert abs(float(found.norm() / came.norm()) - 1) < 0.02


def test_where_the_direction_is_long_enough_there_is_no_noise() -> None:
    J = torch.ones(2, 5, dtype=torch.float64)
    weights = torch.full((2,), 0.1, dtype=torch.float64)
    balancer = SGLD(fusion=0.0, gain=1.0)
    a = balancer.coefficients(TaskStatistics(J @ J.T, weights=weights))
    assert float(balancer.deviation(5)) == 0
    found = update(balancer, J, weights, Draws(0, 0, (0,), 5))
    torch.testing.assert_close(found, a @ J)


def test_temperature_and_learning_rate_set_the_noise() -> None:
    balancer = SGLD(noise="temperature", temperature=3e-4, learning_rate=1e-2)
    assert float(balancer.deviation(7)) == pytest.approx(math.sqrt(2 * 3e-4 / 1e-2))
    balancer.learning_rate = 1e-3
    assert float(balancer.deviation(7)) == pytest.approx(math.sqrt(2 * 3e-4 / 1e-3))


def test_a_scaler_changes_nothing() -> None:
    J, weights = torch.randn(2, 30, dtype=torch.float64), torch.ones(2, dtype=torch.float64)
    draws = Draws(0, 0, (0,), 30)
    torch.testing.assert_close(
        update(SGLD(), J, weights, draws, scale=65536.0), update(SGLD(), J, weights, draws)
    )


def test_shards_get_the_noise_of_the_whole() -> None:
    J, weights = torch.randn(2, 30, dtype=torch.float64), torch.ones(2, dtype=torch.float64)
    whole = update(SGLD(), J, weights, Draws(1, 2, (0,), 30))
    balancer = SGLD()
    gradient = balancer.coefficients(TaskStatistics(J @ J.T, weights=weights)) @ J
    parts = [gradient[:11], gradient[11:]]
    balancer.add(parts, Draws(1, 2, (0, 11), 30), 1.0)
    torch.testing.assert_close(torch.cat(parts), whole)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"radius": -1.0}, "radius must be at least 0"),
        ({"gain": 0.0}, "gain must be above 0"),
        ({"fusion": 1.5}, "fusion must be from 0 to 1"),
        ({"noise": "loud"}, "noise must be 'energy' or 'temperature', got 'loud'"),
        ({"temperature": -1.0}, "temperature must be at least 0"),
        ({"learning_rate": 0.0}, "learning_rate must be above 0"),
    ],
)
def test_bad_arguments_are_refused(option: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SGLD(**option)


def gradient(seed: int, balancer: SGLD) -> Tensor:
    torch.manual_seed(0)
    model = TwoHeads().double()
    engine = TaskGradients(model, balancer, weights=WEIGHTS, seed=seed)
    engine.backward(model(batch().double()))
    heads = model.report.weight.grad
    return torch.cat([p.grad.flatten() for p in model.trunk.parameters()] + [heads.flatten()])


def test_in_the_engine_the_noise_fills_the_scope_alone() -> None:
    heads = TwoHeads().report.weight.numel()
    first, again, other = gradient(1, SGLD()), gradient(1, SGLD()), gradient(2, SGLD())
    assert torch.equal(first, again)
    assert torch.equal(first[-heads:], other[-heads:])
    assert (first[:-heads] != other[:-heads]).all()


def test_in_the_engine_energy_is_shared_by_all_numbers_in_scope() -> None:
    balancer = SGLD(fusion=0.0)
    noisy = gradient(1, balancer)
    still = gradient(1, SGLD(fusion=0.0, noise="temperature", temperature=0.0))
    heads = TwoHeads().report.weight.numel()
    count = len(noisy) - heads
    draws = Draws(1, 0, (0,), count)
    wanted = balancer.deviation(count) * draws.normal(0, noisy[:-heads])
    torch.testing.assert_close((noisy - still)[:-heads], wanted)
