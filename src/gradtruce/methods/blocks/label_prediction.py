"""What a findings head that chooses prototypes is trained for: the choice of the labels."""

from typing import cast, final

from jaxtyping import Float, Int
from torch import Tensor, nn

from gradtruce.methods.base import FINDINGS_TASK, TaskSpec
from gradtruce.methods.blocks.losses import UncertainPolicy, has_labels
from gradtruce.methods.blocks.objectives import Objective, Outputs, Targets
from gradtruce.methods.blocks.prototypes import known_studies, selected_observations


@final
class LabelPredictionObjective(Objective):
    """Binary cross-entropy of `VisualTokens.findings` against the observations that labels select.

    An observation that a report does not mention selects nothing, so the head must learn to leave
    it out: in a study of which anything is known, missing labels count as negative. (A head trained
    on mentioned observations alone takes all others for present, because what is mentioned mostly
    is.)

    Args:
        weight: Static weight.
        uncertain: What an uncertain label counts as.
        otherwise: Column of the label that a study without positive ones has.
        reach: Modules that the gradient reaches.

    >>> import torch
    >>> objective = LabelPredictionObjective(
    ...     4.0, uncertain="positive", otherwise=2, reach=frozenset({"visual.findings"}))
    >>> labels = torch.tensor([[1.0, torch.nan, torch.nan], [torch.nan] * 3])
    >>> objective.count(Targets(torch.ones(2, 2, dtype=torch.long), labels))
    tensor(3)
    """

    def __init__(
        self, weight: float, *, uncertain: UncertainPolicy, otherwise: int, reach: frozenset[str]
    ) -> None:
        needs = frozenset({"labels"})
        super().__init__(TaskSpec(FINDINGS_TASK, weight, "auxiliary", needs, reach=reach))
        self.uncertain, self.otherwise = uncertain, otherwise

    def has_targets(self, targets: Targets) -> bool:
        """Return whether anything is known of any study."""
        return bool(has_labels(cast(Tensor, targets.labels), self.uncertain))

    def count(self, targets: Targets) -> Int[Tensor, ""]:
        """Return the number of observations of the studies of which anything is known."""
        labels = cast(Tensor, targets.labels)
        return known_studies(labels, self.uncertain).sum() * labels.shape[1]

    def forward(self, outputs: Outputs, targets: Targets, count: Tensor) -> Float[Tensor, ""]:
        """Return the cross-entropy of the counted cells, over `count`."""
        scores, labels = cast(Tensor, outputs.visual.findings), cast(Tensor, targets.labels)
        wanted = selected_observations(labels, self.uncertain, self.otherwise).to(scores.dtype)
        cells = nn.functional.binary_cross_entropy_with_logits(scores, wanted, reduction="none")
        is_known = known_studies(labels, self.uncertain).unsqueeze(1)
        return cells.where(is_known, 0.0).sum() / count
