"""Layers that start as those of the published transformers do: Xavier-uniform weights."""

from typing import final

from torch import Tensor, nn

from gradtruce.methods.blocks.linear import linear


@final
class XavierLinear(nn.Linear):
    """Linear layer with a Xavier-uniform weight; the bias starts as torch has it.

    >>> bool(XavierLinear(2, 4).weight.abs().max() <= 1.0)
    True
    """

    def reset_parameters(self) -> None:
        """Draw the weights anew."""
        super().reset_parameters()
        nn.init.xavier_uniform_(self.weight)

    def forward(self, input: Tensor) -> Tensor:
        """Return the layer's outputs for vectors along the last dimension."""
        return linear(input, self.weight, self.bias)


@final
class XavierEmbedding(nn.Embedding):
    """Embedding with a Xavier-uniform table.

    >>> bool(XavierEmbedding(4, 2).weight.abs().max() <= 1.0)
    True
    """

    def reset_parameters(self) -> None:
        """Draw the table anew."""
        nn.init.xavier_uniform_(self.weight)
