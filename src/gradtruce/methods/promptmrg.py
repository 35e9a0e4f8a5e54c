"""PromptMRG: the predicted states of the findings are the prompt of the report (Jin et al. 2024).

Differences from the published code, each on purpose: two views are seen where there are two; the
states are in no softmax over words; the prompt is cut off by its place, not by its letters; of 18
labels, the four auxiliary ones, which were never released, are left out.
"""

from dataclasses import dataclass
from typing import ClassVar, cast, final, no_type_check

from jaxtyping import Int
from torch import Tensor

from gradtruce.methods.blocks.backbone import build_backbone
from gradtruce.methods.blocks.inputs import Inputs
from gradtruce.methods.blocks.objectives import ReportObjective
from gradtruce.methods.blocks.query_memory import QueryMemory
from gradtruce.methods.blocks.state_head import StateHead
from gradtruce.methods.blocks.state_prompted import (
    StatePromptedConfig,
    StatePromptedMethod,
    build_prompted_decoder,
    check_prompted,
)
from gradtruce.methods.blocks.state_visual import StateVisual
from gradtruce.methods.blocks.states_objective import StatesObjective, StateTokens


@final
@no_type_check  # of the test hook: transformers passes keys that are no fields, such as model_type
class PromptMRGConfig(StatePromptedConfig):  # type: ignore[no-untyped-call]  # of transformers
    """Architecture of PromptMRG; defaults are those of the published code, for 14 observations.

    Attributes:
        text_features: Size of the retrieved text features.
        memory_width: Size of the vectors of the memory.
        memory_heads: Heads of every attention of the memory.
        memory_hidden: Size of the feed-forward layers of the memory.
        memory_layers: Layers of the memory's encoder, and of its decoder.
        pools_maximum: Let memory and head see the maximum over all places beside the mean; not in
            the paper.

    >>> PromptMRGConfig(vocab_size=100).memory_width
    512
    """

    model_type: ClassVar[str] = "gradtruce_promptmrg"

    text_features: int = 512
    memory_width: int = 512
    memory_heads: int = 8
    memory_hidden: int = 2048
    memory_layers: int = 2
    pools_maximum: bool = False


@dataclass
class PromptedTokens(StateTokens):
    """Visual tokens, the scores of the states, and the states that the decoder is told.

    Attributes:
        prompt: A state for every observation, 0 to 3.
    """

    prompt: Int[Tensor, "batch observations"] | None = None


@final
class PromptMRG(StatePromptedMethod):  # type: ignore[no-untyped-call]  # of transformers
    """Report generation prompted by the states of the findings.

    In training the prompt is of the true states, outside of the predicted ones; so is that of a
    study without any label. The classifier also sees what a memory reads of similar reports.

    >>> import torch
    >>> config = PromptMRGConfig(
    ...     vocab_size=20, backbone="compact", backbone_widths=[8, 16], backbone_depths=[1, 1],
    ...     width=8, heads=2, layers=1, hidden=16, text_features=5, memory_width=8, memory_heads=2,
    ...     memory_hidden=16, memory_layers=1)
    >>> model = PromptMRG(config)
    >>> images, mask = torch.zeros(2, 2, 3, 32, 32), torch.ones(2, 2, dtype=torch.bool)
    >>> ids = torch.tensor([[1, 5, 6, 2], [1, 7, 2, 0]])
    >>> retrieved = torch.ones(2, 21, 5)
    >>> sorted(model(images, mask, ids, torch.ones(2, 14), retrieved=retrieved).losses)
    ['findings', 'report']
    """

    method_name = "promptmrg"
    config_class = PromptMRGConfig
    config: PromptMRGConfig
    visual: StateVisual

    def __init__(self, config: PromptMRGConfig) -> None:
        super().__init__(config)
        sizes = ("text_features", "memory_width", "memory_heads", "memory_hidden", "memory_layers")
        check_prompted(config, self.method_name, **dict.fromkeys(sizes, 1))
        observations = len(config.label_names)
        self.visual = _build_visual(config, observations)
        self.decoder = build_prompted_decoder(config, self.visual.backbone.width)
        seen = frozenset({"visual.backbone"})
        self.complete(
            ReportObjective(
                config.report_weight,
                config.pad_token_id,
                seen | {"decoder"},
                smoothing=config.label_smoothing,
            ),
            StatesObjective(
                config.findings_weight, observations, seen | {"visual.memory", "visual.head"}
            ),
        )

    @property
    def rotated_tasks(self) -> tuple[str, ...]:
        """Return all tasks: each has a head of its own on the features of the backbone."""
        return tuple(task.name for task in self.tasks)

    @property
    def states_objective(self) -> StatesObjective:
        """Return the task that keeps the priors of logit adjustment."""
        return cast(StatesObjective, self.objectives["findings"])

    @property
    def retrieved_width(self) -> int:
        """Return how many numbers the memory expects of a report."""
        return self.config.text_features

    def encode(self, inputs: Inputs) -> PromptedTokens:
        """Return the patches of all views and the prompt."""
        tokens: StateTokens = self.visual(inputs)
        prompt = self.prompt_of(cast(Tensor, tokens.states), inputs.labels)
        return PromptedTokens(**tokens, prompt=prompt)


def _build_visual(config: PromptMRGConfig, observations: int) -> StateVisual:
    backbone = build_backbone(config.backbone, config.backbone_widths, config.backbone_depths)
    pooled = (1 + config.pools_maximum) * backbone.width
    memory = QueryMemory(
        pooled,
        config.text_features,
        config.memory_width,
        config.memory_heads,
        config.memory_hidden,
        config.memory_layers,
        config.dropout,
    )
    head = StateHead(pooled + config.memory_width, observations)
    return StateVisual(backbone, memory, head, pools_maximum=config.pools_maximum)
