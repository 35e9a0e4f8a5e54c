"""The losses of the same batch once more: same random numbers, buffers left alone."""

from collections.abc import Callable, Mapping
from typing import final

import torch
from torch import Tensor, nn


@final
class Replay:
    """Remembers where the random numbers stand before a forward pass, to run it again later.

    Dropout then draws the same masks, and what the second pass does to buffers, such as the
    statistics of batch normalisation, is undone.

    Args:
        model: Whose buffers are restored.
        device: Whose random numbers are restored, beside the processor's.

    >>> model, batch = nn.Dropout(), torch.ones(3)
    >>> replay = Replay(model, torch.device("cpu"))
    >>> first = model(batch).sum()
    >>> second = replay.run(lambda: {"a": model(batch).sum()})["a"]
    >>> bool(first == second)
    True
    """

    def __init__(self, model: nn.Module, device: torch.device) -> None:
        self._model, self._cuda = model, [device] if device.type == "cuda" else []
        self._states = [torch.get_rng_state(), *map(torch.cuda.get_rng_state, self._cuda)]

    def run(self, compute_losses: Callable[[], Mapping[str, Tensor]]) -> Mapping[str, Tensor]:
        """Return the losses at the present parameters, without a graph."""
        kept = [buffer.clone() for buffer in self._model.buffers()]
        with torch.no_grad(), torch.random.fork_rng(self._cuda):
            torch.set_rng_state(self._states[0])
            for device, state in zip(self._cuda, self._states[1:], strict=True):
                torch.cuda.set_rng_state(state, device)
            losses = compute_losses()
            for buffer, value in zip(self._model.buffers(), kept, strict=True):
                buffer.copy_(value)
        return losses
