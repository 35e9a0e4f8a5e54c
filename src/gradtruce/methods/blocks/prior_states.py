"""The states of the prior study's findings, as part of the findings task or as a task (DDaTR)."""

from dataclasses import dataclass
from typing import Final, cast, final

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from gradtruce.methods.base import FINDINGS_TASK, TaskSpec
from gradtruce.methods.blocks.losses import has_labels
from gradtruce.methods.blocks.objectives import Objective, Outputs, Targets
from gradtruce.methods.blocks.states_objective import (
    StatesObjective,
    StateTokens,
    labelled_studies,
)

PRIOR_TASK: Final = "findings_prior"


@dataclass
class PairedTokens(StateTokens):
    """Visual tokens of the current study, and states of both.

    Attributes:
        prior_states: As `states`, of the prior study; anything where it was not seen.
        sees_prior: Whether an image of the prior was seen, or one stood in for it.
        prompt: State of every observation that the decoder is told, 0 to 3.
    """

    prior_states: Float[Tensor, "batch observations 4"] | None = None
    sees_prior: Bool[Tensor, " batch"] | None = None
    prompt: Int[Tensor, "batch observations"] | None = None


@final
class PairedStatesObjective(Objective):
    """Cross-entropy of the current states plus that of the prior ones, as one task.

    Both are sums over the studies with a labelled current one, divided by how many these are: with
    priors everywhere, the sum of two means. A study whose prior is absent, not seen or not labelled
    adds nothing for it. With `paper_code` every study adds its prior, an absent one as a black
    image in which nothing is mentioned.

    Args:
        current: The task of the current study, with the priors π of logit adjustment, which serve
            the states of the prior study too; its weight and name are taken.
        reach: Modules that the gradient reaches.
        paper_code: Count priors that are not there, as the published code does.
    """

    def __init__(
        self, current: StatesObjective, reach: frozenset[str], *, paper_code: bool
    ) -> None:
        spec = current.spec
        super().__init__(TaskSpec(FINDINGS_TASK, spec.weight, "auxiliary", spec.needs, reach=reach))
        self.current = current
        self.paper_code = paper_code

    def has_targets(self, targets: Targets) -> bool:
        """Return whether any current study is labelled."""
        return self.current.has_targets(targets)

    def count(self, targets: Targets) -> Int[Tensor, ""]:
        """Return the number of observations of the labelled current studies."""
        return self.current.count(targets)

    def forward(self, outputs: Outputs, targets: Targets, count: Tensor) -> Float[Tensor, ""]:
        """Return both cross-entropies of the labelled studies, over `count`."""
        loss = self.current(outputs, targets, count)
        seen = cast(PairedTokens, outputs.visual)
        if seen.prior_states is None or targets.prior_labels is None:
            return cast(Tensor, loss)
        counted = labelled_studies(cast(Tensor, targets.labels)) & cast(Tensor, seen.sees_prior)
        if not self.paper_code:
            counted &= labelled_studies(targets.prior_labels)
        cells = self.current.cells(seen.prior_states, targets.prior_labels)
        summed: Tensor = loss + cells.where(counted.unsqueeze(1), 0.0).sum() / count
        return summed


@final
class PriorStatesObjective(Objective):
    """Cross-entropy of the states of the prior studies, as a task of its own.

    A prior that is labelled but was not seen adds nothing, yet counts in the mean.

    Args:
        weight: Static weight.
        current: The task whose priors π are added in training; it is not made a part of this one.
        reach: Modules that the gradient reaches.

    >>> current = StatesObjective(4.0, observations=2, reach=frozenset())
    >>> objective = PriorStatesObjective(4.0, current, frozenset({"visual.prior_head"}))
    >>> labels = torch.tensor([[1.0, torch.nan], [torch.nan, torch.nan]])
    >>> objective.count(Targets(torch.ones(2, 2, dtype=torch.long), prior_labels=labels))
    tensor(2)
    """

    def __init__(self, weight: float, current: StatesObjective, reach: frozenset[str]) -> None:
        needs = frozenset({"prior_labels"})
        super().__init__(TaskSpec(PRIOR_TASK, weight, "auxiliary", needs, reach=reach))
        self._current = (current,)

    def has_targets(self, targets: Targets) -> bool:
        """Return whether any prior study is labelled."""
        return bool(has_labels(cast(Tensor, targets.prior_labels), "negative"))

    def count(self, targets: Targets) -> Int[Tensor, ""]:
        """Return the number of observations of the labelled prior studies."""
        labels = cast(Tensor, targets.prior_labels)
        return labelled_studies(labels).sum() * labels.shape[1]

    def forward(self, outputs: Outputs, targets: Targets, count: Tensor) -> Float[Tensor, ""]:
        """Return the cross-entropy of the labelled priors that were seen, over `count`."""
        seen, labels = cast(PairedTokens, outputs.visual), cast(Tensor, targets.prior_labels)
        if seen.prior_states is None:
            return torch.zeros_like(count, dtype=cast(Tensor, seen.states).dtype)
        counted = labelled_studies(labels) & cast(Tensor, seen.sees_prior)
        cells = self._current[0].cells(seen.prior_states, labels)
        return cells.where(counted.unsqueeze(1), 0.0).sum() / count
