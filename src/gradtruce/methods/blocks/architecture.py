"""The configuration that encoder-decoder methods share, and the parts that it describes."""

from dataclasses import field
from typing import Any, ClassVar, Final, get_args, no_type_check

from transformers import PreTrainedConfig

from gradtruce.data.observations import OBSERVATIONS
from gradtruce.methods.blocks.backbone import BackboneName, build_backbone
from gradtruce.methods.blocks.decoder import ReportDecoder
from gradtruce.methods.blocks.encoder import Encoder
from gradtruce.methods.blocks.findings import FindingsHead
from gradtruce.methods.blocks.losses import UncertainPolicy
from gradtruce.methods.blocks.objectives import FindingsObjective, ReportObjective
from gradtruce.methods.blocks.positions import VisualPositions
from gradtruce.methods.blocks.visual import VisualEncoder

VISUAL_REACH: Final = frozenset({"visual.backbone", "visual.projection", "visual.encoder"})
"""The modules between an image and its encoded tokens."""

REPORT_REACH: Final = VISUAL_REACH | {"decoder"}


@no_type_check  # of the test hook: transformers passes keys that are no fields, such as model_type
class EncoderDecoderConfig(PreTrainedConfig):  # type: ignore[no-untyped-call]  # of transformers
    """The part of the configuration that every encoder-decoder method has.

    Attributes:
        vocab_size: Number of tokens of the tokenizer.
        backbone: Name of the visual backbone, see `blocks.backbone`.
        backbone_widths: Channels after each stage.
        backbone_depths: Layers in each stage; 3, 4, 23, 3 is ResNet-101.
        width: Size of the token vectors, d.
        heads: Heads of every attention.
        layers: Layers of the encoder, and of the decoder.
        hidden: Size of the feed-forward layers.
        dropout: Share dropped in encoder and decoder.
        visual_dropout: Share of the projected visual features dropped.
        visual_positions: What visual tokens are told of their place: "none", "grid" (row and
            column within the view), or "sequence" (number in the row of all present tokens).
        published_norm: Layer normalisation as in the published code, for imported weights.
        report_weight: Static weight of the task "report".
        uncertain: What an uncertain label (-1) counts as: "negative", "positive" or "ignore".
        label_names: Columns of the labels, in order.
        rotations: Tasks, `rot_dim` and `by` of the rotations of the features, where the method was
            trained with RotoGrad; no option.
        pad_token_id: Fills up short reports.
        bos_token_id: First token of every report.
        eos_token_id: Last token of every report.
    """

    model_type: ClassVar[str] = "gradtruce_encoder_decoder"

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
    visual_positions: VisualPositions = "none"
    published_norm: bool = True
    report_weight: float = 1.0
    uncertain: UncertainPolicy = "negative"
    label_names: list[str] = field(default_factory=lambda: list(OBSERVATIONS))
    rotations: dict[str, Any] | None = None
    pad_token_id: int = 0
    bos_token_id: int = 1
    eos_token_id: int = 2
    is_encoder_decoder: bool = True


def build_visual(
    config: EncoderDecoderConfig, *, has_findings: bool, findings_token: bool = False
) -> VisualEncoder:
    """Return the visual encoder that a configuration describes, with random weights.

    Args:
        config: Of the method, checked.
        has_findings: Whether there is a findings head on the pooled features.
        findings_token: Whether that makes a token for the decoder.

    >>> config = EncoderDecoderConfig(backbone="compact", backbone_widths=[8], backbone_depths=[1])
    >>> build_visual(config, has_findings=True).findings.scores.in_features
    16
    """
    backbone = build_backbone(config.backbone, config.backbone_widths, config.backbone_depths)
    token_width = config.width if findings_token else 0
    head = FindingsHead(2 * backbone.width, len(config.label_names), token_width)
    return VisualEncoder(
        backbone,
        Encoder(*_shape(config), published_norm=config.published_norm),
        config.width,
        config.visual_dropout,
        positions=config.visual_positions,
        position_dropout=config.dropout if config.visual_positions == "sequence" else 0.0,
        findings=head if has_findings else None,
    )


def build_decoder(
    config: EncoderDecoderConfig, *, memory_slots: int = 0, embeds_twice: bool = False
) -> ReportDecoder:
    """Return the report decoder that a configuration describes.

    >>> build_decoder(EncoderDecoderConfig(width=8, heads=2)).memory is None
    True
    """
    return ReportDecoder(
        config.vocab_size,
        *_shape(config),
        memory_slots=memory_slots,
        published_norm=config.published_norm,
        embeds_twice=embeds_twice,
    )


def report_and_findings(
    config: EncoderDecoderConfig,
    *,
    findings_weight: float,
    findings_token: bool,
    reach: frozenset[str] = frozenset(),
) -> tuple[ReportObjective, tuple[FindingsObjective, ...]]:
    """Return the report, and the task of a findings head on the pooled features or none.

    Args:
        config: Of the method.
        findings_weight: Static weight of the task "findings"; 0 leaves out task and head.
        findings_token: Whether the decoder sees the scores of the head: the report then reaches it.
        reach: Modules that the report reaches besides visual encoder and decoder.

    Raises:
        ValueError: If the decoder is to see the scores of a head that is not there.

    >>> report, findings = report_and_findings(
    ...     EncoderDecoderConfig(), findings_weight=4.0, findings_token=False)
    >>> [task.spec.name for task in (report, *findings)]
    ['report', 'findings']
    """
    if findings_token and not findings_weight:
        raise ValueError("findings_token needs a findings head: give findings_weight above 0")
    told = {"visual.findings.scores", "visual.findings.token"} if findings_token else set()
    report = ReportObjective(config.report_weight, config.pad_token_id, REPORT_REACH | told | reach)
    if not findings_weight:
        return report, ()
    seen = frozenset({"visual.backbone", "visual.findings.scores"})
    return report, (FindingsObjective(findings_weight, config.uncertain, seen),)


def check_config(config: EncoderDecoderConfig, **least: int) -> None:
    """Check the fields that all methods have, and the numbers of one that have a smallest value.

    Raises:
        ValueError: If a field has a value that it can't have.

    >>> check_config(EncoderDecoderConfig(layers=0))
    Traceback (most recent call last):
    ValueError: layers must be at least 1, got 0
    """
    choices = {
        "backbone": get_args(BackboneName),
        "uncertain": get_args(UncertainPolicy),
        "visual_positions": get_args(VisualPositions),
    }
    for name, known in choices.items():
        if getattr(config, name) not in known:
            raise ValueError(f"{name} must be one of {known}, got {getattr(config, name)!r}")
    least = {"width": 2, "heads": 1, "layers": 1, "hidden": 1} | least
    for name, lowest in least.items():
        if getattr(config, name) < lowest:
            raise ValueError(f"{name} must be at least {lowest}, got {getattr(config, name)}")
    if config.width % 2:
        raise ValueError(f"width must be even, for the encoding of positions, got {config.width}")


def _shape(config: EncoderDecoderConfig) -> tuple[int, int, int, int, float]:
    return (config.layers, config.width, config.heads, config.hidden, config.dropout)
