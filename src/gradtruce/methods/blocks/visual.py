"""From the views of a study to one row of encoded visual tokens."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from transformers.utils.generic import ModelOutput

from gradtruce.gradients.rotations import Rotations
from gradtruce.methods.blocks.backbone import Backbone
from gradtruce.methods.blocks.cam import class_activation
from gradtruce.methods.blocks.decoder import Enrichment
from gradtruce.methods.blocks.encoder import Encoder
from gradtruce.methods.blocks.findings import FindingsHead
from gradtruce.methods.blocks.inputs import Inputs
from gradtruce.methods.blocks.positions import (
    VisualPositions,
    grid_sinusoids,
    sequence_sinusoids,
)
from gradtruce.methods.blocks.task_views import TaskViews, task_views
from gradtruce.methods.blocks.view_features import ViewFeatures


@dataclass
class VisualTokens(ModelOutput):
    """The views of each study as one row of tokens; every tensor has studies in front.

    Attributes:
        last_hidden_state: Encoded tokens, view after view, row after row; then, where there is one,
            the token of the findings.
        token_mask: False for tokens of an absent view.
        pooled: Mean, then maximum, of the backbone's features over all present views. The mean
            tells what is large, the maximum what is small.
        grid: Rows and columns of tokens in one view.
        findings: Scores of the observations before the sigmoid, where the encoder has that head.
    """

    last_hidden_state: Float[Tensor, "batch tokens width"] | None = None
    token_mask: Bool[Tensor, "batch tokens"] | None = None
    pooled: Float[Tensor, "batch channels"] | None = None
    grid: tuple[int, int] | None = None
    findings: Float[Tensor, "batch observations"] | None = None


class VisualPart(nn.Module, ABC):
    """What looks at the images in a method.

    Attributes:
        backbone: The part that may be filled with weights from ImageNet.
        rotations: What turns the features for each head, where a method was trained with RotoGrad.
    """

    backbone: Backbone

    def __init__(self) -> None:
        super().__init__()
        self.rotations: Rotations | None = None

    @abstractmethod
    def cam(self, inputs: Inputs) -> Float[Tensor, "batch observations views height width"] | None:
        """Return the class activation maps of the findings head; `None` without one."""


@final
class VisualEncoder(VisualPart):
    """Backbone, projection and transformer encoder over the tokens of all views; findings head.

    The backbone runs on present views only, whatever an absent one holds. A method that puts more
    between the parts calls them one by one: `look`, `project`, `encoder`, `tell`. The tokens are
    made of the view of the report, the findings are read from a view of their own.

    Args:
        backbone: Any module from images to feature maps, with its number of channels as `width`.
        encoder: Transformer over the projected tokens.
        width: Size of the projected tokens.
        dropout: Share of the projected features dropped in training; 0.5 in R2Gen.
        positions: What tokens are told of their place; nothing in R2Gen. With "grid" the order of
            views does not matter.
        position_dropout: Share dropped of the tokens that were told their place, in training.
        findings: Head on the pooled features of the backbone; where it makes a token, that comes
            after all others.

    >>> from gradtruce.methods.blocks.backbone import build_backbone
    >>> encoder = Encoder(1, 8, 2, 16, 0.1, published_norm=True)
    >>> visual = VisualEncoder(build_backbone("compact", (8, 16), (1, 1)), encoder, 8, 0.5)
    >>> tokens = visual(torch.zeros(2, 2, 3, 32, 32), torch.tensor([[True, True], [True, False]]))
    >>> tokens.last_hidden_state.shape, tokens.token_mask.sum(1)
    (torch.Size([2, 32, 8]), tensor([32, 16]))
    """

    def __init__(
        self,
        backbone: Backbone,
        encoder: Encoder,
        width: int,
        dropout: float,
        *,
        positions: VisualPositions = "none",
        position_dropout: float = 0.0,
        findings: FindingsHead | None = None,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.projection = nn.Sequential(
            nn.Linear(backbone.width, width), nn.ReLU(), nn.Dropout(dropout)
        )
        self.encoder = encoder
        self.positions = positions
        self.position_dropout = nn.Dropout(position_dropout)
        self.findings = findings

    def forward(
        self,
        pixel_values: Float[Tensor, "batch views 3 height width"],
        view_mask: Bool[Tensor, "batch views"],
        enrich: Enrichment | None = None,
    ) -> VisualTokens:
        """Return encoded tokens; `enrich` changes the projected ones, each by itself."""
        seen = self.look(pixel_values, view_mask)
        views = task_views(seen, self.rotations)
        tokens = self.project(views.report, enrich)
        return self.tell(views, self.encoder(tokens, seen.token_mask))

    def look(
        self,
        pixel_values: Float[Tensor, "batch views 3 height width"],
        view_mask: Bool[Tensor, "batch views"],
    ) -> ViewFeatures:
        """Return what the backbone sees in the present views."""
        return look(self.backbone, pixel_values, view_mask)

    def project(
        self, seen: ViewFeatures, enrich: Enrichment | None = None
    ) -> Float[Tensor, "batch tokens width"]:
        """Return one row of projected tokens, enriched and then told their place."""
        tokens: Tensor = self.projection(seen.features).flatten(1, 2)
        if enrich is not None:
            tokens = enrich(tokens)
        if self.positions == "none":
            return tokens
        if self.positions == "grid":
            signal = grid_sinusoids(seen.grid, tokens).repeat(seen.view_mask.shape[1], 1)
        else:
            signal = sequence_sinusoids(seen.token_mask, tokens)
        placed: Tensor = self.position_dropout(tokens + signal)
        return placed

    def tell(self, views: TaskViews, tokens: Float[Tensor, "batch tokens width"]) -> VisualTokens:
        """Return encoded tokens with all that a decoder and the losses are told of the views."""
        seen = views.findings
        pooled, token_mask = pool(seen.features, seen.view_mask), seen.token_mask
        if self.findings is None:
            return VisualTokens(tokens, token_mask, pooled, seen.grid)
        findings, token = self.findings(pooled)
        if token is not None:
            if views.rotations is not None:
                told = views.told()
                _, token = self.findings(pool(told.features, told.view_mask))
            tokens = torch.cat([tokens, token.unsqueeze(1)], dim=1)
            token_mask = nn.functional.pad(token_mask, (0, 1), value=True)
        return VisualTokens(tokens, token_mask, pooled, seen.grid, findings)

    def cam(self, inputs: Inputs) -> Float[Tensor, "batch observations views height width"] | None:
        """Return the class activation maps of the findings head; `None` without one."""
        if self.findings is None:
            return None
        seen = self.look(inputs.pixel_values, inputs.view_mask)
        seen = task_views(seen, self.rotations).findings
        maps = class_activation(seen.features.flatten(1, 2), self.findings.scores.weight)
        return maps.view(*maps.shape[:2], inputs.view_mask.shape[1], *seen.grid)


@final
class EncodingModule(nn.Module):
    """How `generate` encodes images: a function dressed as the module that it asks for.

    It holds no parameters: those of the function stay where they are.

    >>> def encode(inputs):
    ...     return VisualTokens(token_mask=inputs.view_mask)
    >>> EncodingModule(encode)(torch.zeros(1, 1, 3, 8, 8), torch.tensor([[True]])).token_mask
    tensor([[True]])
    """

    def __init__(self, encode: Callable[[Inputs], VisualTokens]) -> None:
        super().__init__()
        self._encode = encode

    def forward(
        self,
        pixel_values: Float[Tensor, "batch views 3 height width"],
        view_mask: Bool[Tensor, "batch views"],
        labels: Float[Tensor, "batch observations"] | None = None,
        retrieved: Float[Tensor, "batch neighbours features"] | None = None,
        prior_pixel_values: Float[Tensor, "batch prior_views 3 height width"] | None = None,
        prior_mask: Bool[Tensor, "batch prior_views"] | None = None,
        prior_input_ids: Int[Tensor, "batch prior_tokens"] | None = None,
        prior_labels: Float[Tensor, "batch observations"] | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = True,
    ) -> VisualTokens:
        """Return encoded views; the last three arguments are what `generate` passes, unused."""
        return self._encode(
            Inputs(
                pixel_values,
                view_mask,
                labels,
                retrieved,
                prior_pixel_values,
                prior_mask,
                prior_input_ids,
                prior_labels,
            )
        )


def look(
    backbone: nn.Module,
    pixel_values: Float[Tensor, "batch views 3 height width"],
    view_mask: Bool[Tensor, "batch views"],
) -> ViewFeatures:
    """Return what a backbone sees in the present views; it never meets an absent one.

    >>> images, mask = torch.ones(2, 2, 3, 4, 4), torch.tensor([[True, True], [True, False]])
    >>> look(nn.Identity(), images, mask).features.sum((2, 3))
    tensor([[48., 48.],
            [48.,  0.]])
    """
    present = present_views(view_mask)
    maps = backbone(pixel_values.flatten(0, 1)[present])
    batch, views = view_mask.shape
    places = maps.new_zeros(batch * views, *maps.shape[1:]).index_copy(0, present, maps)
    features = places.flatten(2).transpose(1, 2).unflatten(0, (batch, views))
    token_mask = view_mask.repeat_interleave(features.shape[2], dim=1)
    return ViewFeatures(features, view_mask, token_mask, (maps.shape[2], maps.shape[3]))


def pool(
    features: Float[Tensor, "batch views places channels"], view_mask: Bool[Tensor, "batch views"]
) -> Float[Tensor, "batch doubled"]:
    """Return mean and maximum over all places of the present views, side by side.

    >>> features = torch.tensor([[[[1.0], [3.0]], [[9.0], [9.0]]]])
    >>> pool(features, torch.tensor([[True, False]]))
    tensor([[2., 3.]])
    """
    is_absent = ~view_mask[:, :, None, None]
    present = features.masked_fill(is_absent, 0.0)
    mean = present.mean(dim=2).sum(dim=1) / view_mask.sum(dim=1, keepdim=True)
    largest = features.masked_fill(is_absent, -torch.inf).amax(dim=(1, 2))
    return torch.cat([mean, largest], dim=1)


@torch.compiler.disable  # type: ignore[untyped-decorator]  # torch does not annotate it
def present_views(view_mask: Bool[Tensor, "batch views"]) -> Int[Tensor, " present"]:
    """Return the places of present views in the flattened batch.

    How many there are is read by the host; under `torch.compile` this is where the graph breaks.

    >>> present_views(torch.tensor([[True, True], [True, False]]))
    tensor([0, 1, 2])
    """
    return view_mask.flatten().nonzero().squeeze(1)
