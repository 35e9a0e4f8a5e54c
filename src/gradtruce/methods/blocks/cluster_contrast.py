"""Images against reports, in which reports of one cluster are harder to tell apart (WCL)."""

import math
from typing import Final, cast, final

import torch
from jaxtyping import Bool, Float, Int, Real
from torch import Tensor, nn

from gradtruce.methods.base import TaskSpec
from gradtruce.methods.blocks.objectives import Objective, Outputs, Targets

CONTRAST_TASK: Final = "contrast"

SAME_CLUSTER: Final = 2.0
"""Weight of a negative of the anchor's cluster; that of all others, and of the positive, is 1."""


def weighted_contrast(
    images: Float[Tensor, "batch size"],
    reports: Float[Tensor, "batch size"],
    clusters: Int[Tensor, " batch"],
    temperature: float,
    count: Real[Tensor, ""],
) -> Float[Tensor, ""]:
    """Return the weighted contrastive loss from images to reports (Yan et al. 2021).

    Times the temperature, as in the published code, so that gradients keep their size. Studies
    without a cluster are neither anchors nor negatives.

    Args:
        images: Of length 1 each.
        reports: Of length 1 each; that of study i is the positive of image i.
        clusters: Cluster of each report, -1 where it has none.
        temperature: Cosines are divided by it; above 0.
        count: Number of anchors the sum is divided by.

    >>> images = reports = torch.eye(2)
    >>> weighted_contrast(images, reports, torch.tensor([0, 0]), 1.0, torch.tensor(2))
    tensor(0.5514)
    """
    own = torch.eye(len(clusters), dtype=torch.bool, device=clusters.device)
    known = clusters >= 0
    compared = own | (known[:, None] & known[None, :])
    is_harder = ~own & (clusters[:, None] == clusters[None, :])
    scores = images @ reports.T / temperature
    weighted = torch.where(is_harder, scores + math.log(SAME_CLUSTER), scores)
    normalizers = weighted.masked_fill(~compared, -torch.inf).logsumexp(dim=1)
    return temperature * (normalizers - scores.diagonal()).sum() / count


def masked_mean(
    tokens: Float[Tensor, "batch tokens width"], mask: Bool[Tensor, "batch tokens"]
) -> Float[Tensor, "batch width"]:
    """Return the mean over the tokens that the mask keeps.

    >>> masked_mean(torch.tensor([[[1.0], [3.0], [9.0]]]), torch.tensor([[True, True, False]]))
    tensor([[2.]])
    """
    kept = tokens.masked_fill(~mask.unsqueeze(-1), 0.0)
    return kept.sum(dim=1) / mask.sum(dim=1, keepdim=True)


@final
class ClusterContrast(Objective):
    """The report of an image among those of its batch: `weighted_contrast` of projected means.

    The image is the mean of its encoded tokens. The report is the mean of the decoder's states
    before the last normalisation, which have seen the image.

    Args:
        weight: Static weight.
        width: Size of tokens and states.
        size: Size of the projected vectors.
        temperature: Cosines are divided by it.
        start_epoch: First epoch, from 0, in which the task is active.
        pad: Id that fills up short reports.
        reach: Modules that the gradient reaches, besides the projections.
        counts_pads: Let the mean of a report run over what fills it up, as the published code does.
        findings_token: Whether the last visual token is that of the findings, which is left out.

    Raises:
        ValueError: If the temperature is not above 0, or another number below its least.

    >>> objective = ClusterContrast(0.2, 8, 4, temperature=0.1, pad=0, reach=frozenset())
    >>> ids = torch.ones(3, 5, dtype=torch.long)
    >>> objective.count(Targets(ids, clusters=torch.tensor([0, -1, 2])))
    tensor(2)
    """

    def __init__(
        self,
        weight: float,
        width: int,
        size: int,
        *,
        temperature: float,
        pad: int,
        reach: frozenset[str],
        start_epoch: int = 0,
        counts_pads: bool = False,
        findings_token: bool = False,
    ) -> None:
        if temperature <= 0:
            raise ValueError(f"contrast_temperature must be above 0, got {temperature}")
        super().__init__(
            TaskSpec(
                CONTRAST_TASK,
                weight,
                "auxiliary",
                needs=frozenset({"clusters"}),
                start_epoch=start_epoch,
                reach=reach | {f"objectives.{CONTRAST_TASK}"},
                is_batch_coupled=True,
            )
        )
        self.temperature, self.pad = temperature, pad
        self.counts_pads, self.findings_token = counts_pads, findings_token
        self.image_projection = _projection(width, size)
        self.report_projection = _projection(width, size)

    def has_targets(self, targets: Targets) -> bool:
        """Return whether two studies have a cluster."""
        return bool(has_pair(cast(Tensor, targets.clusters)))

    def count(self, targets: Targets) -> Int[Tensor, ""]:
        """Return the number of studies that have a cluster; none where it is one alone."""
        known = (cast(Tensor, targets.clusters) >= 0).sum()
        return known * (known > 1)

    def forward(self, outputs: Outputs, targets: Targets, count: Tensor) -> Float[Tensor, ""]:
        """Return the loss of the studies that have a cluster, over `count`."""
        tokens = cast(Tensor, outputs.visual.last_hidden_state)
        is_present = cast(Tensor, outputs.visual.token_mask)
        if self.findings_token:
            tokens, is_present = tokens[:, :-1], is_present[:, :-1]
        # The end token's state is left out: the longest report of a batch has none.
        is_word = targets.input_ids[:, 1:] != self.pad
        if self.counts_pads:
            is_word = torch.ones_like(is_word)
        image = self.image_projection(masked_mean(tokens, is_present))
        report = self.report_projection(masked_mean(cast(Tensor, outputs.written.states), is_word))
        return weighted_contrast(
            nn.functional.normalize(image, dim=1),
            nn.functional.normalize(report, dim=1),
            cast(Tensor, targets.clusters),
            self.temperature,
            count,
        )


@torch.compiler.disable  # type: ignore[untyped-decorator]  # torch does not annotate it
def has_pair(clusters: Int[Tensor, " batch"]) -> bool:
    """Return whether two have a cluster; the host reads it, so a compiled graph breaks here.

    >>> has_pair(torch.tensor([3, -1])), has_pair(torch.tensor([3, 3]))
    (False, True)
    """
    return bool((clusters >= 0).sum() > 1)


def _projection(width: int, size: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(width, size), nn.ReLU(), nn.Linear(size, size))
