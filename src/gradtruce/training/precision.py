"""How many bits layers compute in: autocast, the gradient scaler, and who can't have them."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import torch

from gradtruce.training.config import Precision

LEAST_SCALE: Final = 1.0
"""Factor of the scaler under which it is the losses that overflow, not their scaled gradients."""

_DTYPES: Final[Mapping[Precision, torch.dtype]] = MappingProxyType(
    {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
)


def autocast(precision: Precision, device: torch.device) -> torch.autocast:
    """Return the context in which methods are run; with "fp32" it changes nothing.

    Args:
        precision: As `training.precision`.
        device: Of the method.

    >>> with autocast("bf16", torch.device("cpu")):
    ...     torch.nn.Linear(2, 2)(torch.ones(1, 2)).dtype
    torch.bfloat16
    """
    is_on = precision != "fp32"
    return torch.autocast(device.type, _DTYPES[precision] if is_on else None, enabled=is_on)


def gradient_scaler(precision: Precision, device: torch.device) -> torch.amp.GradScaler | None:
    """Return the scaler that keeps small gradients of float16 from vanishing; else `None`.

    >>> gradient_scaler("bf16", torch.device("cpu")) is None
    True
    """
    return torch.amp.GradScaler(device.type) if precision == "fp16" else None


def require_precision(precision: Precision, device: torch.device) -> None:
    """Refuse what a device can't compute, or only slower than float32.

    Raises:
        ValueError: For "fp16" on a processor, and "bf16" on a GPU without such products.

    >>> require_precision("fp16", torch.device("cpu"))
    Traceback (most recent call last):
    ValueError: training.precision = "fp16" needs a GPU: a processor convolves in float16 twenty ...
    """
    if precision == "fp16" and device.type == "cpu":
        raise ValueError(
            'training.precision = "fp16" needs a GPU: a processor convolves in float16 twenty times'
            ' slower than in float32; take "bf16" or "fp32"'
        )
    if precision == "bf16" and device.type == "cuda":
        _require_bf16(device)


def _require_bf16(device: torch.device) -> None:
    if not torch.cuda.is_bf16_supported(including_emulation=False):
        name = torch.cuda.get_device_name(device)
        raise ValueError(
            f'training.precision = "bf16": {name} has no bfloat16 products; take "fp16" or "fp32"'
        )


def require_scale(scaler: torch.amp.GradScaler, step: int) -> None:
    """Refuse to go on skipping steps where a smaller scale can't help any more.

    Args:
        scaler: After its update.
        step: The step that was skipped, for the message.

    Raises:
        FloatingPointError: If the scale is below 1.

    >>> require_scale(torch.amp.GradScaler("cpu", init_scale=0.5), 20)
    Traceback (most recent call last):
    FloatingPointError: step 20 is not finite in float16 even with losses scaled by 0.5: ...
    """
    scale = scaler.get_scale()
    if scale < LEAST_SCALE:
        raise FloatingPointError(
            f"step {step} is not finite in float16 even with losses scaled by {scale:g}: the"
            ' method overflows by itself; as training.precision take "bf16" or "fp32"'
        )
