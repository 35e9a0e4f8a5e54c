"""Parameter blocks: one Gramian each, and one row of coefficients each."""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from gradtruce.gradients.balancer import ParameterBlocks
from gradtruce.gradients.rows import Row

Measure = Callable[[Sequence[Row], Sequence[int]], Tensor]  # rows and places to their Gramian


def blocks_of(balancer: ParameterBlocks, names: Sequence[str]) -> list[int]:
    """Return the block of every parameter in scope.

    Raises:
        ValueError: If the balancer does not give each parameter a block, counted from 0 without a
            gap.

    >>> class Layers:
    ...     def blocks(self, names):
    ...         return [0, 0, 1]
    >>> blocks_of(Layers(), ["trunk.weight", "trunk.bias", "neck.weight"])
    [0, 0, 1]
    """
    found = list(balancer.blocks(names))
    if len(found) != len(names) or set(found) != set(range(max(found, default=-1) + 1)):
        raise ValueError(
            f"blocks of {type(balancer).__name__} must give each of the {len(names)} parameters in "
            f"scope a number from 0 on, without a gap, got {found}"
        )
    return found


def block_gramians(
    rows: Sequence[Row], places: Sequence[int], blocks: Sequence[int], measure: Measure
) -> Float[Tensor, "blocks tasks tasks"]:
    """Return the Gramian of each block of parameters, of which there is at least one.

    Args:
        rows: Gradients in scope.
        places: Which parameters they belong to.
        blocks: The block of each.
        measure: Returns the Gramian of rows.

    >>> from gradtruce.gradients.gramian import gramian
    >>> rows = [[torch.ones(2), torch.ones(1)], [torch.ones(2), None]]
    >>> measure = lambda rows, places: gramian(rows, device=torch.device("cpu"))
    >>> block_gramians(rows, [0, 1], [0, 1], measure)
    tensor([[[2., 2.],
             [2., 2.]],
    <BLANKLINE>
            [[1., 0.],
             [0., 0.]]], dtype=torch.float64)
    """
    found = []
    for block in range(max(blocks, default=-1) + 1):
        members = [index for index, number in enumerate(blocks) if number == block]
        part = [[row[index] for index in members] for row in rows]
        found.append(measure(part, [places[index] for index in members]))
    return torch.stack(found)


def gramian_by_reach(
    rows: Sequence[Row], places: Sequence[int], measure: Measure, *, device: torch.device
) -> Float[Tensor, "tasks tasks"]:
    """Return the Gramian of rows most of which are missing, such as those of private parameters.

    Parameters that the same tasks reach are taken together, so that what is missing costs nothing.

    >>> from gradtruce.gradients.gramian import gramian
    >>> rows, cpu = [[torch.ones(2), None], [None, torch.ones(3)]], torch.device("cpu")
    >>> gramian_by_reach(rows, [0, 1], lambda rows, _: gramian(rows, device=cpu), device=cpu)
    tensor([[2., 0.],
            [0., 3.]], dtype=torch.float64)
    """
    total = torch.zeros(len(rows), len(rows), dtype=torch.float64, device=device)
    groups: dict[tuple[int, ...], list[int]] = {}
    for index, column in enumerate(zip(*rows, strict=True)):
        there = tuple(task for task, gradient in enumerate(column) if gradient is not None)
        if there:
            groups.setdefault(there, []).append(index)
    for tasks, members in groups.items():
        some = [[rows[task][index] for index in members] for task in tasks]
        part = measure(some, [places[index] for index in members])
        where = torch.tensor(tasks).to(device, non_blocking=True)
        total.index_put_((where.unsqueeze(-1), where), part, accumulate=True)
    return total


def mean_coefficients(
    gramians: Float[Tensor, "blocks tasks tasks"], coefficients: Float[Tensor, "blocks tasks"]
) -> Float[Tensor, " tasks"]:
    """Return Σ_b a_bk ‖g_bk‖² / ‖g_k‖², what each task's share of the update is along g_k.

    >>> G = torch.tensor([[[3.0]], [[1.0]]])
    >>> mean_coefficients(G, torch.tensor([[1.0], [5.0]]))
    tensor([2.])
    """
    squares = gramians.diagonal(dim1=-2, dim2=-1)
    total = squares.sum(0)
    shares = torch.where(total > 0, squares / total, 1.0 / len(gramians))
    return (shares * coefficients).sum(0)
