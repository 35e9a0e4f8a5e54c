"""The task of a four-state head, its positive scores adjusted to what is hard (PromptMRG)."""

from dataclasses import dataclass
from typing import Final, cast, final

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from gradtruce.methods.base import FINDINGS_TASK, TaskSpec
from gradtruce.methods.blocks.losses import has_labels
from gradtruce.methods.blocks.objectives import Objective, Outputs, Targets
from gradtruce.methods.blocks.state_head import POSITIVE_STATE, STATES, states_of
from gradtruce.methods.blocks.visual import VisualTokens

SMALLEST_PRIOR: Final = 1e-3
"""What a prior never falls below, so that its logarithm stays finite."""


@dataclass
class StateTokens(VisualTokens):
    """Visual tokens, and the scores of the four states of every observation.

    Attributes:
        states: Before the softmax, in the order of `STATES`; `findings` are the log-odds of
            positive that follow from them.
    """

    states: Float[Tensor, "batch observations 4"] | None = None


@final
class StatesObjective(Objective):
    """Cross-entropy over four states, with adaptive logit adjustment (Jin et al. 2024).

    In training alone, log π_k is added to the score of "positive" of observation k. π starts as how
    often each observation is positive in the training studies, divided by the largest. After each
    epoch it is the mean probability that the head gives to "positive" in the validation studies
    that are positive, divided by the largest: an observation that is badly seen gets a large
    handicap in training, and so a large gradient.

    Differences from the published code: an observation that no validation study has keeps its π,
    where the code divides 0 by 0; π is at least 0.001; it is a buffer, so a resumed run goes on
    exactly. A study without any label is taken for one that nobody labelled, and does not count.

    Args:
        weight: Static weight.
        observations: Number of observations.
        reach: Modules that the gradient reaches.
        name: Of the task.

    Attributes:
        prior: π, one for each observation, from 0.001 to 1; 1 before training.

    >>> objective = StatesObjective(4.0, observations=3, reach=frozenset({"visual.head"}))
    >>> labels = torch.tensor([[1.0, -1.0, torch.nan], [torch.nan] * 3])
    >>> objective.count(Targets(torch.ones(2, 2, dtype=torch.long), labels))
    tensor(3)
    """

    prior: Tensor

    def __init__(
        self, weight: float, observations: int, reach: frozenset[str], name: str = FINDINGS_TASK
    ) -> None:
        super().__init__(TaskSpec(name, weight, "auxiliary", frozenset({"labels"}), reach=reach))
        self.register_buffer("prior", torch.ones(observations))

    def has_targets(self, targets: Targets) -> bool:
        """Return whether any study is labelled."""
        return bool(has_labels(cast(Tensor, targets.labels), "negative"))

    def count(self, targets: Targets) -> Int[Tensor, ""]:
        """Return the number of observations of the labelled studies."""
        labels = cast(Tensor, targets.labels)
        return labelled_studies(labels).sum() * labels.shape[1]

    def forward(self, outputs: Outputs, targets: Targets, count: Tensor) -> Float[Tensor, ""]:
        """Return the cross-entropy of the labelled studies, over `count`."""
        labels = cast(Tensor, targets.labels)
        cells = self.cells(cast(Tensor, cast(StateTokens, outputs.visual).states), labels)
        counted = labelled_studies(labels).unsqueeze(1)
        return cells.where(counted, 0.0).sum() / count

    def cells(
        self,
        scores: Float[Tensor, "batch observations 4"],
        labels: Float[Tensor, "batch observations"],
    ) -> Float[Tensor, "batch observations"]:
        """Return the cross-entropy of every observation, in training with log π_k added.

        Raises:
            ValueError: If a label is not 1, 0, -1 or NaN.
        """
        if self.training:
            handicap = torch.zeros_like(scores)
            handicap[..., POSITIVE_STATE] = self.prior.log().to(scores.dtype)
            scores = scores + handicap
        cells = nn.functional.cross_entropy(
            scores.reshape(-1, len(STATES)), states_of(labels).flatten(), reduction="none"
        )
        return cells.view_as(labels)

    def start(self, labels: Float[Tensor, "studies observations"]) -> None:
        """Take π from the labels of the training studies.

        Observations that no study has get the smallest π; without a positive label π is as it was.

        Raises:
            ValueError: If a label is not 1, 0, -1 or NaN.
        """
        positive = states_of(labels) == POSITIVE_STATE
        frequency = positive.sum(dim=0).to(self.prior)
        self._take(frequency, has_any=torch.ones_like(frequency, dtype=torch.bool))

    def update(
        self,
        findings: Float[Tensor, "studies observations"],
        labels: Float[Tensor, "studies observations"],
    ) -> None:
        """Take π from a validation.

        Args:
            findings: Probability of "positive" that the head gave, not adjusted.
            labels: Of the same studies.

        Raises:
            ValueError: If a label is not 1, 0, -1 or NaN.
        """
        positive = states_of(labels) == POSITIVE_STATE
        total = findings.where(positive, 0.0).sum(dim=0)
        mean = total / positive.sum(dim=0).clamp_min(1)
        self._take(mean.to(self.prior), has_any=positive.any(dim=0).to(self.prior.device))

    def _take(
        self, values: Float[Tensor, " observations"], has_any: Bool[Tensor, " observations"]
    ) -> None:
        """Let π be `values` over their largest, where there are any."""
        largest = values.max()
        if largest > 0:
            scaled = (values / largest).clamp_min(SMALLEST_PRIOR)
            self.prior.copy_(scaled.where(has_any, self.prior))


def labelled_studies(labels: Float[Tensor, "batch observations"]) -> Bool[Tensor, " batch"]:
    """Return which studies have any label.

    >>> labelled_studies(torch.tensor([[torch.nan, 0.0], [torch.nan, torch.nan]]))
    tensor([ True, False])
    """
    return ~labels.isnan().all(dim=1)
