"""Layer normalisation as R2Gen writes it, and the one that its relational memory steers (MCLN)."""

from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gradtruce.methods.blocks.xavier import XavierLinear

PUBLISHED_EPSILON = 1e-6
STANDARD_EPSILON = 1e-5
MEMORY_BIAS = 0.1


def standardize(
    tokens: Float[Tensor, "*batch width"], *, published: bool
) -> Float[Tensor, "*batch width"]:
    """Return tokens of mean 0 and deviation 1 over their width.

    The published code divides by the unbiased deviation plus epsilon, not by the root of the
    biased variance plus epsilon; imported weights need that form, `torch` is faster at the other.

    >>> standardize(torch.tensor([[1.0, 3.0]]), published=True)
    tensor([[-0.7071,  0.7071]])
    >>> standardize(torch.tensor([[1.0, 3.0]]), published=False)
    tensor([[-1.0000,  1.0000]])
    """
    if not published:
        return nn.functional.layer_norm(tokens, tokens.shape[-1:], eps=STANDARD_EPSILON)
    deviation, mean = torch.std_mean(tokens, dim=-1, keepdim=True)
    return (tokens - mean) / (deviation + PUBLISHED_EPSILON)


@final
class Norm(nn.Module):
    """Layer normalisation with a learned scale and shift.

    Args:
        width: Size of the token vectors.
        published: Take the form of R2Gen's code, see `standardize`.

    >>> Norm(2, published=False)(torch.tensor([[1.0, 3.0]]))
    tensor([[-1.0000,  1.0000]], grad_fn=<NativeLayerNormBackward0>)
    """

    def __init__(self, width: int, *, published: bool) -> None:
        super().__init__()
        self.published = published
        self.scale = nn.Parameter(torch.ones(width))
        self.shift = nn.Parameter(torch.zeros(width))

    def reset_parameters(self) -> None:
        """Let scale be 1 and shift 0."""
        nn.init.ones_(self.scale)
        nn.init.zeros_(self.shift)

    def forward(self, tokens: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch width"]:
        """Return normalised tokens."""
        if not self.published:
            width = tokens.shape[-1:]
            return nn.functional.layer_norm(tokens, width, self.scale, self.shift, STANDARD_EPSILON)
        return self.scale * standardize(tokens, published=True) + self.shift


@final
class MemoryNorm(nn.Module):
    """Memory-driven conditional layer normalisation, MCLN (Chen et al. 2020, 2.3).

    Scale and shift of each position get an increment that an MLP computes from the relational
    memory at that position.

    Args:
        width: Size of the token vectors.
        memory_width: Size of the flattened memory, slots times width.
        published: Take the form of R2Gen's code, see `standardize`.

    >>> norm = MemoryNorm(4, memory_width=12, published=True)
    >>> norm(torch.ones(2, 5, 4), torch.ones(2, 5, 12)).shape
    torch.Size([2, 5, 4])
    """

    def __init__(self, width: int, memory_width: int, *, published: bool) -> None:
        super().__init__()
        self.published = published
        self.scale = nn.Parameter(torch.ones(width))
        self.shift = nn.Parameter(torch.zeros(width))
        self.scale_change = _two_layers(memory_width, width)
        self.shift_change = _two_layers(memory_width, width)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Let scale be 1, shift 0, and the biases of both MLPs 0.1, as published."""
        nn.init.ones_(self.scale)
        nn.init.zeros_(self.shift)
        for layer in (*self.scale_change, *self.shift_change):
            if isinstance(layer, nn.Linear):
                nn.init.constant_(layer.bias, MEMORY_BIAS)

    def forward(
        self,
        tokens: Float[Tensor, "batch tokens width"],
        memory: Float[Tensor, "batch tokens memory_width"],
    ) -> Float[Tensor, "batch tokens width"]:
        """Return tokens normalised as the memory at each position says."""
        scale = self.scale + self.scale_change(memory)
        shift = self.shift + self.shift_change(memory)
        normed: Tensor = scale * standardize(tokens, published=self.published) + shift
        return normed


def _two_layers(inputs: int, width: int) -> nn.Sequential:
    return nn.Sequential(XavierLinear(inputs, width), nn.ReLU(), XavierLinear(width, width))
