"""Findings as one of four states each, and the head that scores them (PromptMRG)."""

from typing import Final, final

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from gradtruce.data.observations import NEGATIVE, POSITIVE, UNCERTAIN

STATES: Final = ("blank", "positive", "negative", "uncertain")
"""The states of an observation in the order of their numbers: blank is not mentioned at all."""

POSITIVE_STATE: Final = 1

_START_SPREAD: Final = 0.001


def states_of(
    labels: Float[Tensor, "batch observations"],
) -> Int[Tensor, "batch observations"]:
    """Return the state of every label: NaN is 0, 1 is 1, 0 is 2, and -1 is 3; see `STATES`.

    Raises:
        ValueError: If a label is anything else.

    >>> states_of(torch.tensor([[torch.nan, 1.0, 0.0, -1.0]]))
    tensor([[0, 1, 2, 3]])
    """
    _require_known(labels)
    states = (labels == POSITIVE).long() + 2 * (labels == NEGATIVE) + 3 * (labels == UNCERTAIN)
    return states.long()


@torch.compiler.disable  # type: ignore[untyped-decorator]  # torch does not annotate it
def _require_known(labels: Tensor) -> None:
    """Refuse labels that are no states; the host reads them, so a compiled graph breaks here."""
    is_known = labels.isnan()
    for label in (POSITIVE, NEGATIVE, UNCERTAIN):
        is_known = is_known | (labels == label)
    if not is_known.all():
        found = ", ".join(f"{each:g}" for each in sorted(set(labels[~is_known].tolist())))
        raise ValueError(
            f"a label must be 1 (positive), 0 (negative), -1 (uncertain) or NaN (blank), got "
            f"{found}; in labels numbered 0 to 3, 0 is NaN here, 1 is 1, 2 is 0, and 3 is -1"
        )


def positive_log_odds(
    states: Float[Tensor, "batch observations 4"],
) -> Float[Tensor, "batch observations"]:
    """Return the log-odds of the state positive, whose sigmoid is its softmax probability.

    >>> states = torch.tensor([[[0.0, 2.0, 1.0, -1.0]]])
    >>> positive_log_odds(states).sigmoid(), states.softmax(-1)[..., 1]
    (tensor([[0.6439]]), tensor([[0.6439]]))
    """
    others = [state for state in range(len(STATES)) if state != POSITIVE_STATE]
    return states[..., POSITIVE_STATE] - states[..., others].logsumexp(dim=-1)


@final
class StateHead(nn.Module):
    """A linear classifier of four states for every observation (Jin et al. 2024).

    Rows of the weight are the observations of state 0, then of state 1, and so on, as published.
    Weights start near zero, from N(0, 0.001), and the bias at zero.

    Args:
        features: Number of features.
        observations: Number of observations.

    >>> StateHead(features=8, observations=14)(torch.ones(2, 8)).shape
    torch.Size([2, 14, 4])
    """

    def __init__(self, features: int, observations: int) -> None:
        super().__init__()
        self.observations = observations
        self.weight = nn.Parameter(torch.empty(len(STATES) * observations, features))
        self.bias = nn.Parameter(torch.empty(len(STATES) * observations))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights anew."""
        nn.init.normal_(self.weight, std=_START_SPREAD)
        nn.init.zeros_(self.bias)

    def forward(
        self, features: Float[Tensor, "batch features"]
    ) -> Float[Tensor, "batch observations 4"]:
        """Return the scores of the states, before the softmax."""
        scores = nn.functional.linear(features, self.weight, self.bias)
        return scores.view(-1, len(STATES), self.observations).transpose(1, 2)

    def positive_weights(
        self, states: Float[Tensor, "batch observations 4"], first: int
    ) -> Float[Tensor, "batch observations first"]:
        """Return the gradient of the log-odds of positive by the first features.

        The row of positive less the mean of the other rows, each weighted by its share of the
        softmax over the three: what is added to all four states alike falls out.

        Args:
            states: Scores that the head gave to a study.
            first: Number of features.

        >>> head = StateHead(features=3, observations=1)
        >>> with torch.no_grad():
        ...     head.weight.copy_(torch.eye(4, 3))
        Parameter containing:
        tensor([[1., 0., 0.],
                [0., 1., 0.],
                [0., 0., 1.],
                [0., 0., 0.]], requires_grad=True)
        >>> head.positive_weights(torch.zeros(1, 1, 4), first=3)
        tensor([[[-0.3333,  1.0000, -0.3333]]], grad_fn=<ViewBackward0>)
        """
        shares = states.clone()
        shares[..., POSITIVE_STATE] = -torch.inf
        direction = -shares.softmax(dim=-1)
        direction[..., POSITIVE_STATE] = 1.0
        rows = self.weight.view(len(STATES), self.observations, -1)[..., :first]
        return torch.einsum("bos,sof->bof", direction, rows)
