"""Scores of observations from pooled visual features, and the token that tells them on."""

from typing import final

from jaxtyping import Float
from torch import Tensor, nn


@final
class FindingsHead(nn.Module):
    """A linear classifier of observations.

    Args:
        features: Number of pooled features.
        observations: Number of observations.
        token_width: Size of the token that tells the decoder the scores; 0 for no such token.

    >>> import torch
    >>> scores, token = FindingsHead(features=8, observations=14, token_width=6)(torch.ones(2, 8))
    >>> scores.shape, token.shape
    (torch.Size([2, 14]), torch.Size([2, 6]))
    """

    def __init__(self, features: int, observations: int, token_width: int = 0) -> None:
        super().__init__()
        self.scores = nn.Linear(features, observations)
        self.token = nn.Linear(observations, token_width) if token_width else None

    def forward(
        self, pooled: Float[Tensor, "batch features"]
    ) -> tuple[Float[Tensor, "batch observations"], Float[Tensor, "batch token_width"] | None]:
        """Return the scores before the sigmoid, and the token.

        The token is linear in 2 tanh(score / 2): from -2, surely absent, to 2, surely there.
        Gradients flow through it.
        """
        scores = self.scores(pooled)
        return scores, None if self.token is None else self.token(2 * (scores / 2).tanh())
