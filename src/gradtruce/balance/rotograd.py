"""RotoGrad: features rotated for each task, and their gradients brought to one norm."""

from collections.abc import Callable, Sequence
from typing import final

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from gradtruce.gradients.balancer import Balancer, TaskStatistics
from gradtruce.gradients.gramian import gramian
from gradtruce.gradients.rotations import Kept, Rotations, rotated, rotation
from gradtruce.gradients.solvers.adam import Adam, require_rate
from gradtruce.gradients.solvers.rectification import significant


@final
class RotoGrad(
    Balancer,
    name="rotograd",
    needs="norms",
    source="Javaloy and Valera 2022, algorithm 1",
    synchronises="the matrix exponential does; Rotations(by='cayley') does not",
    guarantee="all task gradients have one norm, at the features",
):
    """Bring the task gradients to one norm, and rotate the features so that they point alike.

    Put one `Rotations` module between trunk and heads, and compute each loss from the view of its
    task. With G_k the gradient of L_k at its view, over all samples of a step, and g_k = R_kᵀ G_k
    that at the features:

    - scale: a_k = λ_k U/‖g_k‖, with U = Σ ω_k ‖g_k‖ and ω_k ∝ ‖g_k‖/‖g_k at first‖, Σ ω = 1. "At
      first" is a task's first step, and once more the one after `burn_in`;
    - rotate: R_k minimises ‖R_k v − G_k‖² over all samples, v = Σ g_k/‖g_k‖. We minimise minus the
      cosine of R_k v and G_k, which has the same minimum and, under Adam, the same steps.

    λ_k comes after the scaling, so that it keeps its meaning; before, the scaling would undo it.
    With all λ = 1 this is the published method. Parameters that do not see the features through
    `Rotations`, but belong to the scope, get the same a.

    The trunk runs K backward passes, where the public code cuts the graph and runs one. That code
    hides trunk and heads in Python lists, so that parameters(), state_dict() and to() miss them
    and DDP does too; its cut graph knows no scaler and no micro-batches; it waits for the device at
    each loss; heads take features of two dimensions only where rotation is partial. Not so here.

    Args:
        learning_rate: Of Adam for the angles, above 0; smaller than the model's, says the paper.
        decay: What multiplies the learning rate each step, above 0, up to 1.
        burn_in: Steps after which the first norms are taken anew, at least 0.
        scale: Whether the norms are brought to one; without it this is "RotateOnly".
        rot_dim: How many of the first features the rotations turn, where a training loop has them
            made by `new_rotations`; all where not given. See `Rotations`.
        by: The map of these rotations; "exponential" where not given.

    Raises:
        ValueError: If an argument is out of its range.

    >>> balancer = RotoGrad()
    >>> balancer.bind(["a", "b"])
    >>> balancer.coefficients(TaskStatistics(torch.diag(torch.tensor([1.0, 9.0]).double())))
    tensor([2.0000, 0.6667], dtype=torch.float64)
    """

    first: Tensor
    seen: Tensor
    places: Tensor
    adam: Adam

    def __init__(
        self,
        learning_rate: float = 1e-3,
        *,
        decay: float = 0.99999,
        burn_in: int = 20,
        scale: bool = True,
        rot_dim: int | None = None,
        by: str | None = None,
    ) -> None:
        super().__init__()
        require_rate(learning_rate)
        if not 0 < decay <= 1:
            raise ValueError(f"decay must be above 0 and at most 1, got {decay}")
        if burn_in < 0:
            raise ValueError(f"burn_in must be at least 0, got {burn_in}")
        self.learning_rate, self.decay, self.burn_in = learning_rate, decay, burn_in
        self.scale, self.rot_dim, self.by = scale, rot_dim, by
        self._tasks: tuple[str, ...] = ()
        # in a tuple, so that the model's module is not the balancer's too
        self._found: tuple[Rotations, ...] = ()

    def bind(self, tasks: Sequence[str]) -> None:
        """Make the norms of a task's first step."""
        self._tasks = tuple(tasks)
        self.register_buffer("first", torch.zeros(len(tasks), dtype=torch.float64))
        self.register_buffer("seen", torch.zeros(len(tasks), dtype=torch.int64))

    def new_rotations(self, tasks: Sequence[str], width: int) -> Rotations:
        """Return `Rotations` as `rot_dim` and `by` say.

        >>> RotoGrad(rot_dim=4).new_rotations(["report", "findings"], width=8).rot_dim
        4
        """
        return Rotations(tasks, width, rot_dim=self.rot_dim, by=self.by or "exponential")

    def attach(self, model: nn.Module) -> None:
        """Find `Rotations` in the model.

        Raises:
            ValueError: If it has none or several, or one for other tasks or made otherwise.
        """
        found = [module for module in model.modules() if isinstance(module, Rotations)]
        if len(found) != 1:
            raise ValueError(
                f"RotoGrad needs one Rotations module in the model, between trunk and heads, found "
                f"{len(found)}"
            )
        unknown = set(found[0].tasks) - set(self._tasks)
        if unknown:
            raise ValueError(
                f"Rotations has a task {min(unknown)!r}; known: {', '.join(self._tasks)}"
            )
        for option in ("rot_dim", "by"):
            here, there = getattr(self, option), getattr(found[0], option)
            if here not in (None, there):
                raise ValueError(
                    f"{option} is {here!r}, but that of the model's Rotations {there!r}"
                )
        self._found = (found[0],)
        found[0].is_watched = True
        self.adam = Adam(found[0].angles.numel(), self.learning_rate)
        places = torch.tensor([self._tasks.index(task) for task in found[0].tasks])
        self.register_buffer("places", places, persistent=False)

    def forget(self) -> None:
        """Drop what former backward passes left."""
        for rotations in self._found:
            rotations.forget()

    def observe(
        self, factor: float | Tensor, total: Callable[[Tensor], Tensor]
    ) -> Float[Tensor, "tasks tasks"]:
        """Return the Gramian of the features over all samples and ranks, and turn the rotations.

        Raises:
            ValueError: If no loss was computed from a view, in the first step.
        """
        (rotations,) = self._found
        if not rotations.gradients and not self.seen.any():
            raise ValueError(
                "no loss was computed from what Rotations returned: give each head the view of its "
                'task, as in head(rotations(features)["report"])'
            )
        with torch.no_grad():
            back = [_at_features(kept, rotations.matrices) for kept in rotations.gradients]
            rows: list[Kept] = [[kept[k] for kept in back] for k in range(len(self.places))]
            products = total(gramian(rows, device=self.first.device)) * factor**2
            norms = products.diagonal().sqrt()
            units = (norms > 0) & norms.isfinite()
            inverse = torch.where(units, factor / norms, 0.0)
            moments = total(_moments(rotations, back, inverse))
            self._turn(rotations, moments, products / norms.outer(norms), units)
            rotations.forget()
            whole = products.new_zeros(len(self._tasks), len(self._tasks))
            whole[self.places[:, None], self.places] = products
        return whole

    def coefficients(self, step: TaskStatistics) -> Float[Tensor, "*blocks tasks"]:
        """Return a; λ for tasks whose gradient does not reach the features."""
        weights = step.weights.to(torch.float64)
        if not self.scale:
            return weights.expand(step.gramian.shape[:-1])
        squares = step.gramian.to(torch.float64)
        norms = squares.diagonal(dim1=-2, dim2=-1).sqrt()
        counts = step.active & significant(squares) & norms.isfinite()
        is_first = counts & ((self.seen == 0) | (self.seen == self.burn_in))
        self.first = torch.where(is_first, norms, self.first)
        self.seen = self.seen + counts
        safe = torch.where(counts, norms, 1.0)
        ratios = torch.where(counts, safe / torch.where(counts, self.first, 1.0), 0.0)
        shares = ratios / torch.where(counts.any(-1, keepdim=True), ratios.sum(-1, keepdim=True), 1)
        norm = (shares * safe).sum(-1, keepdim=True)
        return torch.where(counts, weights * norm / safe, weights)

    def _turn(
        self,
        rotations: Rotations,
        moments: Float[Tensor, "tasks turned turned"],
        cosines: Float[Tensor, "tasks tasks"],
        units: Bool[Tensor, " tasks"],
    ) -> None:
        """Take a step of Adam down minus the cosine of R_k v and G_k, for tasks that have one."""
        both = units & units.unsqueeze(-1)
        length = torch.where(both, cosines, 0.0).sum().clamp_min(0.0).sqrt()  # ‖v‖
        is_fine = units & (length > 0) & moments.isfinite().all(-1).all(-1).all()
        aims = torch.where(is_fine[:, None, None], moments / length, 0.0).to(rotations.angles)
        angles = rotations.angles.clone()
        with torch.enable_grad():
            matrices = rotation(angles.requires_grad_(), rotations.rot_dim, rotations.by)
            (gradient,) = torch.autograd.grad(-(matrices * aims).sum(), angles)
        angles = angles.detach().to(torch.float64)
        active = is_fine.unsqueeze(-1).expand_as(angles).flatten()
        rate = torch.pow(self.decay, self.adam.steps).view_as(angles)
        moved = self.adam(angles.flatten(), gradient.to(torch.float64).flatten(), active)
        rotations.turn((angles + rate * (moved.view_as(angles) - angles)).to(rotations.angles))


def _at_features(kept: Kept, matrices: Float[Tensor, "tasks turned turned"]) -> Kept:
    """Return g_k = R_kᵀ G_k of one forward pass, samples by features, in full precision."""
    return [
        None
        if gradient is None
        else rotated(gradient.flatten(0, -2).to(matrix.dtype), matrix.T).contiguous()
        for gradient, matrix in zip(kept, matrices, strict=True)
    ]


def _moments(
    rotations: Rotations, back: Sequence[Kept], inverse: Float[Tensor, " tasks"]
) -> Float[Tensor, "tasks turned turned"]:
    """Return Σ (G_k/‖G_k‖) vᵀ over samples, of the features that are rotated."""
    turned = rotations.rot_dim
    factors = inverse.to(rotations.matrices).unbind()
    moments = torch.zeros_like(rotations.matrices)
    for kept in back:
        scaled = [
            None if g is None else factor * g[:, :turned]
            for g, factor in zip(kept, factors, strict=True)
        ]
        there = [g for g in scaled if g is not None]
        v = torch.stack(there).sum(0)
        for k, g in enumerate(scaled):
            if g is not None:
                moments[k] += rotated(g, rotations.matrices[k]).T @ v
    return moments
