"""The engine in a loop of Hugging Face accelerate, with gradient accumulation."""

import torch
from accelerate import Accelerator
from torch import Tensor, nn

import gradtruce as gt


class TwoHeads(nn.Sequential):
    """Two numbers from one trunk."""

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Return the losses, unweighted, by name."""
        up, down = super().forward(x).unbind(-1)
        return {"up": up.square().mean(), "down": (down + x[:, 0]).square().mean()}


def main(epochs: int = 2, parts: int = 2) -> None:
    """Train; the engine runs the backward passes in place of `accelerator.backward`."""
    accelerator = Accelerator(cpu=True, gradient_accumulation_steps=parts)
    model = TwoHeads(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    loader = torch.utils.data.DataLoader(torch.randn(64, 4), batch_size=8)
    model, optimizer, loader = accelerator.prepare(model, optimizer, loader)
    gradients = gt.TaskGradients(model, gt.CAMEGrad(), tasks=("up", "down"))
    for epoch in range(epochs):
        for batch in loader:
            with accelerator.accumulate(model):
                losses = {name: loss / parts for name, loss in model(batch).items()}
                record = gradients.backward(losses, last=accelerator.sync_gradients)
                optimizer.step()  # accelerate leaves these two out between the updates
                optimizer.zero_grad()
        accelerator.print(f"epoch {epoch}, update {record.step}: losses {record.losses.tolist()}")


if __name__ == "__main__":
    main()
