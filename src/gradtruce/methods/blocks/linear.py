"""Large matrix products of linear layers in float32, on a processor by oneDNN."""

import math
from typing import Any, Final, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

LEAST_PRODUCTS: Final = 1 << 25
"""Multiplications of a layer from which oneDNN is worth its conversions: 64 rows of 512 to 1024."""


def linear(
    tokens: Float[Tensor, "*batch inputs"],
    weight: Float[Tensor, "outputs inputs"],
    bias: Float[Tensor, " outputs"] | None,
) -> Float[Tensor, "*batch outputs"]:
    """Return `torch.nn.functional.linear`, computed by oneDNN where that is faster.

    For float32 torch takes MKL, which has slow products on AMD processors: on a Zen 5 EPYC 480
    rows of 512 numbers take it 2.3 ms, and oneDNN 1.1 ms. With little to multiply, in another
    precision, under autocast, in compiled code and on a GPU it is torch's own function.

    >>> linear(torch.ones(1, 2), torch.tensor([[1.0, 2.0]]), torch.tensor([3.0]))
    tensor([[6.]])
    """
    if not _is_for_onednn(tokens, weight):
        return nn.functional.linear(tokens, weight, bias)
    rows: Tensor = _OneDNNLinear.apply(tokens.flatten(0, -2), weight, bias)  # type: ignore[no-untyped-call]  # of torch
    return rows.view(*tokens.shape[:-1], len(weight))


def _is_for_onednn(tokens: Tensor, weight: Tensor) -> bool:
    return (
        not torch.compiler.is_compiling()
        and tokens.device.type == "cpu"
        and tokens.dtype == weight.dtype == torch.float32
        and tokens.dim() > 1
        and math.prod(tokens.shape[:-1]) * weight.numel() >= LEAST_PRODUCTS
        and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]  # of torch
        and not torch.is_autocast_enabled("cpu")
    )


def _product(rows: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return rows @ weight.T + bias by oneDNN, without a graph."""
    return nn.functional.linear(rows.to_mkldnn(), weight, bias).to_dense()


@final
class _OneDNNLinear(torch.autograd.Function):
    """A linear layer whose three products are those of oneDNN; the gradient of its gradient too."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Return rows @ weight.T + bias."""
        ctx.save_for_backward(rows, weight)
        return _product(rows, weight, bias)

    @staticmethod
    def backward(ctx: Any, *given: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of what is asked for; with a graph where one is built."""
        (gradient,) = given
        rows, weight = ctx.saved_tensors
        for_rows, for_weight, for_bias = ctx.needs_input_grad
        product = nn.functional.linear if torch.is_grad_enabled() else _product
        return (
            product(gradient, weight.t()) if for_rows else None,
            product(gradient.t(), rows.t()) if for_weight else None,
            gradient.sum(0) if for_bias else None,
        )
