"""R2Gen: a transformer whose decoder is steered by a relational memory (Chen et al. 2020).

Differences from the paper, each on purpose: a findings head adds the second task; absent views are
masked; pooling adapts to the image size; pad, bos and eos are three tokens, not one.
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
from gradtruce.methods.blocks.visual import VisualEncoder, VisualTokens


@final
@no_type_check  # of the test hook: transformers passes keys that are no fields, such as model_type
class R2GenConfig(EncoderDecoderConfig):  # type: ignore[no-untyped-call]  # of transformers
    """Architecture of R2Gen; defaults are the paper's (section 3.3) where it says.

    Attributes:
        memory_slots: Slots of the relational memory; 0 leaves out memory and MCLN (the ablation).
        findings_token: Let the decoder see the scores of the findings head as one more visual
            token; not in the paper.
        findings_weight: Static weight of the task "findings", ours; 0 leaves out task and head.
        paper_code: Embed words twice, for memory and layers, each under a dropout mask of its own,
            as the published code does; otherwise once.

    >>> R2GenConfig(vocab_size=100, width=64).memory_slots
    3
    """

    model_type: ClassVar[str] = "gradtruce_r2gen"

    memory_slots: int = 3
    findings_token: bool = False
    findings_weight: float = 4.0
    paper_code: bool = False


@final
class R2Gen(EncoderDecoderMethod):  # type: ignore[no-untyped-call]  # of transformers
    """Report generation with relational memory, and a findings head on the pooled visual features.

    >>> import torch
    >>> config = R2GenConfig(
    ...     vocab_size=20, backbone="compact", backbone_widths=[8, 16], backbone_depths=[1, 1],
    ...     width=8, heads=2, layers=1, hidden=16)
    >>> model = R2Gen(config)
    >>> images, mask = torch.zeros(2, 2, 3, 32, 32), torch.ones(2, 2, dtype=torch.bool)
    >>> ids = torch.tensor([[1, 5, 6, 2], [1, 7, 2, 0]])
    >>> sorted(model(images, mask, ids, torch.zeros(2, 14)).losses)
    ['findings', 'report']
    """

    method_name = "r2gen"
    config_class = R2GenConfig
    config: R2GenConfig
    visual: VisualEncoder
    decoder: ReportDecoder

    def __init__(self, config: R2GenConfig) -> None:
        super().__init__(config)
        check_config(config, memory_slots=0, findings_weight=0)
        report, findings = report_and_findings(
            config, findings_weight=config.findings_weight, findings_token=config.findings_token
        )
        self.visual = build_visual(
            config, has_findings=bool(findings), findings_token=config.findings_token
        )
        self.decoder = build_decoder(
            config, memory_slots=config.memory_slots, embeds_twice=config.paper_code
        )
        self.complete(report, *findings)

    @property
    def rotated_tasks(self) -> tuple[str, ...]:
        """Return all tasks: each has a head of its own on the features of the backbone."""
        return tuple(task.name for task in self.tasks)

    def encode(self, inputs: Inputs) -> VisualTokens:
        """Return the encoded views."""
        visual: VisualTokens = self.visual(inputs.pixel_values, inputs.view_mask)
        return visual

    def decode(
        self,
        ids: Int[Tensor, "batch tokens"],
        visual: VisualTokens,
        cache: ReportCache | None = None,
        explained: int | None = None,
    ) -> Written:
        """Return the scores of the token that follows each of `ids`."""
        written: Written = self.decoder(
            ids, visual.last_hidden_state, visual.token_mask, cache, explained=explained
        )
        return written
