"""The engine in Lightning, by manual optimization; needs lightning."""

import lightning
import torch
from torch import nn

import gradtruce as gt


class TwoTasks(lightning.LightningModule):
    """Two heads on one trunk."""

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.trunk, self.heads = nn.Linear(4, 8), nn.Linear(8, 2)

    def on_fit_start(self) -> None:
        """Make the engine once the parameters are where they stay."""
        self.gradients = gt.TaskGradients(self, gt.CAMEGrad(), weights={"up": 1.0, "down": 4.0})

    def training_step(self, batch: torch.Tensor, _: int) -> None:
        """Fill `.grad`, then step as in any loop."""
        up, down = self.heads(self.trunk(batch).tanh()).unbind(-1)
        self.gradients.backward({"up": up.square().mean(), "down": (down - 1).square().mean()})
        self.optimizers().step()
        self.optimizers().zero_grad()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return the optimizer, which Lightning wraps."""
        return torch.optim.AdamW(self.parameters(), lr=1e-2)


if __name__ == "__main__":
    trainer = lightning.Trainer(
        max_steps=4, accelerator="cpu", logger=False, enable_checkpointing=False
    )
    trainer.fit(TwoTasks(), torch.utils.data.DataLoader(torch.randn(64, 4), batch_size=8))
    print(f"{trainer.global_step} updates")
