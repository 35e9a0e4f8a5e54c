import numpy as np
import pytest
import torch

from gradtruce.analysis.noise import PUBLISHED_RATIO, NoiseMeter, effective_gain


def regression(samples=4000, features=5):
    """Return inputs, targets, weights and per-sample gradients of a linear regression."""
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(samples, features, generator=generator, dtype=torch.float64)
    truth = torch.arange(features, dtype=torch.float64)
    targets = inputs @ truth + torch.randn(samples, generator=generator, dtype=torch.float64)
    weights = torch.zeros(features, dtype=torch.float64)
    return inputs, targets, weights, (inputs @ weights - targets).unsqueeze(-1) * inputs


def measured(rows):
    meter = NoiseMeter()
    for row in rows:
        meter.add([row[:2], None, row[2:]])
    return meter


def test_the_trace_of_a_linear_regression_is_that_of_the_closed_form():
    # x, ε standard normal, g = (xᵀδ + ε)x: tr Σ = tr E[(δᵀx)²xxᵀ] + P σ² − ‖δ‖² of one sample
    _, _, weights, gradients = regression()
    gap = torch.arange(5, dtype=torch.float64) - weights
    squared = float(gap @ gap)
    closed = squared * 5 + 2 * squared + 5 - squared
    batches = gradients.view(250, 16, 5).mean(1)
    noise = measured(batches).at_one_point()
    assert noise.trace.low < closed / 16 < noise.trace.high
    assert noise.trace.value == pytest.approx(closed / 16, rel=0.15)
    assert noise.signal == pytest.approx(squared, rel=0.1)


def test_the_estimate_is_unbiased_and_its_interval_covers():
    generator = torch.Generator().manual_seed(1)
    scales = torch.tensor([1.0, 2.0, 3.0])
    found = []
    for _ in range(400):
        rows = 5 + scales * torch.randn(16, 3, generator=generator)
        found.append(measured(rows).at_one_point())
    assert np.mean([noise.trace.value for noise in found]) == pytest.approx(14, rel=0.03)
    assert np.mean([noise.window_variance for noise in found]) == pytest.approx(14, rel=0.03)
    covered = [noise.trace.low <= 14 <= noise.trace.high for noise in found]
    assert np.mean(covered) > 0.9


def test_disjoint_batches_of_a_finite_set_have_the_noise_of_independent_ones():
    generator = torch.Generator().manual_seed(2)
    population = torch.randn(32, 2, generator=generator, dtype=torch.float64)
    independent = float(population.var(0).sum()) / 4  # of S², with n − 1
    found = []
    for _ in range(1500):
        order = torch.randperm(32, generator=generator)
        found.append(measured(population[order].view(8, 4, 2).mean(1)).at_one_point().trace.value)
    assert np.mean(found) == pytest.approx(independent, rel=0.03)


def test_a_gain_multiplies_the_trace_by_its_square_and_division_restores_it():
    rows = torch.randn(20, 4, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    joint, update = measured(rows).at_one_point(), measured(1.5 * rows).at_one_point()
    assert update.trace.value == pytest.approx(2.25 * joint.trace.value)
    restored = update.trace.value / effective_gain(update, joint) ** 2
    assert restored == pytest.approx(joint.trace.value)
    assert PUBLISHED_RATIO > 6 * 2.25


def test_movement_is_in_the_window_variance_and_not_in_the_successive_differences():
    generator = torch.Generator().manual_seed(4)
    drift = torch.linspace(0, 30, 400).unsqueeze(-1)
    noise = measured(drift + torch.randn(400, 3, generator=generator)).along_training()
    assert noise.trace.value == pytest.approx(3, rel=0.15)
    assert noise.window_variance > 20 * noise.trace.value


def test_noise_alone_is_all_of_the_second_moment():
    rows = torch.randn(200, 50, generator=torch.Generator().manual_seed(5))
    assert measured(rows).at_one_point().noise_share == pytest.approx(1, abs=0.05)


def test_rows_may_change_which_parameters_they_reach():
    meter = NoiseMeter()
    for row in ([torch.ones(1), None], [None, torch.ones(1)]) * 2:
        meter.add(row)
    assert meter.at_one_point().trace.value == 1.0


def test_two_gradients_are_too_few():
    with pytest.raises(ValueError, match="4 batches or more, got 2"):
        measured(torch.ones(2, 3)).at_one_point()
