"""What a method is trained for: one class a task, with its targets, its count and its loss."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import cast, final

from jaxtyping import Float, Int
from torch import Tensor, nn

from gradtruce.methods.base import FINDINGS_TASK, PRIMARY_TASK, TaskSpec
from gradtruce.methods.blocks.decoder import Written
from gradtruce.methods.blocks.losses import (
    UncertainPolicy,
    findings_bce,
    has_labels,
    labelled_cells,
    token_nll,
)
from gradtruce.methods.blocks.visual import VisualTokens


@dataclass(frozen=True, eq=False)
class Targets:
    """What a batch says the outputs should be.

    Attributes:
        input_ids: bos, report, eos, pad.
        labels: 1, 0, -1 or NaN for each observation.
        clusters: Cluster of each report, -1 where it has none.
        prior_labels: As `labels`, of the prior study; NaN where there is none.
    """

    input_ids: Int[Tensor, "batch tokens"]
    labels: Float[Tensor, "batch observations"] | None = None
    clusters: Int[Tensor, " batch"] | None = None
    prior_labels: Float[Tensor, "batch observations"] | None = None


@dataclass(frozen=True, eq=False)
class Outputs:
    """What a method made of a batch, its report read along.

    Attributes:
        visual: What `encode` returned; a method may have a class of its own.
        written: What `decode` returned.
    """

    visual: VisualTokens
    written: Written


class Objective(nn.Module, ABC):
    """One task of a method: its `TaskSpec`, its targets, and its loss.

    A loss that is a mean is a sum over `count` terms divided by the count that is passed in, which
    may be that of several micro-batches and ranks. Parameters of an objective, such as projections,
    are trained with the method's.
    """

    def __init__(self, spec: TaskSpec) -> None:
        super().__init__()
        self.spec = spec
        self._needs = tuple(sorted(spec.needs))

    def is_given(self, targets: Targets) -> bool:
        """Return whether the batch has the fields that the task needs."""
        return all(getattr(targets, need) is not None for need in self._needs)

    @abstractmethod
    def has_targets(self, targets: Targets) -> bool:
        """Return whether any study has a target; else the task is absent from the losses.

        Called for batches that have the fields. What the host must read is not to be compiled.
        """

    @abstractmethod
    def count(self, targets: Targets) -> Int[Tensor, ""]:
        """Return how many terms of this batch the loss averages over."""

    @abstractmethod
    def forward(self, outputs: Outputs, targets: Targets, count: Tensor) -> Float[Tensor, ""]:
        """Return the unweighted loss: its terms of this batch, summed, divided by `count`."""


@final
class ReportObjective(Objective):
    """The next token: negative log-likelihood of the report, end included, over all real tokens.

    Args:
        weight: Static weight.
        pad: Id that fills up short reports.
        reach: Modules that the gradient reaches.
        smoothing: Share of every target that is spread over all words.

    >>> import torch
    >>> objective = ReportObjective(1.0, pad=0, reach=frozenset({"decoder"}))
    >>> objective.count(Targets(torch.tensor([[1, 5, 2, 0]])))
    tensor(2)
    """

    def __init__(
        self, weight: float, pad: int, reach: frozenset[str], *, smoothing: float = 0.0
    ) -> None:
        super().__init__(TaskSpec(PRIMARY_TASK, weight, "primary", reach=reach))
        self.pad, self.smoothing = pad, smoothing

    def has_targets(self, targets: Targets) -> bool:
        """Return True: every study has a report."""
        return True

    def count(self, targets: Targets) -> Int[Tensor, ""]:
        """Return the number of real tokens after bos."""
        return (targets.input_ids[:, 1:] != self.pad).sum()

    def forward(self, outputs: Outputs, targets: Targets, count: Tensor) -> Float[Tensor, ""]:
        """Return the negative log-likelihood of the tokens, over `count`."""
        logits = cast(Tensor, outputs.written.logits)
        return token_nll(logits, targets.input_ids[:, 1:], self.pad, count, self.smoothing)


@final
class FindingsObjective(Objective):
    """The observations: binary cross-entropy of `VisualTokens.findings`, over all labelled cells.

    Args:
        weight: Static weight.
        uncertain: What an uncertain label counts as.
        reach: Modules that the gradient reaches.
        name: Of the task.

    >>> import torch
    >>> objective = FindingsObjective(4.0, "ignore", reach=frozenset({"visual.findings"}))
    >>> labels = torch.tensor([[1.0, -1.0, float("nan")]])
    >>> objective.count(Targets(torch.tensor([[1, 2]]), labels))
    tensor(1)
    """

    def __init__(
        self,
        weight: float,
        uncertain: UncertainPolicy,
        reach: frozenset[str],
        name: str = FINDINGS_TASK,
    ) -> None:
        super().__init__(TaskSpec(name, weight, "auxiliary", frozenset({"labels"}), reach=reach))
        self.uncertain = uncertain

    def has_targets(self, targets: Targets) -> bool:
        """Return whether any label counts."""
        return bool(has_labels(cast(Tensor, targets.labels), self.uncertain))

    def count(self, targets: Targets) -> Int[Tensor, ""]:
        """Return the number of labelled cells."""
        return labelled_cells(cast(Tensor, targets.labels), self.uncertain).sum()

    def forward(self, outputs: Outputs, targets: Targets, count: Tensor) -> Float[Tensor, ""]:
        """Return the cross-entropy of the labelled cells, over `count`."""
        scores, labels = cast(Tensor, outputs.visual.findings), cast(Tensor, targets.labels)
        return findings_bce(scores, labels, self.uncertain, count)
