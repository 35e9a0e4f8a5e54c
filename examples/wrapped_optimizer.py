"""An optimizer that takes a list of losses, as in the CAME-Grad authors' trainer.

Run with `python examples/wrapped_optimizer.py`; it needs the core of gradtruce alone.
"""

import torch
from torch import nn

import gradtruce as gt


def main(epochs: int = 3) -> None:
    """Train two heads on one trunk under a learning rate schedule."""
    torch.manual_seed(0)
    trunk, first, second = nn.Linear(16, 32), nn.Linear(32, 1), nn.Linear(32, 1)
    model = nn.ModuleList([trunk, first, second])
    optimizer = gt.wrap(torch.optim.AdamW(model.parameters(), lr=1e-2), gt.CAMEGrad(), model=model)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    inputs = torch.randn(256, 16)
    for epoch in range(epochs):
        for batch in inputs.split(32):
            shared = trunk(batch).relu()
            losses = [
                nn.functional.mse_loss(first(shared), batch[:, :1].sin()),
                nn.functional.mse_loss(second(shared), -batch[:, :1]),
            ]
            optimizer.step(losses, task_weights=[1.0, 4.0])  # backward, update, zero_grad
        schedule.step()
        values = ", ".join(f"{loss.item():.3f}" for loss in losses)
        print(f"epoch {epoch}: losses {values}, next learning rate {schedule.get_last_lr()[0]:g}")


if __name__ == "__main__":
    main()
