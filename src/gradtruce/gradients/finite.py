"""What happens when a loss or gradient is not finite: an error now, or at the next call."""

from collections.abc import Sequence
from typing import Literal, final

import torch
from jaxtyping import Bool
from torch import Tensor

Check = Literal["now", "deferred"]
Mode = Literal["now", "deferred", "passed on"]


def not_finite(gradients: Sequence[Tensor], device: torch.device) -> Bool[Tensor, ""]:
    """Return, on the device, whether any gradient holds a NaN or an infinity.

    >>> not_finite([torch.ones(2), torch.tensor([torch.inf])], torch.device("cpu"))
    tensor(True)
    """
    if not gradients:
        return torch.tensor(False, device=device)
    wide = [torch.promote_types(gradient.dtype, torch.float32) for gradient in gradients]
    sums = [gradient.sum(dtype=dtype) for gradient, dtype in zip(gradients, wide, strict=True)]
    return ~torch.stack([total.isfinite() for total in sums]).all()


@final
class FiniteCheck:
    """Raises at once, or keeps the verdict on the device until the next call.

    Args:
        mode: "now" reads the verdict on the host before anything is written; "deferred" copies it
            beside the computation and raises when the next step starts; "passed on" never raises,
            since a gradient scaler skips the step.
        sources: What each entry of a verdict is about, such as "task 'report'".
    """

    def __init__(self, mode: Mode, sources: Sequence[str]) -> None:
        self.mode, self._sources = mode, sources
        self._verdict: Tensor | None = None
        self._event: torch.Event | None = None
        self._step = 0

    def submit(self, broken: Bool[Tensor, " sources"], step: int) -> None:
        """Take the verdict on a step.

        Raises:
            FloatingPointError: In mode "now", if anything is broken.
        """
        self._step = step
        if self.mode == "passed on":
            return
        if self.mode == "now":
            self._verdict, self._event = broken, None
            self.settle()
        elif broken.is_cuda:
            self._verdict = torch.empty(broken.shape, dtype=torch.bool, pin_memory=True)
            self._verdict.copy_(broken, non_blocking=True)
            self._event = torch.Event("cuda")
            self._event.record()
        else:
            self._verdict = broken

    def settle(self) -> None:
        """Raise what was deferred.

        Raises:
            FloatingPointError: If the last step was broken, naming tasks and step.
        """
        if self._event is not None:
            self._event.synchronize()  # of the former step; the processor runs a step ahead at most
        verdict, self._verdict, self._event = self._verdict, None, None
        if verdict is None:
            return
        broken = [
            s for s, is_broken in zip(self._sources, verdict.tolist(), strict=True) if is_broken
        ]
        if broken:
            raise FloatingPointError(
                f"loss or gradient of {' and '.join(broken)} is not finite in step {self._step}; "
                "lower the learning rate, clip, or look at the batch"
            )
