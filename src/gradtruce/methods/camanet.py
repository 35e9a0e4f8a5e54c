"""CAMANet: words look where a classifier sees findings (Wang et al. 2024).

Differences from the paper's code, each on purpose: absent views are masked; pad, bos and eos are
three tokens, not one; the foreground is what the paper means unless `paper_code` says otherwise.
"""

from dataclasses import field
from typing import ClassVar, cast, final, no_type_check

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from gradtruce.methods.blocks.architecture import (
    REPORT_REACH,
    VISUAL_REACH,
    EncoderDecoderConfig,
    build_decoder,
    build_visual,
    check_config,
)
from gradtruce.methods.blocks.attention_consistency import AttentionObjective, MappedTokens
from gradtruce.methods.blocks.backbone import BackboneName
from gradtruce.methods.blocks.cache import ReportCache
from gradtruce.methods.blocks.cam import class_activation, discriminative_map
from gradtruce.methods.blocks.decoder import ReportDecoder, Written
from gradtruce.methods.blocks.encoder_decoder import EncoderDecoderMethod
from gradtruce.methods.blocks.findings import FindingsHead
from gradtruce.methods.blocks.inputs import Inputs
from gradtruce.methods.blocks.norms import Norm
from gradtruce.methods.blocks.objectives import FindingsObjective, ReportObjective
from gradtruce.methods.blocks.visual import VisualEncoder, VisualTokens, pool


@final
@no_type_check  # of the test hook: transformers passes keys that are no fields, such as model_type
class CAMANetConfig(EncoderDecoderConfig):  # type: ignore[no-untyped-call]  # of transformers
    """Architecture of CAMANet; defaults are those of the published code on IU X-Ray.

    Attributes:
        backbone: As in the base; DenseNet-121 in the paper.
        backbone_widths: Channels after each stage.
        backbone_depths: Layers in each stage.
        memory_slots: Slots of the relational memory; 0 leaves out memory and MCLN.
        attention_layer: Decoder layer, from 0, whose attention is trained to be consistent.
        attention_share: Share of the words that count as important: 0.25 on IU X-Ray, 0.3 on
            MIMIC-CXR.
        findings_weight: Static weight of the task "findings".
        attention_weight: Static weight of the task "attention": 0.15 on IU X-Ray, 0.5 on MIMIC-CXR.
        findings_token: Let the decoder see the scores of the findings head as one more visual
            token; not in the paper.
        paper_code: As the published code: the first encoded image patch stands for the foreground;
            see `AttentionObjective` for the rest.

    >>> CAMANetConfig(vocab_size=100, width=64).attention_layer
    2
    """

    model_type: ClassVar[str] = "gradtruce_camanet"

    backbone: BackboneName = "densenet"
    backbone_widths: list[int] = field(default_factory=lambda: [256, 512, 1024, 1024])
    backbone_depths: list[int] = field(default_factory=lambda: [6, 12, 24, 16])
    memory_slots: int = 3
    attention_layer: int = 2
    attention_share: float = 0.25
    findings_weight: float = 1.0
    attention_weight: float = 0.15
    findings_token: bool = False
    paper_code: bool = False


@final
class CAMANet(EncoderDecoderMethod):  # type: ignore[no-untyped-call]  # of transformers
    """Report generation with a class head whose activation maps guide encoder and attention.

    >>> config = CAMANetConfig(
    ...     vocab_size=20, backbone="compact", backbone_widths=[8, 16], backbone_depths=[1, 1],
    ...     width=8, heads=2, layers=1, hidden=16, attention_layer=0)
    >>> model = CAMANet(config)
    >>> images, mask = torch.zeros(2, 2, 3, 32, 32), torch.ones(2, 2, dtype=torch.bool)
    >>> ids = torch.tensor([[1, 5, 6, 2], [1, 7, 2, 0]])
    >>> sorted(model(images, mask, ids, torch.ones(2, 14)).losses)
    ['attention', 'findings', 'report']
    """

    method_name = "camanet"
    config_class = CAMANetConfig
    config: CAMANetConfig
    visual: VisualEncoder
    decoder: ReportDecoder

    def __init__(self, config: CAMANetConfig) -> None:
        super().__init__(config)
        _check(config)
        self.visual = build_visual(config, has_findings=False)
        features = self.visual.backbone.width
        token_width = config.width if config.findings_token else 0
        self.visual.findings = FindingsHead(features, len(config.label_names), token_width)
        self.foreground_norm = Norm(features, published=config.published_norm)
        self.decoder = build_decoder(config, memory_slots=config.memory_slots)
        self.complete(*_objectives(config))

    def encode(self, inputs: Inputs) -> MappedTokens:
        """Return the encoded views, the foreground among them.

        The map of what the class head believes picks the foreground out of the features. As a token
        it takes part in the encoder; the decoder does not see it.
        """
        seen = self.visual.look(inputs.pixel_values, inputs.view_mask)
        present, patches = seen.token_mask, seen.features.flatten(1, 2)
        pooled = pool(seen.features, seen.view_mask)
        head = cast(FindingsHead, self.visual.findings)
        findings, told = head(pooled[:, : patches.shape[2]])
        cam = class_activation(patches, head.scores.weight)
        discriminative = discriminative_map(cam, findings, present)
        foreground = self.foreground_norm(torch.bmm(discriminative.unsqueeze(1), patches))
        tokens = torch.cat([self.visual.projection(foreground), self.visual.project(seen)], dim=1)
        encoded = self.visual.encoder(tokens, nn.functional.pad(present, (1, 0), value=True))
        foreground, tokens = encoded[:, 0], encoded[:, 1:]
        if self.config.paper_code:
            foreground = _first_present(tokens, present)
        if told is not None:
            tokens = torch.cat([tokens, told.unsqueeze(1)], dim=1)
            present = nn.functional.pad(present, (0, 1), value=True)
        return MappedTokens(
            tokens, present, pooled, seen.grid, findings, discriminative, foreground
        )

    def decode(
        self,
        ids: Int[Tensor, "batch tokens"],
        visual: VisualTokens,
        cache: ReportCache | None = None,
        explained: int | None = None,
    ) -> Written:
        """Return the scores of the token that follows each of `ids`.

        A whole report is read with its attention in `attention_layer`, if no other is asked for.
        """
        if cache is None and explained is None:
            explained = self.config.attention_layer
        written: Written = self.decoder(
            ids, visual.last_hidden_state, visual.token_mask, cache, explained=explained
        )
        return written


def _first_present(
    tokens: Float[Tensor, "batch tokens width"], present: Bool[Tensor, "batch tokens"]
) -> Float[Tensor, "batch width"]:
    """Return the first token of the first present view of each study."""
    studies = torch.arange(len(tokens), device=tokens.device)
    return tokens[studies, present.long().argmax(dim=1)]


def _objectives(
    config: CAMANetConfig,
) -> tuple[ReportObjective, FindingsObjective, AttentionObjective]:
    head = frozenset({"visual.findings.scores"})
    told = head | {"visual.findings.token"} if config.findings_token else frozenset()
    return (
        ReportObjective(
            config.report_weight, config.pad_token_id, REPORT_REACH | {"foreground_norm"} | told
        ),
        FindingsObjective(
            config.findings_weight, config.uncertain, head | frozenset({"visual.backbone"})
        ),
        AttentionObjective(
            config.attention_weight,
            config.pad_token_id,
            config.eos_token_id,
            config.attention_share,
            config.uncertain,
            _attention_reach(config) | told,
            paper_code=config.paper_code,
        ),
    )


def _attention_reach(config: CAMANetConfig) -> frozenset[str]:
    """Return the modules up to the attention weights of the layer that is asked."""
    last = f"decoder.layers.{config.attention_layer}"
    parts = ("self_attention", "cross_attention.query", "cross_attention.key", "norms.0", "norms.1")
    return (
        VISUAL_REACH
        | {"foreground_norm", "decoder.embedding"}
        | ({"decoder.memory"} if config.memory_slots else frozenset())
        | {f"decoder.layers.{layer}" for layer in range(config.attention_layer)}
        | {f"{last}.{part}" for part in parts}
    )


def _check(config: CAMANetConfig) -> None:
    check_config(config, memory_slots=0, attention_layer=0)
    if config.attention_layer >= config.layers:
        raise ValueError(
            f"attention_layer must be below layers ({config.layers}), "
            f"got {config.attention_layer}; the first layer is 0"
        )
    if not 0 < config.attention_share <= 1:
        raise ValueError(
            f"attention_share must be above 0 and at most 1, got {config.attention_share}"
        )
