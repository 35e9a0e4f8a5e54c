"""A rotation of the features for each task, between trunk and heads."""

from collections.abc import Sequence
from functools import partial
from typing import Final, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

MAPS: Final = ("exponential", "cayley")
Kept = list[Tensor | None]


@final
class Rotations(nn.Module):
    """Show each head the features of a shared trunk through a rotation of its own (for RotoGrad).

    A loss must be computed from the view of its own task, and a view serve no other loss. R_k is
    the exponential of a skew-symmetric matrix, or its Cayley transform; the identity at first.
    Heads and trunk see R_k as a constant; `RotoGrad` learns it, so it is a buffer, which no
    optimizer knows and every checkpoint of the model holds.

    A compiled model breaks its graph here, because gradients are looked at while they pass
    (`torch.compiler.disable` by the name under which it loads the compiler when it is first used,
    not with `import gradtruce`: that takes seconds). Keep it
    out of re-entrant activation checkpoints, which run it anew in each backward pass, so that no
    two tasks meet; the others (`use_reentrant=False`) are fine.

    Args:
        tasks: Names, all of them tasks of `TaskGradients`.
        width: Of the features, their last dimension; all others are samples.
        rot_dim: How many of the first features are rotated; all by default.
        by: "exponential", as published, or "cayley", several times cheaper for many features.

    Raises:
        ValueError: If there is no task or one twice, a size is out of range, or `by` unknown.

    >>> rotations = Rotations(["report", "findings"], width=3)
    >>> views = rotations(torch.tensor([[1.0, 2.0, 3.0]]))
    >>> views["findings"]
    tensor([[1., 2., 3.]])
    """

    angles: Tensor
    matrices: Tensor

    def __init__(
        self,
        tasks: Sequence[str],
        width: int,
        *,
        rot_dim: int | None = None,
        by: str = "exponential",
    ) -> None:
        super().__init__()
        rot_dim = width if rot_dim is None else rot_dim
        if not tasks or len(set(tasks)) < len(tasks):
            raise ValueError(f"there must be at least one task, and each once, got {list(tasks)}")
        if not 1 <= rot_dim <= width:
            raise ValueError(f"rot_dim must be from 1 to the width of {width}, got {rot_dim}")
        if by not in MAPS:
            raise ValueError(f"by must be 'exponential' or 'cayley', got {by!r}")
        self.tasks, self.width, self.rot_dim, self.by = tuple(tasks), width, rot_dim, by
        self.register_buffer("angles", torch.zeros(len(tasks), rot_dim * (rot_dim - 1) // 2))
        self.register_buffer("matrices", torch.eye(rot_dim).repeat(len(tasks), 1, 1))
        self.is_watched = False
        self.gradients: list[Kept] = []  # a list a forward pass, since `forget`

    def extra_repr(self) -> str:  # shown by print(model)
        """Return tasks and sizes."""
        return f"tasks={self.tasks}, width={self.width}, rot_dim={self.rot_dim}, by={self.by!r}"

    @torch._disable_dynamo  # type: ignore[attr-defined]  # it is not exported
    def forward(self, features: Float[Tensor, "*samples width"]) -> dict[str, Tensor]:
        """Return the rotated features for each task."""
        kept: Kept = [None] * len(self.tasks)
        views = {}
        for place, task in enumerate(self.tasks):
            view = rotated(features, self.matrices[place])
            if self.is_watched and view.requires_grad:
                keep = partial(self._keep, kept, place)
                view.register_hook(keep)  # type: ignore[no-untyped-call]  # nor for this
            views[task] = view
        return views

    def across(
        self, view: Float[Tensor, "*samples width"], task: str, other: str
    ) -> Float[Tensor, "*samples width"]:
        """Return what the head of another task would see, computed from the view of a task.

        R_o R_kᵀ (R_k z) = R_o z: where a loss needs what another head makes of the features, its
        gradient so passes through the view of its own task.

        >>> rotations = Rotations(["report", "findings"], width=2)
        >>> rotations.turn(torch.tensor([[0.3], [-0.2]]))
        >>> views = rotations(torch.tensor([[1.0, 2.0]]))
        >>> told = rotations.across(views["report"], "report", "findings")
        >>> torch.testing.assert_close(told, views["findings"])
        """
        place, there = self.tasks.index(task), self.tasks.index(other)
        return rotated(view, self.matrices[there] @ self.matrices[place].T)

    def forget(self) -> None:
        """Drop the gradients that backward passes have left."""
        self.gradients = []

    @torch.no_grad()
    def turn(self, angles: Float[Tensor, "tasks pairs"]) -> None:
        """Take other angles, in place, so that replicas of the model stay tied to the buffers."""
        self.angles.copy_(angles)
        self.matrices.copy_(rotation(self.angles, self.rot_dim, self.by))

    def _keep(self, kept: Kept, place: int, gradient: Tensor) -> None:
        if not any(each is kept for each in self.gradients):
            self.gradients.append(kept)
        found = kept[place]
        kept[place] = gradient.detach() if found is None else found + gradient


def rotated(
    features: Float[Tensor, "*samples width"], matrix: Float[Tensor, "turned turned"]
) -> Float[Tensor, "*samples width"]:
    """Return R z for every sample z; features past the size of R stay as they are.

    >>> quarter = torch.tensor([[0.0, -1.0], [1.0, 0.0]])
    >>> rotated(torch.tensor([1.0, 2.0, 3.0]), quarter)
    tensor([-2.,  1.,  3.])
    """
    turned = len(matrix)
    first = features[..., :turned] @ matrix.T.to(features.dtype)
    if turned == features.shape[-1]:
        return first
    return torch.cat([first, features[..., turned:].to(first.dtype)], dim=-1)


def rotation(
    angles: Float[Tensor, "tasks pairs"], size: int, by: str
) -> Float[Tensor, "tasks size size"]:
    """Return the rotations of skew-symmetric matrices, given what is above their diagonals.

    >>> rotation(torch.tensor([[torch.pi / 2]]), 2, "exponential").round(decimals=4)
    tensor([[[ 0.,  1.],
             [-1.,  0.]]])
    """
    row, column = torch.triu_indices(size, size, offset=1, device=angles.device)
    upper = angles.new_zeros(len(angles), size, size)
    upper[:, row, column] = angles
    skew = upper - upper.mT
    if by == "exponential":
        return torch.matrix_exp(skew)
    one = torch.eye(size, dtype=angles.dtype, device=angles.device)
    result: Tensor = torch.linalg.solve_ex(one - skew / 2, one + skew / 2).result
    return result
