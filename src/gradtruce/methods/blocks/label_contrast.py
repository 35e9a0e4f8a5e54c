"""The contrast between studies by the labels that they share (XProNet, Wang et al. 2022, 3.4)."""

from collections.abc import Callable
from typing import cast, final

import torch
from jaxtyping import Bool, Float, Int, Real
from torch import Tensor, nn

from gradtruce.methods.base import TaskSpec
from gradtruce.methods.blocks.losses import UncertainPolicy
from gradtruce.methods.blocks.objectives import Objective, Outputs, Targets
from gradtruce.methods.blocks.prototypes import known_studies, selected_observations

MARGIN = 0.4
"""Largest cosine that two studies without a common label may have for free."""

DECAY = 1.5
"""By which the wanted cosine falls with the share of labels that differ."""

StudyVectors = Callable[[Outputs, Targets], Tensor]
"""Returns a vector a study, of those that are compared."""


def label_contrast(
    vectors: Float[Tensor, "studies width"],
    has_observation: Bool[Tensor, "studies observations"],
    count: Real[Tensor, ""],
    is_compared: Bool[Tensor, " studies"] | None = None,
    margin: float = MARGIN,
) -> Float[Tensor, ""]:
    """Return the contrast summed over all ordered pairs of studies, over `count`.

    Studies that share a label are drawn to a cosine of 1.5^-d, d being the share of their labels
    that differ; others are pushed below the margin. A study with itself costs nothing, but counts.

    Args:
        vectors: One a study.
        has_observation: Labels; every study has one.
        count: Number of pairs, B² as published.
        is_compared: False for studies that are left out; all are compared where not given.
        margin: Largest cosine that costs nothing where no label is shared.

    >>> same = torch.ones(2, 3)
    >>> label_contrast(same, torch.tensor([[True, False], [False, True]]), torch.tensor(4.0))
    tensor(0.3000)
    """
    unit = nn.functional.normalize(vectors)
    cosine = unit @ unit.T
    labels = has_observation.to(vectors.dtype)
    common, sizes = labels @ labels.T, labels.sum(dim=1)
    total = sizes[:, None] + sizes
    wanted = DECAY ** -((total - 2 * common) / total)
    terms = torch.where(common > 0, (wanted - cosine).relu(), (cosine - margin).relu())
    if is_compared is not None:
        terms = terms.where(is_compared[:, None] & is_compared, 0.0)
    return terms.sum() / count


@final
class LabelContrastObjective(Objective):
    """`label_contrast` between the studies of a batch whose labels are known.

    Args:
        name: Of the task.
        weight: Static weight.
        vectors: Returns the vectors that are compared.
        uncertain: What an uncertain label counts as.
        otherwise: Column of the label that a study without positive ones has.
        reach: Modules that the gradient reaches.

    >>> objective = LabelContrastObjective(
    ...     "image_contrast", 1.0, lambda outputs, _: outputs.visual.pooled,
    ...     uncertain="positive", otherwise=2, reach=frozenset({"visual.backbone"}))
    >>> labels = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [torch.nan] * 3])
    >>> objective.count(Targets(torch.ones(3, 2, dtype=torch.long), labels))
    tensor(4)
    """

    def __init__(
        self,
        name: str,
        weight: float,
        vectors: StudyVectors,
        *,
        uncertain: UncertainPolicy,
        otherwise: int,
        reach: frozenset[str],
    ) -> None:
        needs = frozenset({"labels"})
        super().__init__(
            TaskSpec(name, weight, "auxiliary", needs, reach=reach, is_batch_coupled=True)
        )
        self.vectors, self.uncertain, self.otherwise = vectors, uncertain, otherwise

    def has_targets(self, targets: Targets) -> bool:
        """Return whether two studies have labels."""
        return bool(_has_pairs(self._known(targets)))

    def count(self, targets: Targets) -> Int[Tensor, ""]:
        """Return the number of ordered pairs, each study with itself among them."""
        return self._known(targets).sum() ** 2

    def forward(self, outputs: Outputs, targets: Targets, count: Tensor) -> Float[Tensor, ""]:
        """Return the contrast of all pairs, over `count`."""
        labels = cast(Tensor, targets.labels)
        has_observation = selected_observations(labels, self.uncertain, self.otherwise)
        vectors = self.vectors(outputs, targets)
        return label_contrast(vectors, has_observation, count, self._known(targets))

    def _known(self, targets: Targets) -> Tensor:
        return known_studies(cast(Tensor, targets.labels), self.uncertain)


@torch.compiler.disable  # type: ignore[untyped-decorator]  # torch does not annotate it
def _has_pairs(is_known: Bool[Tensor, " studies"]) -> bool:
    """Return whether two studies can be compared; the host reads it."""
    return int(is_known.sum()) > 1
