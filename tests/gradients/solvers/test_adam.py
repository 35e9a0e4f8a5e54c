import pytest
import torch

from gradtruce.gradients.solvers.adam import Adam


def test_it_takes_the_steps_of_torchs_own_adam() -> None:
    generator = torch.Generator().manual_seed(0)
    gradients = torch.randn(50, 4, generator=generator, dtype=torch.float64)
    theirs = torch.nn.Parameter(torch.ones(4, dtype=torch.float64))
    optimizer = torch.optim.Adam([theirs], lr=0.03)
    adam, ours = Adam(4, 0.03), torch.ones(4, dtype=torch.float64)
    everyone = torch.ones(4, dtype=torch.bool)
    for gradient in gradients:
        theirs.grad = gradient.clone()
        optimizer.step()
        ours = adam(ours, gradient, everyone)
    torch.testing.assert_close(ours, theirs.detach(), rtol=1e-12, atol=1e-12)


def test_a_task_that_comes_late_takes_the_steps_it_would_have_taken_alone() -> None:
    gradients = torch.randn(20, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    alone, together = Adam(1, 0.1), Adam(2, 0.1)
    lonely, values = torch.zeros(1).double(), torch.zeros(2).double()
    for place, gradient in enumerate(gradients):
        late = place >= 7 and place % 3 > 0
        if late:
            lonely = alone(lonely, gradient[1:], torch.tensor([True]))
        values = together(values, gradient, torch.tensor([True, late]))
    assert torch.equal(values[1:], lonely)


def test_a_gradient_of_zero_from_the_start_moves_nothing_even_without_epsilon() -> None:
    adam = Adam(2, 0.1, epsilon=1e-100)
    values = adam(torch.ones(2).double(), torch.zeros(2).double(), torch.tensor([True, True]))
    assert torch.equal(values, torch.ones(2).double())


@pytest.mark.parametrize("rate", [0.0, -1.0, float("nan"), float("inf")])
def test_a_learning_rate_that_is_not_above_zero_is_refused(rate: float) -> None:
    with pytest.raises(ValueError, match="learning_rate must be above 0, got"):
        Adam(2, rate)
