"""The engine in a Hugging Face Trainer: accumulation, clipping and schedule go on working."""

import tempfile

from torch import Tensor, nn, randn
from transformers import Trainer, TrainingArguments

import gradtruce as gt


class BalancedTrainer(Trainer):
    """Fills `.grad` by one backward pass a task, for models that return `losses` by name."""

    def training_step(self, model: nn.Module, inputs: dict[str, Tensor], *_: object) -> Tensor:
        """Return the sum of the losses, for the log; the last micro-batch fills `.grad`."""
        if not hasattr(self, "gradients"):
            self.gradients = gt.TaskGradients(model, gt.CAMEGrad(), tasks=("up", "down"))
        losses = model.train()(**self._prepare_inputs(inputs))["losses"]
        losses = {k: loss / self.current_gradient_accumulation_steps for k, loss in losses.items()}
        self.gradients.backward(losses, last=self.accelerator.sync_gradients)
        return sum(losses.values()).detach()


class TwoHeads(nn.Sequential):
    """Two numbers from one trunk."""

    def forward(self, x: Tensor) -> dict[str, dict[str, Tensor]]:
        """Return the losses, unweighted, by name."""
        up, down = super().forward(x).unbind(-1)
        return {"losses": {"up": up.square().mean(), "down": (down + x[:, 0]).square().mean()}}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        options = TrainingArguments(
            folder, max_steps=4, gradient_accumulation_steps=2, use_cpu=True
        )
        model, data = TwoHeads(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2)), randn(64, 4)
        print(BalancedTrainer(model, options, train_dataset=[{"x": row} for row in data]).train())
