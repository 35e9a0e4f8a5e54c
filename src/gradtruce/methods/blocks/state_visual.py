"""PromptMRG's look at a study: patches for the decoder, four states of every finding for a prompt.

Apart from these states, the decoder is told nothing of the head and of the memory.
"""

from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from gradtruce.methods.blocks.backbone import Backbone
from gradtruce.methods.blocks.inputs import Inputs
from gradtruce.methods.blocks.query_memory import QueryMemory
from gradtruce.methods.blocks.state_head import StateHead, positive_log_odds
from gradtruce.methods.blocks.states_objective import StateTokens
from gradtruce.methods.blocks.task_views import TaskViews, task_views
from gradtruce.methods.blocks.visual import VisualPart, look, pool


@final
class StateVisual(VisualPart):
    """Backbone, memory of retrieved reports, and a head of four states over both.

    The features of the backbone are the tokens: nothing is projected or encoded. Their mean over
    all places of the present views asks the memory; mean and answer side by side are what the head
    sees.

    Args:
        backbone: Any module from images to feature maps, with its number of channels as `width`.
        memory: From the mean and the retrieved features to one vector.
        head: Of as many features as both have.
        pools_maximum: Let memory and head see the maximum over all places beside the mean.

    >>> from gradtruce.methods.blocks.backbone import build_backbone
    >>> memory = QueryMemory(16, 5, width=8, heads=2, hidden=16, layers=1, dropout=0.1)
    >>> visual = StateVisual(
    ...     build_backbone("compact", (8, 16), (1, 1)), memory, StateHead(16 + 8, observations=14))
    >>> images, mask = torch.zeros(2, 2, 3, 32, 32), torch.ones(2, 2, dtype=torch.bool)
    >>> tokens = visual(Inputs(images, mask, retrieved=torch.ones(2, 21, 5)))
    >>> tokens.last_hidden_state.shape, tokens.states.shape
    (torch.Size([2, 32, 16]), torch.Size([2, 14, 4]))
    """

    def __init__(
        self,
        backbone: Backbone,
        memory: QueryMemory,
        head: StateHead,
        *,
        pools_maximum: bool = False,
    ) -> None:
        super().__init__()
        self.backbone: Backbone = backbone
        self.memory = memory
        self.head = head
        self._pooled = (1 + pools_maximum) * backbone.width

    def forward(self, inputs: Inputs) -> StateTokens:
        """Return the features of all places, and the states.

        Raises:
            ValueError: If there are no retrieved features, or they are of another width.
        """
        views = self._views(inputs)
        seen = views.findings
        pooled = pool(seen.features, seen.view_mask)
        states = self._states(pooled, inputs)
        return StateTokens(
            last_hidden_state=views.report.features.flatten(1, 2),
            token_mask=seen.token_mask,
            pooled=pooled,
            grid=seen.grid,
            findings=positive_log_odds(states),
            states=states,
        )

    def cam(self, inputs: Inputs) -> Float[Tensor, "batch observations views height width"]:
        """Return how much each place speaks for each observation being positive, at least 0.

        The gradient of the log-odds of positive by the mean of the features, times the features of
        a place (Selvaraju et al. 2017): for one linear score that is the map of Zhou et al. 2016.
        Where the head sees the maximum too, both gradients count. What the place does by way of the
        memory is left out.
        """
        seen = self._views(inputs).findings
        features = seen.features.flatten(1, 2)
        states = self._states(pool(seen.features, seen.view_mask), inputs)
        halves = self.head.positive_weights(states, first=self._pooled)
        weights = halves.view(*states.shape[:2], -1, self.backbone.width).sum(dim=2)
        maps = torch.einsum("bpc,bkc->bkp", features, weights).relu()
        return maps.view(*maps.shape[:2], inputs.view_mask.shape[1], *seen.grid)

    def _views(self, inputs: Inputs) -> TaskViews:
        seen = look(self.backbone, inputs.pixel_values, inputs.view_mask)
        return task_views(seen, self.rotations)

    def _states(
        self, pooled: Float[Tensor, "batch doubled"], inputs: Inputs
    ) -> Float[Tensor, "batch observations 4"]:
        asking = pooled[:, : self._pooled]
        read = self.memory(asking, inputs.retrieved)
        states: Tensor = self.head(torch.cat([asking, read], dim=1))
        return states
