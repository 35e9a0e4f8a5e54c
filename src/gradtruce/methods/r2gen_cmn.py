"""R2GenCMN: images and words read one shared memory (Chen et al. 2021).

Differences from the paper, each on purpose: a findings head adds the second task; absent views are
masked and hold no positions; pad, bos and eos are three tokens, not one.
"""

from typing import ClassVar, final, no_type_check

from jaxtyping import Int
from torch import Tensor

from gradtruce.methods.blocks.architecture import (
    EncoderDecoderConfig,
    build_decoder,
    build_visual,
    check_config,
    report_and_findings,
)
from gradtruce.methods.blocks.cache import ReportCache
from gradtruce.methods.blocks.decoder import ReportDecoder, Written
from gradtruce.methods.blocks.encoder_decoder import EncoderDecoderMethod
from gradtruce.methods.blocks.inputs import Inputs
from gradtruce.methods.blocks.positions import VisualPositions
from gradtruce.methods.blocks.shared_memory import SharedMemory
from gradtruce.methods.blocks.visual import VisualEncoder, VisualTokens


@final
@no_type_check  # of the test hook: transformers passes keys that are no fields, such as model_type
class R2GenCMNConfig(EncoderDecoderConfig):  # type: ignore[no-untyped-call]  # of transformers
    """Architecture of R2GenCMN; defaults are those of the published code.

    Attributes:
        visual_positions: As in the base; the published code numbers the tokens of both views.
        memory_slots: Rows of the shared memory matrix.
        memory_read: Slots that each head of a query reads.
        findings_token: Let the decoder see the scores of the findings head as one more visual
            token; not in the paper.
        findings_weight: Static weight of the task "findings", ours; 0 leaves out task and head.

    >>> R2GenCMNConfig(vocab_size=100, width=64).memory_slots
    2048
    """

    model_type: ClassVar[str] = "gradtruce_r2gen_cmn"

    visual_positions: VisualPositions = "sequence"
    memory_slots: int = 2048
    memory_read: int = 32
    findings_token: bool = False
    findings_weight: float = 4.0


@final
class R2GenCMN(EncoderDecoderMethod):  # type: ignore[no-untyped-call]  # of transformers
    """Report generation with a memory shared by both modalities, and a findings head.

    >>> import torch
    >>> config = R2GenCMNConfig(
    ...     vocab_size=20, backbone="compact", backbone_widths=[8, 16], backbone_depths=[1, 1],
    ...     width=8, heads=2, layers=1, hidden=16, memory_slots=12, memory_read=4)
    >>> model = R2GenCMN(config)
    >>> images, mask = torch.zeros(2, 2, 3, 32, 32), torch.ones(2, 2, dtype=torch.bool)
    >>> ids = torch.tensor([[1, 5, 6, 2], [1, 7, 2, 0]])
    >>> sorted(model(images, mask, ids, torch.zeros(2, 14)).losses)
    ['findings', 'report']
    """

    method_name = "r2gen_cmn"
    config_class = R2GenCMNConfig
    config: R2GenCMNConfig
    visual: VisualEncoder
    decoder: ReportDecoder

    def __init__(self, config: R2GenCMNConfig) -> None:
        super().__init__(config)
        check_config(config, memory_slots=1, memory_read=1, findings_weight=0)
        report, findings = report_and_findings(
            config,
            findings_weight=config.findings_weight,
            findings_token=config.findings_token,
            reach=frozenset({"memory"}),
        )
        self.visual = build_visual(
            config, has_findings=bool(findings), findings_token=config.findings_token
        )
        self.memory = SharedMemory(
            config.memory_slots, config.width, config.heads, config.memory_read, config.dropout
        )
        self.decoder = build_decoder(config)
        self.complete(report, *findings)

    @property
    def rotated_tasks(self) -> tuple[str, ...]:
        """Return all tasks: each has a head of its own on the features of the backbone."""
        return tuple(task.name for task in self.tasks)

    def encode(self, inputs: Inputs) -> VisualTokens:
        """Return the encoded views, their projected tokens enriched from the memory."""
        visual: VisualTokens = self.visual(inputs.pixel_values, inputs.view_mask, self.memory)
        return visual

    def decode(
        self,
        ids: Int[Tensor, "batch tokens"],
        visual: VisualTokens,
        cache: ReportCache | None = None,
        explained: int | None = None,
    ) -> Written:
        """Return the scores of the token after each of `ids`, words enriched from the memory."""
        written: Written = self.decoder(
            ids,
            visual.last_hidden_state,
            visual.token_mask,
            cache,
            enrich=self.memory,
            explained=explained,
        )
        return written
