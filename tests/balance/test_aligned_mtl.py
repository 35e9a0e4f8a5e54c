import pytest
import torch
from torch import Tensor

from gradtruce.balance.aligned_mtl import AlignedMTL
from gradtruce.gradients.balancer import TaskStatistics
from tests.laws.gramians import bank
from tests.reference.aligned_mtl import aligned_mtl as reference

F64 = torch.float64


def update(J: Tensor, scale: str = "min", weights: Tensor | None = None) -> Tensor:
    return AlignedMTL(scale).coefficients(TaskStatistics(J @ J.T, weights=weights)) @ J


@pytest.mark.parametrize("scale", ["min", "median", "rmse"])
@pytest.mark.parametrize("tasks", [1, 2, 3, 5, 9])
def test_it_agrees_with_the_singular_values(tasks: int, scale: str) -> None:
    weights = torch.linspace(0.5, 4.0, tasks, dtype=F64)
    for _, J in bank(tasks, 30, seed=tasks):
        wanted = torch.from_numpy(reference(J.numpy(), weights.numpy(), scale))
        found = update(J, scale, weights)
        assert float((found - wanted).norm()) <= 1e-6 * float(J.norm())


@pytest.mark.parametrize("tasks", [2, 3, 6])
def test_aligned_gradients_are_orthogonal_and_of_the_smallest_length(tasks: int) -> None:
    J = torch.randn(tasks, 20, dtype=F64, generator=torch.Generator().manual_seed(tasks))
    smallest = torch.linalg.eigvalsh(J @ J.T)[0]
    B = torch.stack(
        [
            AlignedMTL().coefficients(TaskStatistics(J @ J.T, weights=one))
            for one in torch.eye(tasks, dtype=F64)
        ]
    )
    torch.testing.assert_close(B @ J @ J.T @ B.T, smallest * torch.eye(tasks, dtype=F64))
    weights = torch.linspace(1.0, 3.0, tasks, dtype=F64)
    wanted = smallest * weights.square().sum()
    torch.testing.assert_close(update(J, weights=weights).square().sum(), wanted)


def test_orthogonal_gradients_worked_by_hand() -> None:
    # lengths 1 and 3: both are brought to 1, to the lower median 1, to the root mean square √5
    J = torch.tensor([[1.0, 0.0], [0.0, 3.0]], dtype=F64)
    torch.testing.assert_close(update(J), torch.tensor([1.0, 1.0], dtype=F64))
    torch.testing.assert_close(update(J, "median"), torch.tensor([1.0, 1.0], dtype=F64))
    torch.testing.assert_close(update(J, "rmse"), torch.tensor([5.0, 5.0], dtype=F64).sqrt())


def test_a_direction_without_gradient_is_dropped() -> None:
    J = torch.tensor([[2.0, 0.0], [2.0, 0.0]], dtype=F64)
    # one component of length √8 along (1, 1)/√2, whose part in the sum is √2
    torch.testing.assert_close(update(J), torch.tensor([4.0, 0.0], dtype=F64))


def test_a_gramian_that_is_not_finite_does_not_raise() -> None:
    G = torch.tensor([[1.0, torch.nan], [torch.nan, 1.0]], dtype=F64)
    assert AlignedMTL().coefficients(TaskStatistics(G)).isnan().any()


def test_the_scale_is_checked() -> None:
    with pytest.raises(ValueError, match="scale must be one of min, median, rmse; got 'max'"):
        AlignedMTL("max")


def test_rounding_of_the_gramian_is_not_taken_for_a_component() -> None:
    generator = torch.Generator().manual_seed(1)
    J = torch.randn(2, 50, dtype=F64, generator=generator)
    J = torch.cat([J, 0.3 * J[:1] + 0.5 * J[1:]])
    G = (J @ J.T).float()
    found = AlignedMTL().coefficients(TaskStatistics(G)) @ J
    torch.testing.assert_close(found, update(J), rtol=1e-4, atol=1e-4)
