"""Learned prototypes of each observation, and the response of those that labels choose."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from gradtruce.data.observations import NO_FINDING, UNCERTAIN
from gradtruce.methods.blocks.losses import UncertainPolicy, labelled_cells
from gradtruce.methods.blocks.shared_memory import MemoryResponse


def no_finding_column(names: Sequence[str]) -> int:
    """Return the column of No Finding, or the last where none has that name.

    >>> no_finding_column(["Edema", "No Finding", "Fracture"])
    1
    """
    return names.index(NO_FINDING) if NO_FINDING in names else len(names) - 1


def selected_observations(
    labels: Float[Tensor, "batch observations"], uncertain: UncertainPolicy, otherwise: int
) -> Bool[Tensor, "batch observations"]:
    """Return which observations each study has; where it has none, that of column `otherwise`.

    A missing label is none, and so is an uncertain one unless it counts as positive.

    >>> labels = torch.tensor([[1.0, 0.0, 0.0], [-1.0, float("nan"), 0.0]])
    >>> selected_observations(labels, "negative", otherwise=2).int()
    tensor([[1, 0, 0],
            [0, 0, 1]], dtype=torch.int32)
    """
    positive = labels == 1
    if uncertain == "positive":
        positive = positive | (labels == UNCERTAIN)
    is_otherwise = torch.arange(labels.shape[1], device=labels.device) == otherwise
    return positive | (is_otherwise & ~positive.any(dim=1, keepdim=True))


def known_studies(
    labels: Float[Tensor, "batch observations"], uncertain: UncertainPolicy
) -> Bool[Tensor, " batch"]:
    """Return the studies of which any label counts.

    >>> known_studies(torch.tensor([[0.0, torch.nan], [-1.0, torch.nan]]), "ignore")
    tensor([ True, False])
    """
    return labelled_cells(labels, uncertain).any(dim=1)


@final
@dataclass(frozen=True, eq=False)
class ChosenPrototypes:
    """What queries are told of the prototypes: all keys and values, and which a study may read.

    Choosing by a mask gives what the published code gets by copying the chosen rows and filling
    up: no head reads a masked one. No loop over studies, and no shape that depends on data.

    Attributes:
        keys: Of every prototype, split into heads; one table for all studies.
        values: As `keys`.
        is_chosen: Whether the study has the observation that the prototype is of.
    """

    keys: Float[Tensor, "#batch heads prototypes size"]
    values: Float[Tensor, "#batch heads prototypes size"]
    is_chosen: Bool[Tensor, "batch prototypes"]


@final
class Prototypes(nn.Module):
    """A table of prototypes, the same number for every observation, and what queries read of it.

    A prototype is an image feature beside a text feature (Wang et al. 2022, 3.2). One linear layer
    reduces it to the size of the tokens that ask. `gradtruce build prototypes` makes a table to
    start from; without one it starts random, of the same scale.

    Args:
        observations: Number of observations.
        each: Prototypes of an observation; 20 in XProNet.
        features: Image and text features together; 2048 + 768 in XProNet.
        width: Size of the tokens that ask.
        heads: Heads of the response.
        read: Prototypes that a head reads; 15 in XProNet.
        dropout: Share of the response's weights dropped in training.

    >>> table = Prototypes(
    ...     observations=3, each=4, features=10, width=8, heads=2, read=3, dropout=0.0)
    >>> chosen = table.choose(torch.tensor([[True, False, True], [False, False, True]]))
    >>> chosen.is_chosen.sum(1), table(torch.ones(2, 5, 8), chosen).shape
    (tensor([8, 4]), torch.Size([2, 5, 8]))
    """

    def __init__(
        self,
        observations: int,
        each: int,
        features: int,
        width: int,
        heads: int,
        read: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.each = each
        self.rows = nn.Parameter(torch.empty(observations * each, features))
        self.reduction = nn.Linear(features, width)
        self.response = MemoryResponse(width, heads, read, dropout)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the table from the standard normal distribution."""
        nn.init.normal_(self.rows)

    def choose(self, has_observation: Bool[Tensor, "batch observations"]) -> ChosenPrototypes:
        """Return the prototypes that each study may read; every study must have an observation."""
        keys, values = self.response.keys_values(self.reduction(self.rows).unsqueeze(0))
        is_chosen = has_observation.repeat_interleave(self.each, dim=1)
        return ChosenPrototypes(keys, values, is_chosen)

    def forward(
        self, queries: Float[Tensor, "batch queries width"], chosen: ChosenPrototypes
    ) -> Float[Tensor, "batch queries width"]:
        """Return what each query reads of its study's prototypes."""
        return self.response.respond(queries, chosen.keys, chosen.values, chosen.is_chosen)


@final
class Fusing:
    """What XProNet does to tokens: one linear layer over a token and its response.

    Attributes:
        responses: What the tokens read, once they have asked.

    >>> table = Prototypes(
    ...     observations=1, each=4, features=10, width=8, heads=2, read=3, dropout=0.0)
    >>> fusing = Fusing(table, table.choose(torch.tensor([[True]])), nn.Linear(16, 8))
    >>> fusing(torch.ones(1, 5, 8)).shape, fusing.responses.shape
    (torch.Size([1, 5, 8]), torch.Size([1, 5, 8]))
    """

    def __init__(self, prototypes: Prototypes, chosen: ChosenPrototypes, fusion: nn.Module) -> None:
        self.responses: Tensor | None = None
        self._prototypes, self._chosen, self._fusion = prototypes, chosen, fusion

    def __call__(
        self, tokens: Float[Tensor, "batch tokens width"]
    ) -> Float[Tensor, "batch tokens width"]:
        """Return the fused tokens."""
        self.responses = self._prototypes(tokens, self._chosen)
        fused: Tensor = self._fusion(torch.cat([tokens, self.responses], dim=-1))
        return fused
