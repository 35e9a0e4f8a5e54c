"""DDaTR: what differs from the prior study, stage by stage, and its report (DDaTR, TMI 2025).

Differences from the published code, each on purpose: an absent prior is in no normalisation and in
no loss; the encoder of prior reports is without dropout while it is frozen; prior and current are
augmented by one draw; two views are compared with two; the prompt is cut off by its place.
`paper_code` brings back the first of these.
"""

from dataclasses import field
from typing import Any, ClassVar, Final, cast, final, get_args, no_type_check

from gradtruce.methods.blocks.backbone import BackboneName, StagedBackbone, build_backbone
from gradtruce.methods.blocks.backbones.swin import Swin
from gradtruce.methods.blocks.difference import DifferenceNorm
from gradtruce.methods.blocks.inputs import Inputs
from gradtruce.methods.blocks.objectives import Objective, ReportObjective
from gradtruce.methods.blocks.paired_stages import PairedStages
from gradtruce.methods.blocks.paired_visual import PairedVisual
from gradtruce.methods.blocks.prior_states import (
    PairedStatesObjective,
    PairedTokens,
    PriorStatesObjective,
)
from gradtruce.methods.blocks.prior_text import PriorTextEncoder, PriorTextSize
from gradtruce.methods.blocks.state_prompted import (
    StatePromptedConfig,
    StatePromptedMethod,
    build_prompted_decoder,
    check_prompted,
)
from gradtruce.methods.blocks.states_objective import StatesObjective

_STREAM: Final = "visual.backbone"
_STAGED: Final = ("swin", "compact", "compact_batch")


@final
@no_type_check  # of the test hook: transformers passes keys that are no fields, such as model_type
class DDaTRConfig(StatePromptedConfig):  # type: ignore[no-untyped-call]  # of transformers
    """Architecture of DDaTR; defaults are those of the published code.

    Attributes:
        backbone: Of both streams: "swin", as published, or a compact one.
        backbone_widths: Channels after each stage; those of Swin-B.
        backbone_depths: Layers in each stage.
        backbone_window: Side in tokens of the windows of "swin".
        backbone_drop_path: Share of images for which the last layer of "swin" is left out.
        difference_norm: What normalises differences: "batch", as published, or "group", by which a
            study does not depend on the rest of its batch.
        prior_text_width: Size of the word vectors of prior reports, from BERT-base as published.
        prior_text_layers: Layers of their encoder.
        prior_text_heads: Heads of its attention.
        prior_text_hidden: Size of its feed-forward layers.
        prior_text_tokens: Most tokens of a prior report that are read.
        prior_text_frozen: Whether that encoder stays as it is: right for weights from a file only.
        fusion_heads: Heads of the attention from a prior image to its report.
        pools_maximum: Let the heads see the maximum over all places beside the mean; not in the
            paper.
        findings_prior: Whether the states of the prior study are a task of their own,
            "findings_prior", instead of a part of "findings".
        findings_prior_weight: Static weight of that task.
        paper_code: A black image stands in for every absent prior, in batch normalisation and in
            the loss of the findings.

    >>> DDaTRConfig(vocab_size=100).prior_text_tokens
    100
    """

    model_type: ClassVar[str] = "gradtruce_ddatr"

    backbone: BackboneName = "swin"
    backbone_widths: list[int] = field(default_factory=lambda: [128, 256, 512, 1024])
    backbone_depths: list[int] = field(default_factory=lambda: [2, 2, 18, 2])
    backbone_window: int = 7
    backbone_drop_path: float = 0.1
    difference_norm: DifferenceNorm = "batch"
    prior_text_width: int = 768
    prior_text_layers: int = 12
    prior_text_heads: int = 12
    prior_text_hidden: int = 3072
    prior_text_tokens: int = 100
    prior_text_frozen: bool = True
    fusion_heads: int = 1
    pools_maximum: bool = False
    findings_prior: bool = False
    findings_prior_weight: float = 4.0
    paper_code: bool = False


@final
class DDaTR(StatePromptedMethod):  # type: ignore[no-untyped-call]  # of transformers
    """Report generation that compares a study with the one before it.

    A study without a prior is written about as by one stream alone. The decoder is prompted as that
    of PromptMRG.

    >>> import torch
    >>> config = DDaTRConfig(
    ...     vocab_size=20, backbone_widths=[8, 16], backbone_depths=[1, 1], backbone_window=4,
    ...     width=8, heads=2, layers=1, hidden=16, prior_text_width=8, prior_text_layers=1,
    ...     prior_text_heads=2, prior_text_hidden=16)
    >>> model = DDaTR(config)
    >>> images, mask = torch.zeros(2, 1, 3, 32, 32), torch.ones(2, 1, dtype=torch.bool)
    >>> ids = torch.tensor([[1, 5, 6, 2], [1, 7, 2, 0]])
    >>> sorted(model(images, mask, ids, torch.ones(2, 14)).losses)
    ['findings', 'report']
    """

    method_name = "ddatr"
    config_class = DDaTRConfig
    config: DDaTRConfig
    visual: PairedVisual

    def __init__(self, config: DDaTRConfig) -> None:
        super().__init__(config)
        _check(config)
        backbone = _build_backbone(config)
        self.visual = PairedVisual(
            PairedStages(
                backbone, config.prior_text_width, config.fusion_heads, config.difference_norm
            ),
            _build_prior_text(config),
            len(config.label_names),
            pools_maximum=config.pools_maximum,
            sees_absent=config.paper_code,
        )
        self.decoder = build_prompted_decoder(config, backbone.width)
        self.complete(*_objectives(config, backbone))
        self.visual.backbone.copy_to_prior()

    @property
    def rotated_tasks(self) -> tuple[str, ...]:
        """Return all tasks: each has a head of its own on the features of the backbone."""
        return tuple(task.name for task in self.tasks)

    @property
    def states_objective(self) -> StatesObjective:
        """Return the task that keeps the priors of logit adjustment, of both studies."""
        findings = self.objectives["findings"]
        if isinstance(findings, PairedStatesObjective):
            return findings.current
        return cast(StatesObjective, findings)

    def encode(self, inputs: Inputs) -> PairedTokens:
        """Return the patches of all current views, compared with the prior ones, and the prompt."""
        tokens: PairedTokens = self.visual(inputs)
        tokens["prompt"] = self.prompt_of(tokens["states"], inputs.labels)
        return tokens


def _build_backbone(config: DDaTRConfig) -> StagedBackbone:
    widths, depths = config.backbone_widths, config.backbone_depths
    if config.backbone == "swin" and len(widths) == len(depths):
        return Swin(widths, depths, config.backbone_window, config.backbone_drop_path)
    if config.backbone not in _STAGED:
        raise ValueError(
            f"the backbone of ddatr must be one of {_STAGED}, whose two streams can meet after "
            f"every stage, got {config.backbone!r}"
        )
    return cast(StagedBackbone, build_backbone(config.backbone, widths, depths))


def _build_prior_text(config: DDaTRConfig) -> PriorTextEncoder:
    size = PriorTextSize(
        config.prior_text_width,
        config.prior_text_layers,
        config.prior_text_heads,
        config.prior_text_hidden,
        config.prior_text_tokens,
    )
    return PriorTextEncoder(
        config.vocab_size,
        config.pad_token_id,
        size,
        frozen=config.prior_text_frozen,
        dropout=config.dropout,
    )


def _objectives(config: DDaTRConfig, backbone: StagedBackbone) -> list[Objective]:
    before = _prior_stream(config, backbone)
    compared = before | {f"{_STREAM}.current", f"{_STREAM}.difference"}
    embedding = {f"{_STREAM}.current.{name}" for name in backbone.embedding_modules}
    prior = frozenset({f"{_STREAM}.prior", "visual.prior_head"}) | before
    report = ReportObjective(
        config.report_weight,
        config.pad_token_id,
        compared | {"decoder"},
        smoothing=config.label_smoothing,
    )
    current = StatesObjective(
        config.findings_weight, len(config.label_names), compared | {"visual.head"}
    )
    if config.findings_prior:
        weight = config.findings_prior_weight
        return [report, current, PriorStatesObjective(weight, current, prior | embedding)]
    both = compared | {"visual.head"} | prior
    return [report, PairedStatesObjective(current, both, paper_code=config.paper_code)]


def _prior_stream(config: DDaTRConfig, backbone: StagedBackbone) -> frozenset[str]:
    """Return the modules of the prior stream that the current one sees through."""
    stages = {f"{_STREAM}.prior.{name}" for name in backbone.stage_modules}
    text = set() if config.prior_text_frozen else {"visual.prior_text"}
    return frozenset(stages | text | {f"{_STREAM}.text"})


def _check(config: DDaTRConfig) -> None:
    sizes = ("width", "layers", "heads", "hidden", "tokens")
    least: dict[str, Any] = {f"prior_text_{name}": 1 for name in sizes}
    check_prompted(config, "ddatr", fusion_heads=1, **least)
    if config.prior_text_width % config.prior_text_heads:
        raise ValueError(
            "prior_text_width must be a multiple of prior_text_heads, "
            f"got {config.prior_text_width} and {config.prior_text_heads}"
        )
    if config.difference_norm not in get_args(DifferenceNorm):
        raise ValueError(
            f"difference_norm must be one of {get_args(DifferenceNorm)}, "
            f"got {config.difference_norm!r}"
        )
    if config.findings_prior and config.findings_prior_weight <= 0:
        raise ValueError(
            f"findings_prior_weight must be above 0, got {config.findings_prior_weight}; "
            "leave the task out by findings_prior = false"
        )
