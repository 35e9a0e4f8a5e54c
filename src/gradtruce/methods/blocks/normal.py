"""Layers that start as BERT's do: normal weights of standard deviation 0.02, biases of 0."""

from typing import Final, final

from torch import nn

DEVIATION: Final = 0.02


@final
class NormalLinear(nn.Linear):
    """Linear layer with a normal weight and a bias of 0.

    >>> bool((NormalLinear(2, 4).bias == 0).all())
    True
    """

    def reset_parameters(self) -> None:
        """Draw the weights anew."""
        nn.init.normal_(self.weight, std=DEVIATION)
        nn.init.zeros_(self.bias)


@final
class NormalEmbedding(nn.Embedding):
    """Embedding with a normal table.

    >>> bool(NormalEmbedding(4, 2).weight.abs().max() < 0.2)
    True
    """

    def reset_parameters(self) -> None:
        """Draw the table anew."""
        nn.init.normal_(self.weight, std=DEVIATION)
