"""WCL: R2Gen with a contrast of images and reports, weighted by clusters (Yan et al. 2021).

Differences from the published code, each on purpose and undone by `paper_code`: the vector of a
report is the mean over its words, not over what fills it up; the temperature given is the one used.
"""

from typing import ClassVar, final, no_type_check

from jaxtyping import Int
from torch import Tensor

from gradtruce.methods.blocks.architecture import (
    VISUAL_REACH,
    EncoderDecoderConfig,
    build_decoder,
    build_visual,
    check_config,
    report_and_findings,
)
from gradtruce.methods.blocks.cache import ReportCache
from gradtruce.methods.blocks.cluster_contrast import ClusterContrast
from gradtruce.methods.blocks.decoder import ReportDecoder, Written
from gradtruce.methods.blocks.encoder_decoder import EncoderDecoderMethod
from gradtruce.methods.blocks.inputs import Inputs
from gradtruce.methods.blocks.visual import VisualEncoder, VisualTokens


@final
@no_type_check  # of the test hook: transformers passes keys that are no fields, such as model_type
class WCLConfig(EncoderDecoderConfig):  # type: ignore[no-untyped-call]  # of transformers
    """Architecture of WCL; defaults are those of the published training scripts.

    Attributes:
        report_weight: Static weight of the task "report".
        contrast_weight: Static weight of the task "contrast".
        contrast_width: Size of the projected vectors of images and reports.
        contrast_temperature: What the cosines are divided by.
        contrast_epoch: First epoch, from 0, of the task "contrast"; its author's advice is 10 to 15
            where training does not start from an R2Gen.
        memory_slots: Slots of the relational memory; 0 leaves out memory and MCLN.
        findings_weight: Static weight of a task "findings", ours; 0 leaves it and its head out.
        findings_token: Let the decoder see the scores of the findings head as one more visual
            token; ours too.
        paper_code: As the published code: the vector of a report is the mean over all places, pads
            included; the temperature is 1 whatever is given; words are embedded twice, see R2Gen.

    >>> WCLConfig(vocab_size=100, width=64).contrast_weight
    0.2
    """

    model_type: ClassVar[str] = "gradtruce_wcl"

    report_weight: float = 0.8
    contrast_weight: float = 0.2
    contrast_width: int = 256
    contrast_temperature: float = 0.1
    contrast_epoch: int = 0
    memory_slots: int = 3
    findings_weight: float = 0.0
    findings_token: bool = False
    paper_code: bool = False


@final
class WCL(EncoderDecoderMethod):  # type: ignore[no-untyped-call]  # of transformers
    """Report generation with relational memory, and a weighted contrast of images and reports.

    >>> import torch
    >>> config = WCLConfig(
    ...     vocab_size=20, backbone="compact", backbone_widths=[8, 16], backbone_depths=[1, 1],
    ...     width=8, heads=2, layers=1, hidden=16, contrast_width=4)
    >>> model = WCL(config)
    >>> images, mask = torch.zeros(2, 2, 3, 32, 32), torch.ones(2, 2, dtype=torch.bool)
    >>> ids = torch.tensor([[1, 5, 6, 2], [1, 7, 2, 0]])
    >>> sorted(model(images, mask, ids, clusters=torch.tensor([0, 3])).losses)
    ['contrast', 'report']
    """

    method_name = "wcl"
    config_class = WCLConfig
    config: WCLConfig
    visual: VisualEncoder
    decoder: ReportDecoder

    def __init__(self, config: WCLConfig) -> None:
        super().__init__(config)
        check_config(config, memory_slots=0, contrast_width=1, contrast_epoch=0, findings_weight=0)
        report, findings = report_and_findings(
            config, findings_weight=config.findings_weight, findings_token=config.findings_token
        )
        self.visual = build_visual(
            config, has_findings=bool(findings), findings_token=config.findings_token
        )
        self.decoder = build_decoder(
            config, memory_slots=config.memory_slots, embeds_twice=config.paper_code
        )
        self.complete(report, _contrast(config), *findings)

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


def _contrast(config: WCLConfig) -> ClusterContrast:
    """Return the contrast; its gradient passes by the decoder's last norm and scores."""
    reach = VISUAL_REACH | {"decoder.embedding", "decoder.memory", "decoder.layers"}
    if config.findings_token:
        reach |= {"visual.findings.scores", "visual.findings.token"}
    return ClusterContrast(
        config.contrast_weight,
        config.width,
        config.contrast_width,
        temperature=1.0 if config.paper_code else config.contrast_temperature,
        start_epoch=config.contrast_epoch,
        pad=config.pad_token_id,
        reach=reach,
        counts_pads=config.paper_code,
        findings_token=config.findings_token,
    )
