"""Outputs of layers that computed in 16 bits, as the losses want them."""

from typing import Final, TypeVar

import torch
from torch import Tensor
from transformers.utils.generic import ModelOutput

OutputT = TypeVar("OutputT", bound=ModelOutput)

HALVES: Final = (torch.bfloat16, torch.float16)


def in_float32(output: OutputT) -> OutputT:
    """Return an output whose tensors of 16 bits are in float32; the same one where there is none.

    Sums of many terms, exponentials and distances lose too much in 16 bits, and float16 overflows
    in them: losses are computed from this, outside of autocast.

    >>> half = ModelOutput(scores=torch.ones(2, dtype=torch.bfloat16), ids=torch.ones(2).long())
    >>> in_float32(half)["scores"].dtype, in_float32(half)["ids"].dtype
    (torch.float32, torch.int64)
    """
    halves = {
        name: value.float()
        for name, value in output.items()
        if isinstance(value, Tensor) and value.dtype in HALVES
    }
    return type(output)(**(dict(output.items()) | halves)) if halves else output
