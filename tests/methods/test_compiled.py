"""A compiled method gives the losses and gradients of the eager one."""

import subprocess
import sys
from pathlib import Path

import pytest

from gradtruce.methods.registry import method_names

ROOT = Path(__file__).parents[2]

SCRIPT = """
import torch
from torch._dynamo.utils import counters
from gradtruce.methods.base import model_inputs
from tests.methods.studies import make_batch, make_method

def run(method, batch):
    model.zero_grad()
    losses = method(**model_inputs(batch)).losses
    sum(losses.values()).backward()
    return losses, {k: v.grad.clone() for k, v in model.named_parameters()}

torch.manual_seed(0)
model = make_method("METHOD")
batches = [make_batch(studies=2, tokens=5), make_batch(studies=2, tokens=5, seed=1)]
batches[1].view_mask[0, 1] = False
eager = [run(model, batch) for batch in batches]
compiled = torch.compile(model, backend="BACKEND")
for batch, (losses, gradients) in zip(batches, eager):
    found, found_gradients = run(compiled, batch)
    for name, loss in losses.items():
        torch.testing.assert_close(found[name], loss, rtol=1e-8, atol=1e-8)
    for name, gradient in gradients.items():
        torch.testing.assert_close(found_gradients[name], gradient, rtol=1e-8, atol=1e-8)
print("frames", counters["frames"]["ok"])
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", method_names())
def test_compiled_losses_and_gradients_equal_eager_ones(name: str) -> None:
    # A process of its own: the checker of shapes in tests cannot be compiled.
    script = SCRIPT.replace("BACKEND", "aot_eager").replace("METHOD", name)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    frames = int(done.stdout.split("frames")[1])
    assert frames >= 2, "nothing was compiled"
