import pytest
import torch
from torch import Tensor, nn

from gradtruce.balance import CAMEGrad, Linear
from gradtruce.gradients import TaskGradients
from gradtruce.gradients.balancer import Balancer
from gradtruce.gradients.rows import RowStore, gradients_aside


def store_of(*parameters: nn.Parameter) -> RowStore:
    names = [f"p{place}" for place in range(len(parameters))]
    return RowStore(parameters, names, count=2)


def test_rows_are_the_buffers_that_autograd_made() -> None:
    parameter = nn.Parameter(torch.ones(4))
    handed: list[int] = []
    hook = parameter.register_post_accumulate_grad_hook
    hook(lambda p: handed.append(p.grad.data_ptr()))
    store = store_of(parameter)
    store.add(0, (parameter**2).sum().backward)
    store.add(1, (parameter**3).sum().backward)
    assert [row[0].data_ptr() for row in store.rows] == handed
    assert [row[0].tolist() for row in store.rows] == [[2] * 4, [3] * 4]
    assert parameter.grad is None


def test_micro_batches_are_added_in_place() -> None:
    parameter = nn.Parameter(torch.ones(4))
    store = store_of(parameter)
    store.add(0, (parameter**2).sum().backward)
    first = store.rows[0][0]
    store.add(0, (parameter**2).sum().backward)
    assert store.rows[0][0] is first
    assert first.tolist() == [4] * 4


def test_an_unreached_parameter_has_no_row() -> None:
    store = store_of(nn.Parameter(torch.ones(1)), other := nn.Parameter(torch.ones(1)))
    store.add(0, (other**2).sum().backward)
    assert store.rows == [[None, torch.tensor([2.0])], [None, None]]


def layouts() -> list[Tensor]:
    dense = torch.randn(4, 3, 5, 5)
    return [
        dense.contiguous(memory_format=torch.channels_last),
        torch.randn(3, 4).T,
        torch.randn(4, 6)[:, ::2],  # holes: no gradient can lie like this
        torch.randn(4, 1).expand(4, 3),  # overlaps
        torch.randn(6, 4, 1, 1).contiguous(memory_format=torch.channels_last),
    ]


@pytest.mark.parametrize("place", range(5))
def test_rows_of_one_parameter_lie_alike_in_memory(place: int) -> None:
    parameter = nn.Parameter(layouts()[place])
    weight = torch.randn(parameter.shape)
    store = store_of(parameter)
    store.add(0, (parameter * weight).sum().backward)
    store.add(1, (parameter.transpose(0, 1) * weight.transpose(0, 1)).square().sum().backward)
    first, second = store.rows[0][0], store.rows[1][0]
    torch.testing.assert_close(first, weight)
    torch.testing.assert_close(second, 2 * parameter.detach() * weight**2)
    flats = [row.as_strided((row.numel(),), (1,)) for row in (first, second)]
    torch.testing.assert_close(flats[0] @ flats[1], (first * second).sum())


def test_a_sparse_gradient_is_an_error_that_names_the_parameter() -> None:
    table = nn.Embedding(5, 2, sparse=True)
    store = RowStore([table.weight], ["table.weight"], count=1)
    with pytest.raises(TypeError, match=r"'table.weight' is sparse.*sparse=False"):
        store.add(0, table(torch.tensor([1])).sum().backward)


def test_gradients_come_back_after_an_error() -> None:
    parameter = nn.Parameter(torch.ones(1))
    parameter.grad = torch.tensor([7.0])

    def fail() -> None:
        with gradients_aside([parameter]):
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert parameter.grad == 7


class Added(nn.Module):
    """Two parameters whose gradients autograd puts into one buffer, and two that meet a seed."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Parameter(torch.randn(4)), nn.Parameter(torch.randn(2, 2))
        self.bias, self.other = nn.Parameter(torch.randn(1)), nn.Parameter(torch.randn(1, 1))

    def forward(self) -> dict[str, torch.Tensor]:
        z = self.first[None] + self.second.view(1, 4)
        constants = self.bias.view(()) + self.other.view(())
        return {"report": z.square().sum() + constants, "findings": (2 * z).exp().sum() + constants}


@pytest.mark.parametrize("parts", [1, 2])
@pytest.mark.parametrize("scale", [None, 8.0])
@pytest.mark.parametrize("balancer", [CAMEGrad(), Linear()], ids=["rows", "sum"])
def test_gradients_in_one_buffer_are_told_apart(
    balancer: Balancer, scale: float | None, parts: int
) -> None:
    torch.manual_seed(0)
    model = Added().double()
    scaler = None if scale is None else torch.amp.GradScaler("cpu", init_scale=scale)
    options = {"scope": "all", "clip_norm": 3.0, "clip_value": 1.5, "scaler": scaler}
    engine = TaskGradients(model, balancer, weights={"report": 1.0, "findings": 4.0}, **options)
    for part in range(parts):
        record = engine.backward(model(), last=part == parts - 1)
    losses = model()
    total = sum(a * losses[task] for task, a in zip(record.tasks, record.coefficients, strict=True))
    wanted = torch.autograd.grad(parts * total, list(model.parameters()))
    norm = torch.cat([gradient.flatten() for gradient in wanted]).norm()
    torch.testing.assert_close(record.total_norm, norm)
    for parameter, gradient in zip(model.parameters(), wanted, strict=True):
        clipped = (gradient * (3.0 / norm).clamp_max(1.0)).clamp(-1.5, 1.5)
        torch.testing.assert_close(parameter.grad / (scale or 1.0), clipped)
