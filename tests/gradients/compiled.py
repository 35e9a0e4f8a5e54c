"""Compares a compiled model with the same model in eager mode; run in a process of its own.

The first argument says what is compiled ("whole", "part" or "trained before"), the second by which
backend. Prints the largest relative difference of an update, and what the engine says of its scope.
"""

import json
import sys

import torch
from torch import Tensor, nn

from gradtruce.balance import CAMEGrad
from gradtruce.gradients import TaskGradients


class Model(nn.Module):
    """Convolutions, normalisation, attention-like products, and a head for each of two tasks."""

    def __init__(self, *, batch_norm: bool) -> None:
        super().__init__()
        between = nn.BatchNorm2d(8) if batch_norm else nn.Identity()
        self.trunk = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1), between, nn.GELU(), nn.Conv2d(8, 8, 3)
        )
        self.norm = nn.LayerNorm(8)
        self.report, self.findings = nn.Linear(8, 4), nn.Linear(8, 4)
        self.unused = nn.Linear(2, 2)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        features = self.norm(self.trunk(images).flatten(2).mean(2))
        return {
            "report": self.report(features).square().mean(),
            "findings": self.findings(features).sigmoid().pow(2).mean(),
        }


def run(model: nn.Module, *, plain_step_first: bool) -> tuple[str, dict[str, Tensor | None]]:
    """Return scope and last update of three steps."""
    images = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    if plain_step_first:
        sum(model(images).values()).backward()
        optimizer.zero_grad()
    engine = TaskGradients(model, CAMEGrad(), weights={"report": 1.0, "findings": 4.0})
    for _ in range(3):
        optimizer.zero_grad()
        engine.backward(model(images))
        optimizer.step()
    named = model.named_parameters()
    return engine.describe(), {name.replace("_orig_mod.", ""): p.grad for name, p in named}


def main(kind: str, backend: str) -> None:
    """Print the comparison as JSON."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    before = kind == "trained before"  # the compiler donates no buffers where it updates statistics
    eager, copy = Model(batch_norm=not before), Model(batch_norm=not before)
    copy.load_state_dict(eager.state_dict())
    if kind == "part":
        copy.trunk = torch.compile(copy.trunk, backend=backend)
        compiled: nn.Module = copy
    else:
        compiled = torch.compile(copy, backend=backend)
    scope, wanted = run(eager, plain_step_first=before)
    try:
        compiled_scope, found = run(compiled, plain_step_first=before)
    except RuntimeError as error:
        sys.stdout.write(json.dumps({"error": str(error)}))
        return
    assert {name for name in wanted if wanted[name] is None} == {"unused.weight", "unused.bias"}
    assert {name for name in found if found[name] is None} == {"unused.weight", "unused.bias"}
    pairs = [(found[name], wanted[name]) for name in wanted if wanted[name] is not None]
    largest = max(w.norm() for _, w in pairs)  # a bias before normalisation has rounding alone
    difference = max(float((f - w).norm() / largest) for f, w in pairs)
    result = {"same_scope": scope == compiled_scope, "difference": difference}
    sys.stdout.write(json.dumps(result))


if __name__ == "__main__":
    main(*sys.argv[1:])
