"""R2Gen: a transformer whose decoder is steered by a relational memory (Chen et al. 2020).

Differences from the paper, each on purpose: a findings head adds the second task; absent views are
masked; pooling adapts to the image size; pad, bos and eos are three tokens, not one.
"""

from collections.abc import Mapping
from dataclasses import field
from typing import ClassVar, final, get_args, no_type_check

from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from transformers import GenerationConfig, PreTrainedConfig

from gradtruce.data.batch import Batch
from gradtruce.data.observations import OBSERVATIONS
from gradtruce.methods.base import (
    PRIMARY_TASK,
    Decoding,
    Generated,
    ReportOutput,
    TaskSpec,
)
from gradtruce.methods.blocks.backbone import BackboneName, build_backbone
from gradtruce.methods.blocks.cache import ReportCache
from gradtruce.methods.blocks.decoder import ReportDecoder
from gradtruce.methods.blocks.encoder import Encoder
from gradtruce.methods.blocks.findings import FindingsHead
from gradtruce.methods.blocks.losses import (
    UncertainPolicy,
    findings_bce,
    has_labels,
    labelled_cells,
    token_nll,
)
from gradtruce.methods.blocks.pretrained import PretrainedMethod, evaluating, generation_config
from gradtruce.methods.blocks.visual import VisualEncoder, VisualTokens

FINDINGS_TASK = "findings"


@final
@no_type_check  # of the test hook: transformers passes keys that are no fields, such as model_type
class R2GenConfig(PreTrainedConfig):  # type: ignore[no-untyped-call]  # of transformers
    """Architecture of R2Gen; defaults are the paper's (section 3.3) where it says.

    Attributes:
        vocab_size: Number of tokens of the tokenizer.
        backbone: "resnet" (bottleneck layers), "compact" or "compact_batch" (small images), see
            `blocks.backbone`.
        backbone_widths: Channels after each stage.
        backbone_depths: Layers in each stage; 3, 4, 23, 3 is ResNet-101.
        width: Size of the token vectors, d.
        heads: Heads of every attention.
        layers: Layers of the encoder, and of the decoder.
        hidden: Size of the feed-forward layers.
        dropout: Share dropped in encoder and decoder.
        visual_dropout: Share of the projected visual features dropped.
        visual_positions: Add sinusoids of row and column to the visual tokens; not in the paper.
        findings_token: Let the decoder see the scores of the findings head as one more visual
            token; not in the paper.
        memory_slots: Slots of the relational memory; 0 leaves out memory and MCLN (the ablation).
        published_norm: Layer normalisation as in the published code, for imported weights.
        report_weight: Static weight of the task "report".
        findings_weight: Static weight of the task "findings", ours.
        uncertain: What an uncertain label (-1) counts as: "negative", "positive" or "ignore".
        label_names: Columns of the findings head, in order.
        pad_token_id: Fills up short reports.
        bos_token_id: First token of every report.
        eos_token_id: Last token of every report.

    >>> R2GenConfig(vocab_size=100, width=64).memory_slots
    3
    """

    model_type: ClassVar[str] = "gradtruce_r2gen"

    vocab_size: int = 4
    backbone: BackboneName = "resnet"
    backbone_widths: list[int] = field(default_factory=lambda: [256, 512, 1024, 2048])
    backbone_depths: list[int] = field(default_factory=lambda: [3, 4, 23, 3])
    width: int = 512
    heads: int = 8
    layers: int = 3
    hidden: int = 512
    dropout: float = 0.1
    visual_dropout: float = 0.5
    visual_positions: bool = False
    findings_token: bool = False
    memory_slots: int = 3
    published_norm: bool = True
    report_weight: float = 1.0
    findings_weight: float = 4.0
    uncertain: UncertainPolicy = "negative"
    label_names: list[str] = field(default_factory=lambda: list(OBSERVATIONS))
    pad_token_id: int = 0
    bos_token_id: int = 1
    eos_token_id: int = 2
    is_encoder_decoder: bool = True


@final
class R2Gen(PretrainedMethod):  # type: ignore[no-untyped-call]  # of transformers
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

    def __init__(self, config: R2GenConfig) -> None:
        super().__init__(config)
        _check(config)
        shape = (config.layers, config.width, config.heads, config.hidden, config.dropout)
        backbone = build_backbone(config.backbone, config.backbone_widths, config.backbone_depths)
        encoder = Encoder(*shape, published_norm=config.published_norm)
        token_width = config.width if config.findings_token else 0
        self.visual = VisualEncoder(
            backbone,
            encoder,
            config.width,
            config.visual_dropout,
            positions=config.visual_positions,
            findings=FindingsHead(2 * backbone.width, len(config.label_names), token_width),
        )
        self.decoder = ReportDecoder(
            config.vocab_size,
            *shape,
            memory_slots=config.memory_slots,
            published_norm=config.published_norm,
        )
        self.generation_config = self.decoding_options(Decoding())
        self.post_init()  # type: ignore[no-untyped-call]  # of transformers

    @property
    def tasks(self) -> tuple[TaskSpec, ...]:
        """Return report and findings.

        Both reach the backbone, and the findings head where the decoder sees its token.
        """
        backbone, scores = "visual.backbone", "visual.findings.scores"
        reach = {backbone, "visual.projection", "visual.encoder", "decoder"}
        if self.config.findings_token:
            reach |= {scores, "visual.findings.token"}
        return (
            TaskSpec(
                PRIMARY_TASK,
                self.config.report_weight,
                "primary",
                reach=frozenset(reach),
            ),
            TaskSpec(
                FINDINGS_TASK,
                self.config.findings_weight,
                "auxiliary",
                needs=frozenset({"labels"}),
                reach=frozenset({backbone, scores}),
            ),
        )

    def forward(
        self,
        pixel_values: Float[Tensor, "batch views 3 height width"] | None = None,
        view_mask: Bool[Tensor, "batch views"] | None = None,
        input_ids: Int[Tensor, "batch tokens"] | None = None,
        labels: Float[Tensor, "batch observations"] | None = None,
        normalizers: Mapping[str, Tensor] | None = None,
        encoder_outputs: VisualTokens | None = None,
        past_key_values: ReportCache | None = None,
        return_dict: bool = True,
    ) -> ReportOutput:
        """Return losses and scores, or in a step of `generate` the scores alone.

        The first five arguments are those of `ReportMethod.forward`. `generate` passes the encoded
        views, its cache and `return_dict` instead of images.

        Raises:
            ValueError: If images or tokens are missing.
        """
        if encoder_outputs is not None and input_ids is not None:
            return ReportOutput(logits=self._decode(input_ids, encoder_outputs, past_key_values))
        if pixel_values is None or view_mask is None or input_ids is None:
            raise ValueError("forward needs pixel_values, view_mask and input_ids")
        counts = self._counts(input_ids, labels) if normalizers is None else normalizers
        is_labelled = labels is not None and has_labels(labels, self.config.uncertain)
        visual = self.visual(pixel_values, view_mask)
        logits = self._decode(input_ids[:, :-1], visual)
        findings = visual.findings
        pad = self.config.pad_token_id
        losses = {PRIMARY_TASK: token_nll(logits, input_ids[:, 1:], pad, counts[PRIMARY_TASK])}
        if labels is not None and is_labelled:
            losses[FINDINGS_TASK] = findings_bce(
                findings, labels, self.config.uncertain, counts[FINDINGS_TASK]
            )
        return ReportOutput(losses=losses, logits=logits, findings_logits=findings)

    def loss_counts(self, batch: Batch) -> dict[str, Tensor]:
        """Return the numbers of real tokens, eos included, and of labelled cells."""
        return self._counts(batch.input_ids, batch.labels)

    def generate_reports(self, batch: Batch, decoding: Decoding) -> Generated:
        """Generate one report a study; images are encoded once."""
        tokenizer = self.require_tokenizer()
        options = self.decoding_options(decoding)
        with evaluating(self):
            visual = self.visual(batch.pixel_values, batch.view_mask)
            findings = visual.findings.sigmoid()
            ids = self.generate_ids(visual, options)
        texts = tokenizer.batch_decode(ids, skip_special_tokens=True)
        return Generated(tuple(texts), ids, findings)

    def attention(
        self, batch: Batch, ids: Int[Tensor, "batch tokens"]
    ) -> Float[Tensor, "batch tokens views height width"]:
        """Return the visual attention of the last decoder layer, averaged over heads.

        What the token of the findings gets has no place and is left out.
        """
        with evaluating(self):
            visual = self.visual(batch.pixel_values, batch.view_mask)
            looks = self.decoder.looks(ids[:, :-1], visual.last_hidden_state, visual.token_mask)
        rows, columns = visual.grid
        looks = looks[..., : batch.view_mask.shape[1] * rows * columns]
        looks = nn.functional.pad(looks / looks.sum(dim=-1, keepdim=True), (0, 0, 1, 0))
        looks = looks * (ids != self.config.pad_token_id).unsqueeze(-1)
        return looks.view(*ids.shape, batch.view_mask.shape[1], *visual.grid)

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Return the parameters of the visual backbone, and all others."""
        backbone = list(self.visual.backbone.parameters())
        known = {id(parameter) for parameter in backbone}
        rest = [parameter for parameter in self.parameters() if id(parameter) not in known]
        return {"backbone": backbone, "rest": rest}

    def on_step_end(self, batch: Batch) -> None:
        """Do nothing: R2Gen has no queue and no momentum copy."""

    def on_epoch_end(self, validation: Mapping[str, float]) -> None:
        """Do nothing: R2Gen has no prior and no schedule."""

    def get_encoder(self, modality: str | None = None) -> VisualEncoder:
        """Return the visual encoder, which `generate` runs once."""
        return self.visual

    def decoding_options(self, decoding: Decoding) -> GenerationConfig:
        """Return what `generate` needs to decode as asked."""
        config = self.config
        return generation_config(
            decoding, pad=config.pad_token_id, bos=config.bos_token_id, eos=config.eos_token_id
        )

    def _decode(
        self, ids: Tensor, visual: VisualTokens, cache: ReportCache | None = None
    ) -> Tensor:
        logits: Tensor = self.decoder(ids, visual.last_hidden_state, visual.token_mask, cache)
        return logits

    def _counts(self, ids: Tensor, labels: Tensor | None) -> dict[str, Tensor]:
        counts = {PRIMARY_TASK: (ids[:, 1:] != self.config.pad_token_id).sum()}
        if labels is not None:
            counts[FINDINGS_TASK] = labelled_cells(labels, self.config.uncertain).sum()
        return counts


def _check(config: R2GenConfig) -> None:
    choices = {"backbone": get_args(BackboneName), "uncertain": get_args(UncertainPolicy)}
    for name, known in choices.items():
        if getattr(config, name) not in known:
            raise ValueError(f"{name} must be one of {known}, got {getattr(config, name)!r}")
    least = {"width": 2, "heads": 1, "layers": 1, "hidden": 1, "memory_slots": 0}
    for name, lowest in least.items():
        if getattr(config, name) < lowest:
            raise ValueError(f"{name} must be at least {lowest}, got {getattr(config, name)}")
    if config.width % 2:
        raise ValueError(f"width must be even, for the encoding of positions, got {config.width}")
