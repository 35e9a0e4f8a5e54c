"""Small random projections of rows, whose inner products are those of the rows on average."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from gradtruce.gradients.counter import Draws
from gradtruce.gradients.gramian import flat
from gradtruce.gradients.rows import Row

LANE = 4  # of the random numbers, apart from those that balancers draw


def sketched(
    rows: Sequence[Row], starts: Sequence[int], size: int, *, seed: int, step: int
) -> Float[Tensor, "tasks size"]:
    """Return the count-sketch of every row, in float64 (Charikar, Chen and Farach-Colton 2002).

    Each coordinate goes to one of `size` sums, with a random sign; both come from a hash of seed,
    step and coordinate. The map is linear and the same on all ranks, so that the mean of their
    sketches is the sketch of their mean. Inner products have the right mean over seeds and steps,
    and an error of about √(2/size) of the product of the norms.

    Args:
        rows: Whole gradients of one parameter each, `None` for zero.
        starts: Coordinate of the first number of each parameter.
        size: Numbers of a sketch.
        seed: Of the run.
        step: Number of completed updates.

    >>> row = [torch.tensor([3.0, 4.0])]
    >>> sketch = sketched([row], [0], 64, seed=0, step=0)
    >>> sketch.shape, float((sketch @ sketch.T).item())
    (torch.Size([1, 64]), 25.0)
    """
    device = next((g.device for row in rows for g in row if g is not None), torch.device("cpu"))
    sketches = torch.zeros(len(rows), size, dtype=torch.float64, device=device)
    draws = Draws(seed, step, tuple(starts))
    for place, column in enumerate(zip(*rows, strict=True)):
        there = [
            (task, flat(gradient)) for task, gradient in enumerate(column) if gradient is not None
        ]
        if not there:
            continue
        like = torch.empty(len(there[0][1]), dtype=torch.float64, device=device)
        drawn = draws.uniform(place, like, lane=LANE).mul_(2 * size).long()
        target, sign = drawn >> 1, 1 - 2 * (drawn & 1)
        for task, gradient in there:
            sketches[task].index_add_(0, target, gradient.double() * sign)
    return sketches
