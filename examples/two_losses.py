"""CAME-Grad in a loop of one's own: two losses on one trunk, and what the record tells.

Run with `python examples/two_losses.py`; it needs the core of gradtruce alone.
"""

import torch
from torch import nn

import gradtruce as gt


def main(steps: int = 200) -> None:
    """Fit two targets that pull the trunk apart, and print losses and conflict now and then."""
    torch.manual_seed(0)
    trunk, first, second = nn.Linear(16, 32), nn.Linear(32, 1), nn.Linear(32, 1)
    model = nn.ModuleList([trunk, first, second])
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    gradients = gt.TaskGradients(model, gt.CAMEGrad(), weights={"first": 1.0, "second": 4.0})
    inputs = torch.randn(256, 16)
    targets = inputs[:, :1].sin(), -inputs[:, :1].sin() + 0.5 * inputs[:, 1:2]
    for step in range(1, steps + 1):
        shared = trunk(inputs).relu()
        losses = {
            "first": nn.functional.mse_loss(first(shared), targets[0]),
            "second": nn.functional.mse_loss(second(shared), targets[1]),
        }
        record = gradients.backward(losses)
        optimizer.step()
        optimizer.zero_grad()
        if step % 50 == 0 and record is not None:
            print(f"step {step}: " + ", ".join(f"{k} {v.item():.3f}" for k, v in losses.items()))
            print(f"  cosine of the two gradients {float(record.cosines[0, 1]):+.2f}")


if __name__ == "__main__":
    main()
