"""A backward pass, with errors in words that help."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


def backward_pass(
    losses: Sequence[Tensor],
    seeds: Sequence[Tensor | None],
    *,
    inputs: Sequence[nn.Parameter] | None = None,
    retain_graph: bool = False,
) -> None:
    """Add Σ seed·gradient to `.grad`, of all leaves or of `inputs` alone.

    Raises:
        RuntimeError: If the graph cannot be run again, with what to do for a compiled model.

    >>> weight = torch.ones(2, requires_grad=True)
    >>> backward_pass([(2 * weight).sum()], [None])
    >>> weight.grad
    tensor([2., 2.])
    """
    try:
        torch.autograd.backward(list(losses), list(seeds), inputs=inputs, retain_graph=retain_graph)
    except RuntimeError as error:
        if "donated buffers" not in str(error):
            raise
        raise RuntimeError(
            "the backward pass of this model was compiled to be run once a forward pass; let "
            "TaskGradients run before the first backward pass of the compiled model, or set "
            "torch._functorch.config.donated_buffer = False before compiling"
        ) from error
