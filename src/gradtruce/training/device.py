"""Where a run computes."""

import torch

from gradtruce.methods.registry import Method


def on_device(method: Method) -> Method:
    """Return the method on the first GPU, or the processor where there is none."""
    method.to(training_device())  # type: ignore[arg-type] # transformers wraps `to` untyped
    return method


def training_device() -> torch.device:
    """Return the first GPU, or the processor where there is none.

    >>> training_device().type in ("cuda", "cpu")
    True
    """
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
