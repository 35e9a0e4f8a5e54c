"""What the heads of a method see of the features: all the same, or each a rotation of its own."""

from dataclasses import dataclass, replace
from typing import final

from gradtruce.gradients.rotations import Rotations
from gradtruce.methods.base import FINDINGS_TASK, PRIMARY_TASK
from gradtruce.methods.blocks.view_features import ViewFeatures


@final
@dataclass(frozen=True, eq=False)
class TaskViews:
    """The features as the heads see them; without rotations all are one.

    The features of a place are a sample, so a rotation is an orthogonal convolution of 1 × 1.

    Attributes:
        report: What becomes the tokens that the decoder reads.
        findings: What the findings head sees for its own loss.
        rotations: What made them; `None` where no head has features of its own.
    """

    report: ViewFeatures
    findings: ViewFeatures
    rotations: Rotations | None = None

    def told(self) -> ViewFeatures:
        """Return what the findings head sees when its scores are told to the report.

        The numbers are those of `findings`, but computed from `report`, so that the gradient of the
        report's loss passes through the view of the report alone.
        """
        if self.rotations is None:
            return self.report
        view = self.rotations.across(self.report.features, PRIMARY_TASK, FINDINGS_TASK)
        return replace(self.report, features=view)


def task_views(seen: ViewFeatures, rotations: Rotations | None) -> TaskViews:
    """Return what the heads see of what a backbone saw.

    Args:
        seen: Of the backbone.
        rotations: Of `RotoGrad`, for report and findings; `None` where all heads see the same.

    >>> import torch
    >>> mask = torch.tensor([[True]])
    >>> seen = ViewFeatures(torch.tensor([[[[1.0, 2.0]]]]), mask, mask, (1, 1))
    >>> rotations = Rotations(["report", "findings"], width=2)
    >>> rotations.turn(torch.tensor([[0.0], [torch.pi / 2]]))
    >>> views = task_views(seen, rotations)
    >>> views.report.features.tolist(), views.findings.features.round(decimals=4).tolist()
    ([[[[1.0, 2.0]]]], [[[[2.0, -1.0]]]])
    >>> views.told().features.round(decimals=4).tolist()
    [[[[2.0, -1.0]]]]
    """
    if rotations is None:
        return TaskViews(seen, seen)
    views = rotations(seen.features)
    return TaskViews(
        replace(seen, features=views[PRIMARY_TASK]),
        replace(seen, features=views[FINDINGS_TASK]),
        rotations,
    )
