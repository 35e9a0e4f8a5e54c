"""A model with two tasks, and one toy balancer of each small interface."""

from collections.abc import Sequence
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gradtruce.gradients.balancer import Balancer, TaskStatistics
from gradtruce.gradients.counter import Draws

WEIGHTS = {"report": 1.0, "findings": 4.0}


class TwoHeads(nn.Module):
    """A trunk of two layers and a head for each of two tasks; one layer is never used."""

    def __init__(self, dropout: float = 0.0) -> None:
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Dropout(dropout), nn.Linear(8, 5))
        self.report, self.findings = nn.Linear(5, 3), nn.Linear(5, 2)
        self.unused = nn.Linear(2, 2)

    def forward(self, batch: Tensor) -> dict[str, Tensor]:
        features = self.trunk(batch)
        return {
            "report": self.report(features).square().mean(),
            "findings": self.findings(features).sub(1.0).pow(4).mean(),
        }


def batch(rows: int = 4, seed: int = 1) -> Tensor:
    return torch.randn(rows, 6, generator=torch.Generator().manual_seed(seed))


def gradients_of(model: nn.Module, losses: Sequence[Tensor]) -> list[list[Tensor]]:
    """Return the task gradients as autograd gives them, zeros where there is none."""
    trained = [p for p in model.parameters() if p.requires_grad]
    rows = []
    for loss in losses:
        found = torch.autograd.grad(loss, trained, retain_graph=True, allow_unused=True)
        there = {id(p): g for p, g in zip(trained, found, strict=True) if g is not None}
        rows.append([there.get(id(p), torch.zeros_like(p)) for p in model.parameters()])
    return rows


@final
class EqualNorms(Balancer, name="toy_equal_norms"):
    """a_k = λ_k / ‖g_k‖, from the Gramian."""

    def coefficients(self, step: TaskStatistics) -> Float[Tensor, "*blocks tasks"]:
        return step.weights / step.gramian.diagonal().sqrt()


@final
class InverseLoss(Balancer, name="toy_inverse_loss", needs="losses"):
    """a_k = 1 / L_k, from the losses of the whole step."""

    def coefficients(self, step: TaskStatistics) -> Float[Tensor, "*blocks tasks"]:
        return 1 / step.losses


@final
class Remembering(Balancer, name="toy_after_step", needs="losses"):
    """Keeps the losses before and after the update, as FAMO does."""

    before: Tensor
    after: Tensor

    def bind(self, tasks: Sequence[str]) -> None:
        self.register_buffer("before", torch.zeros(len(tasks), dtype=torch.float64))
        self.register_buffer("after", torch.zeros(len(tasks), dtype=torch.float64))

    def coefficients(self, step: TaskStatistics) -> Float[Tensor, "*blocks tasks"]:
        self.before = step.losses.clone()
        return step.weights

    def after_step(self, losses: Float[Tensor, " tasks"]) -> None:
        self.after = losses


@final
class SignMask(Balancer, name="toy_row_transform"):
    """Drops each number of a gradient at random, and sums."""

    def coefficients(self, step: TaskStatistics) -> Float[Tensor, "*blocks tasks"]:
        return torch.ones_like(step.weights)

    def transform(
        self, rows: Sequence[Sequence[Tensor | None]], weights: Tensor, draws: Draws
    ) -> None:
        for row in rows:
            for place, gradient in enumerate(row):
                if gradient is not None:
                    gradient.mul_(draws.uniform(place, gradient) < 0.5)


@final
class Turns(Balancer, name="toy_task_schedule"):
    """Updates once for each task, in a random order."""

    def coefficients(self, step: TaskStatistics) -> Float[Tensor, "*blocks tasks"]:
        return step.weights

    def groups(self, draws: Draws) -> Sequence[Sequence[int]]:
        return [[task] for task in draws.order(2)]

    def before_update(self, group: Sequence[int], losses: Tensor) -> None:
        pass


@final
class Noisy(Balancer, name="toy_gradient_noise"):
    """Adds 1 to every number in scope: noise that a test can see."""

    def coefficients(self, step: TaskStatistics) -> Float[Tensor, "*blocks tasks"]:
        return step.weights

    def add(self, gradients: Sequence[Tensor | None], draws: Draws, scale: float | Tensor) -> None:
        for gradient in gradients:
            if gradient is not None:
                gradient.add_(1.0 * scale)


@final
class EqualLayers(Balancer, name="toy_blocks", needs="blocks"):
    """a_k = λ_k / ‖g_k‖ in each layer by itself, 1 where task k does not reach the layer."""

    def blocks(self, names: Sequence[str]) -> Sequence[int]:
        layers = [name.rpartition(".")[0] for name in names]
        return [sorted(set(layers)).index(layer) for layer in layers]

    def coefficients(self, step: TaskStatistics) -> Float[Tensor, "*blocks tasks"]:
        norms = step.gramian.diagonal(dim1=-2, dim2=-1).sqrt()
        return torch.where(norms > 0, step.weights / norms, 1.0)


for _toy in (EqualNorms, InverseLoss, Remembering, SignMask, Turns, Noisy, EqualLayers):
    del Balancer.known[_toy.name]  # toys are made by hand; lists of balancers must not show them
