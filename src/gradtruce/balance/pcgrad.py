"""PCGrad: each task gradient loses what opposes the others, in random order."""

from typing import final

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from gradtruce.gradients.balancer import Balancer, TaskStatistics
from gradtruce.gradients.solvers.orders import random_orders
from gradtruce.gradients.solvers.rectification import significant


@final
class PCGrad(
    Balancer,
    name="pcgrad",
    source="Yu et al. 2020, algorithm 1",
    guarantee="two tasks: ⟨g, update⟩ ≥ 0",
    degree=0.0,
):
    """Project each gradient off those it conflicts with (Yu et al. 2020, algorithm 1).

    With g_k the task gradients times their static weights: each v_i starts as g_i and, for the
    other tasks j in an order drawn for i, becomes v_i − (⟨v_i, g_j⟩/‖g_j‖²)·g_j where ⟨v_i, g_j⟩ is
    negative. The update is Σ v_i, a sum: without conflict Σ λ_k g_k. It takes K steps of K × K
    tensor operations and never waits for the device, whatever K is. λ scales the rows and changes
    no projection; a task of weight 0 is left out.

    From three tasks on the result depends on the order, so that a seed is needed, and a task's
    inner product with the update may be negative: the last projection counts. Two tasks need no
    seed, and there the update is that of `UPGrad`.

    Several public codes (those that came with FAMO and Nash-MTL, LibMTL) project v_i on g_i as
    well, which changes the result from three tasks on; it is not done here. Another takes the mean.

    >>> gramian = torch.tensor([[1.0, -1.0], [-1.0, 4.0]], dtype=torch.float64)
    >>> PCGrad().coefficients(TaskStatistics(gramian))
    tensor([2.0000, 1.2500], dtype=torch.float64)
    """

    def coefficients(self, step: TaskStatistics) -> Float[Tensor, "*blocks tasks"]:
        """Return a; λ for tasks that are inactive or whose row is below 1e-12 of the largest.

        Raises:
            ValueError: If there are three tasks or more and no seed was given.
        """
        weights = step.weights.to(torch.float64)
        gramian = step.gramian.to(torch.float64)
        active = step.active & significant(gramian * weights.outer(weights))
        orders = random_orders(len(weights), step.generator, gramian.device, of="PCGrad")
        projected = surgery(gramian, orders, active)
        own = (weights * active).unsqueeze(-2)
        return torch.where(active, (own @ projected).squeeze(-2), weights)


def surgery(
    gramian: Float[Tensor, "*blocks tasks tasks"],
    orders: Int[Tensor, "tasks tasks"],
    active: Bool[Tensor, "*blocks tasks"],
) -> Float[Tensor, "*blocks tasks tasks"]:
    """Return the coefficients of each projected gradient, in row i those of v_i.

    Args:
        gramian: G.
        orders: In row i, the order in which v_i meets the tasks; itself is passed over.
        active: Tasks that are met.

    >>> G = torch.tensor([[1.0, -1.0], [-1.0, 4.0]], dtype=torch.float64)
    >>> surgery(G, torch.tensor([[0, 1], [1, 0]]), torch.tensor([True, True]))
    tensor([[1.0000, 0.2500],
            [1.0000, 1.0000]], dtype=torch.float64)
    """
    tasks = gramian.shape[-1]
    rows = torch.eye(tasks, dtype=gramian.dtype, device=gramian.device).expand(gramian.shape)
    meets = active.unsqueeze(-2) & ~torch.eye(tasks, dtype=torch.bool, device=gramian.device)
    squares = gramian.diagonal(dim1=-2, dim2=-1)
    squares = torch.where(active, squares, 1.0).unsqueeze(-2)
    for met in torch.nn.functional.one_hot(orders, tasks).bool().unbind(-2):
        share = (rows @ gramian) / squares  # ⟨v_i, g_j⟩/‖g_j‖²
        rows = rows - torch.where(met & meets, share.clamp_max(0.0), 0.0)
    return rows
