"""DDaTR's look at a study and its prior: tokens of the current one, states of both."""

from dataclasses import replace
from typing import final

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from gradtruce.methods.base import FINDINGS_TASK
from gradtruce.methods.blocks.inputs import Inputs
from gradtruce.methods.blocks.paired_stages import PairedStages, PriorViews
from gradtruce.methods.blocks.paired_views import pair_views
from gradtruce.methods.blocks.prior_states import PRIOR_TASK, PairedTokens
from gradtruce.methods.blocks.prior_text import PriorTextEncoder
from gradtruce.methods.blocks.state_head import StateHead, positive_log_odds
from gradtruce.methods.blocks.task_views import TaskViews, task_views
from gradtruce.methods.blocks.view_features import ViewFeatures
from gradtruce.methods.blocks.visual import VisualPart, pool, present_views


@final
class PairedVisual(VisualPart):
    """Paired stages, the encoder of prior reports, and a head of four states for either study.

    The current map after all stages is the row of tokens; the mean over its places is what the head
    sees. A study without a prior image is seen by the current stream alone, as if the rest were
    not there; no normalisation meets a prior that is absent.

    Args:
        backbone: Both streams.
        prior_text: Of the reports of priors.
        observations: Number of observations.
        pools_maximum: Let the heads see the maximum over all places beside the mean.
        sees_absent: Let a black image stand in for every absent prior, its gates shut, as the
            published code does: batch normalisation then sees it too.

    >>> from gradtruce.methods.blocks.backbones.swin import Swin
    >>> from gradtruce.methods.blocks.prior_text import PriorTextSize
    >>> text = PriorTextEncoder(9, 0, PriorTextSize(8, 1, 2, 16), frozen=True)
    >>> visual = PairedVisual(PairedStages(Swin((8, 16), (1, 1), 4), 8), text, observations=14)
    >>> images, mask = torch.zeros(2, 1, 3, 32, 32), torch.tensor([[True], [True]])
    >>> tokens = visual(Inputs(images, mask))
    >>> tokens.last_hidden_state.shape, tokens.states.shape, tokens.prior_states
    (torch.Size([2, 16, 16]), torch.Size([2, 14, 4]), None)
    """

    def __init__(
        self,
        backbone: PairedStages,
        prior_text: PriorTextEncoder,
        observations: int,
        *,
        pools_maximum: bool = False,
        sees_absent: bool = False,
    ) -> None:
        super().__init__()
        self.backbone: PairedStages = backbone
        self.prior_text = prior_text
        self._pooled = (1 + pools_maximum) * backbone.width
        self.head = StateHead(self._pooled, observations)
        self.prior_head = StateHead(self._pooled, observations)
        self.sees_absent = sees_absent

    def forward(self, inputs: Inputs) -> PairedTokens:
        """Return the features of all places, and the states of both studies.

        Raises:
            ValueError: If of images, mask and report of the prior some are given and others not.
        """
        views, before = self._look(inputs)
        seen = views.findings
        pooled = pool(seen.features, seen.view_mask)
        states = self.head(pooled[:, : self._pooled])
        tokens = PairedTokens(
            last_hidden_state=views.report.features.flatten(1, 2),
            token_mask=seen.token_mask,
            pooled=pooled,
            grid=seen.grid,
            findings=positive_log_odds(states),
            states=states,
        )
        if before is not None:
            tokens["sees_prior"] = before.view_mask.any(dim=1)
            tokens["prior_states"] = self._prior_states(before)
        return tokens

    def cam(self, inputs: Inputs) -> Float[Tensor, "batch observations views height width"]:
        """Return how much each place speaks for each observation being positive, at least 0.

        The gradient of the log-odds of positive by the pooled features, times the features of a
        place. What the prior does to the features is in them.
        """
        views, _ = self._look(inputs)
        seen = views.findings
        features = seen.features.flatten(1, 2)
        states = self.head(pool(seen.features, seen.view_mask)[:, : self._pooled])
        weights = self.head.positive_weights(states, first=self._pooled)
        halves = weights.view(*weights.shape[:2], -1, self.backbone.width)
        maps = torch.einsum("bpc,bkhc->bkp", features, halves).relu()
        return maps.view(*maps.shape[:2], inputs.view_mask.shape[1], *seen.grid)

    def _look(self, inputs: Inputs) -> tuple[TaskViews, ViewFeatures | None]:
        """Return what the heads see of the current views, and the prior's head of the prior."""
        present = present_views(inputs.view_mask)
        prior = self._prior(inputs)
        maps, prior_maps = self.backbone(inputs.pixel_values.flatten(0, 1)[present], prior)
        views = task_views(_in_views(maps, present, inputs.view_mask), self.rotations)
        if prior is None or prior_maps is None:
            return views, None
        places = present[prior.places]
        mask = torch.zeros_like(inputs.view_mask).flatten().index_fill(0, places, value=True)
        before = _in_views(prior_maps, places, mask.view_as(inputs.view_mask))
        if self.rotations is not None:
            rotated = self.rotations(before.features)
            task = PRIOR_TASK if PRIOR_TASK in rotated else FINDINGS_TASK
            before = replace(before, features=rotated[task])
        return views, before

    def _prior(self, inputs: Inputs) -> PriorViews | None:
        """Return the views of priors that are compared with one of the current study."""
        images, mask, ids = _prior_fields(inputs)
        if images is None or mask is None or ids is None:
            return None
        pairs = pair_views(inputs.view_mask, mask)
        chosen, places, studies = images.flatten(0, 1)[pairs.prior], pairs.current, pairs.studies
        has_prior = torch.ones_like(places, dtype=torch.bool)
        if self.sees_absent:
            studies = inputs.view_mask.nonzero()[:, 0]
            chosen, has_prior = _with_absent(chosen, places, len(studies))
            places = torch.arange(len(studies), device=places.device)
        if not len(studies):
            return None
        told, which = studies.unique_consecutive(return_inverse=True)
        words, is_word = self.prior_text(ids[told])
        return PriorViews(chosen, places, words[which], is_word[which], has_prior)

    def _prior_states(self, before: ViewFeatures) -> Float[Tensor, "batch observations 4"]:
        """Return the states of the priors that were seen, 0 for the others."""
        studies = before.view_mask.any(dim=1).nonzero().squeeze(1)
        pooled = pool(before.features[studies], before.view_mask[studies])[:, : self._pooled]
        states: Tensor = self.prior_head(pooled)
        return states.new_zeros(len(before.view_mask), *states.shape[1:]).index_copy(
            0, studies, states
        )


def _prior_fields(inputs: Inputs) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    given = (inputs.prior_pixel_values, inputs.prior_mask, inputs.prior_input_ids)
    missing = [each is None for each in given]
    if any(missing) and not all(missing):
        raise ValueError(
            "a prior is made of prior_pixel_values, prior_mask and prior_input_ids: give all three "
            f"or none, got {3 - sum(missing)}"
        )
    return given


def _with_absent(
    images: Float[Tensor, "pairs 3 height width"], places: Int[Tensor, " pairs"], present: int
) -> tuple[Float[Tensor, "present 3 height width"], Bool[Tensor, " present"]]:
    """Return a prior for every present view, black where there was none, and where there was."""
    black = images.new_zeros(present, *images.shape[1:])
    has_prior = torch.zeros(present, dtype=torch.bool, device=images.device)
    return black.index_copy(0, places, images), has_prior.index_fill(0, places, value=True)


def _in_views(
    maps: Float[Tensor, "present channels rows columns"],
    present: Int[Tensor, " present"],
    view_mask: Bool[Tensor, "batch views"],
) -> ViewFeatures:
    batch, views = view_mask.shape
    places = maps.new_zeros(batch * views, *maps.shape[1:]).index_copy(0, present, maps)
    features = places.flatten(2).transpose(1, 2).reshape(batch, views, -1, maps.shape[1])
    token_mask = view_mask.repeat_interleave(features.shape[2], dim=1)
    return ViewFeatures(features, view_mask, token_mask, (maps.shape[2], maps.shape[3]))
