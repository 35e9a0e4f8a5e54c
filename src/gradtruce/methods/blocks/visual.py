"""From the views of a study to one row of encoded visual tokens."""

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from transformers.utils.generic import ModelOutput

from gradtruce.methods.blocks.backbone import CompactResNet, ResNet
from gradtruce.methods.blocks.encoder import Encoder
from gradtruce.methods.blocks.findings import FindingsHead
from gradtruce.methods.blocks.positions import grid_sinusoids


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


@final
class VisualEncoder(nn.Module):
    """Backbone, projection and transformer encoder over the tokens of all views; findings head.

    The backbone runs on present views only, whatever an absent one holds. Where tokens carry a
    position, it is their row and column within the view, so the order of views does not matter.

    Args:
        backbone: Any module from images to feature maps, with its number of channels as `width`.
        encoder: Transformer over the projected tokens.
        width: Size of the projected tokens.
        dropout: Share of the projected features dropped in training; 0.5 in the paper.
        positions: Add sinusoids of row and column to the projected tokens; R2Gen has none.
        findings: Head on the pooled features of the backbone; where it makes a token, that comes
            after all others.

    >>> from gradtruce.methods.blocks.backbone import build_backbone
    >>> encoder = Encoder(1, 8, 2, 16, 0.1, published_norm=True)
    >>> visual = VisualEncoder(build_backbone("compact", (8, 16), (1, 1)), encoder, 8, 0.5)
    >>> tokens = visual(torch.zeros(2, 2, 3, 32, 32), torch.tensor([[True, True], [True, False]]))
    >>> tokens.last_hidden_state.shape, tokens.token_mask.sum(1)
    (torch.Size([2, 32, 8]), tensor([32, 16]))
    """

    main_input_name = "pixel_values"

    def __init__(
        self,
        backbone: ResNet | CompactResNet,
        encoder: Encoder,
        width: int,
        dropout: float,
        *,
        positions: bool = False,
        findings: FindingsHead | None = None,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.projection = nn.Sequential(
            nn.Linear(backbone.width, width), nn.ReLU(), nn.Dropout(dropout)
        )
        self.encoder = encoder
        self.positions = positions
        self.findings = findings

    def forward(
        self,
        pixel_values: Float[Tensor, "batch views 3 height width"],
        view_mask: Bool[Tensor, "batch views"],
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = True,
    ) -> VisualTokens:
        """Return encoded tokens; the last three arguments are what `generate` passes, unused."""
        present = present_views(view_mask)
        maps = self.backbone(pixel_values.flatten(0, 1)[present])
        batch, views = view_mask.shape
        places = maps.new_zeros(batch * views, *maps.shape[1:]).index_copy(0, present, maps)
        features = places.flatten(2).transpose(1, 2).unflatten(0, (batch, views))
        token_mask = view_mask.repeat_interleave(features.shape[2], dim=1)
        grid = (maps.shape[2], maps.shape[3])
        projected = self.projection(features)
        if self.positions:
            projected = projected + grid_sinusoids(grid, projected)
        tokens = self.encoder(projected.flatten(1, 2), token_mask)
        pooled = pool(features, view_mask)
        if self.findings is None:
            return VisualTokens(tokens, token_mask, pooled, grid)
        findings, token = self.findings(pooled)
        if token is not None:
            tokens = torch.cat([tokens, token.unsqueeze(1)], dim=1)
            token_mask = nn.functional.pad(token_mask, (0, 1), value=True)
        return VisualTokens(tokens, token_mask, pooled, grid, findings)


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
