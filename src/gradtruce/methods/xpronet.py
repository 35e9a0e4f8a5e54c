"""XProNet: cross-modal prototypes, chosen by the labels of a study (Wang et al. 2022).

Differences from the paper, each on purpose: the labels that choose prototypes are predicted when a
report is generated, by a findings head of ours; the oracle is asked for by name. Responses are
averaged over present views and real words. Absent views are masked and hold no positions; pad, bos
and eos are three tokens, not one.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Final, Literal, cast, final, get_args, no_type_check

from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from gradtruce.methods.blocks.architecture import (
    REPORT_REACH,
    EncoderDecoderConfig,
    build_decoder,
    build_visual,
    check_config,
)
from gradtruce.methods.blocks.cache import ReportCache
from gradtruce.methods.blocks.decoder import ReportDecoder, Written
from gradtruce.methods.blocks.encoder_decoder import EncoderDecoderMethod
from gradtruce.methods.blocks.findings import FindingsHead
from gradtruce.methods.blocks.inputs import Inputs
from gradtruce.methods.blocks.label_contrast import LabelContrastObjective
from gradtruce.methods.blocks.label_prediction import LabelPredictionObjective
from gradtruce.methods.blocks.losses import UncertainPolicy
from gradtruce.methods.blocks.objectives import (
    Objective,
    Outputs,
    ReportObjective,
    Targets,
)
from gradtruce.methods.blocks.positions import VisualPositions
from gradtruce.methods.blocks.prototypes import (
    ChosenPrototypes,
    Fusing,
    Prototypes,
    no_finding_column,
    selected_observations,
)
from gradtruce.methods.blocks.task_views import task_views
from gradtruce.methods.blocks.view_features import ViewFeatures
from gradtruce.methods.blocks.visual import VisualEncoder, VisualTokens, pool
from gradtruce.methods.blocks.xavier import XavierLinear

SelectingLabels = Literal["predicted", "oracle"]
"""Where the labels come from that choose prototypes when a report is generated."""

ORACLE: Final = "the labels of the reference report (oracle)"
"""What is kept with scores of reports that were generated from more than images."""


@final
@no_type_check  # of the test hook: transformers passes keys that are no fields, such as model_type
class XProNetConfig(EncoderDecoderConfig):  # type: ignore[no-untyped-call]  # of transformers
    """Architecture of XProNet; defaults are those of the published code, but for the labels.

    Attributes:
        visual_positions: As in the base; the published code numbers the tokens of both views.
        uncertain: As in the base; the published labels count uncertain as positive.
        prototypes: Prototypes of each observation.
        prototypes_read: Prototypes that each head of a query reads.
        image_features: Size of the image part of a prototype.
        text_features: Size of the text part.
        image_contrast_weight: Static weight of the task "image_contrast".
        text_contrast_weight: Static weight of the task "text_contrast".
        findings_weight: Static weight of the task "findings", ours; 0 leaves out task and head.
        selecting_labels: What chooses prototypes outside training: "predicted", the findings head,
            or "oracle", the labels of the reference report, as published. Scores under the oracle
            are not those of a system that sees images alone.
        findings_threshold: Probability from which on a predicted observation is chosen.
        paper_code: Average responses over the pads of a report too, as the published code does.

    >>> XProNetConfig(vocab_size=100, width=64).prototypes
    20
    """

    model_type: ClassVar[str] = "gradtruce_xpronet"

    visual_positions: VisualPositions = "sequence"
    uncertain: UncertainPolicy = "positive"
    prototypes: int = 20
    prototypes_read: int = 15
    image_features: int = 2048
    text_features: int = 768
    image_contrast_weight: float = 1.0
    text_contrast_weight: float = 0.1
    findings_weight: float = 4.0
    selecting_labels: SelectingLabels = "predicted"
    findings_threshold: float = 0.5
    paper_code: bool = False


@dataclass
class PrototypeTokens(VisualTokens):
    """Visual tokens, and the prototypes of each study, which the words ask too.

    Attributes:
        slot_keys: Of all prototypes, split into heads.
        slot_values: As `slot_keys`.
        is_chosen: Which prototypes the study may read.
        responses: What each projected visual token read.
    """

    slot_keys: Float[Tensor, "batch heads prototypes size"] | None = None
    slot_values: Float[Tensor, "batch heads prototypes size"] | None = None
    is_chosen: Bool[Tensor, "batch prototypes"] | None = None
    responses: Float[Tensor, "batch tokens width"] | None = None


@dataclass
class PrototypeWritten(Written):
    """What the decoder makes of reports.

    Attributes:
        responses: What each embedded word read.
    """

    responses: Float[Tensor, "batch tokens width"] | None = None


@final
class XProNet(EncoderDecoderMethod):  # type: ignore[no-untyped-call]  # of transformers
    """Report generation with prototypes shared by both modalities and chosen by labels.

    In training the labels of the batch choose; outside, what `selecting_labels` says. A study
    without any positive label reads the prototypes of No Finding.

    >>> import torch
    >>> config = XProNetConfig(
    ...     vocab_size=20, backbone="compact", backbone_widths=[8, 16], backbone_depths=[1, 1],
    ...     width=8, heads=2, layers=1, hidden=16, prototypes=4, prototypes_read=3)
    >>> model = XProNet(config)
    >>> images, mask = torch.zeros(2, 2, 3, 32, 32), torch.ones(2, 2, dtype=torch.bool)
    >>> ids = torch.tensor([[1, 5, 6, 2], [1, 7, 2, 0]])
    >>> sorted(model(images, mask, ids, torch.zeros(2, 14)).losses)
    ['findings', 'image_contrast', 'report', 'text_contrast']
    """

    method_name = "xpronet"
    config_class = XProNetConfig
    config: XProNetConfig
    visual: VisualEncoder
    decoder: ReportDecoder

    def __init__(self, config: XProNetConfig) -> None:
        super().__init__(config)
        _check(config)
        names = config.label_names
        self.otherwise = no_finding_column(names)
        self.visual = build_visual(config, has_findings=config.findings_weight > 0)
        self.prototypes = Prototypes(
            len(names),
            config.prototypes,
            config.image_features + config.text_features,
            config.width,
            config.heads,
            config.prototypes_read,
            config.dropout,
        )
        self.visual_fusion = nn.Linear(2 * config.width, config.width)
        self.word_fusion = XavierLinear(2 * config.width, config.width)
        self.decoder = build_decoder(config)
        self.complete(*_objectives(config, self.otherwise))

    @property
    def untold(self) -> str:
        """Return how the findings head, or one that is yet to be trained, is made to choose."""
        if not self.told:
            return ""
        if self.visual.findings is not None:
            return (
                'set "selecting_labels": "predicted" in its config.json: its findings head chooses'
            )
        return (
            'train one that has a findings head (method.options: selecting_labels = "predicted", '
            "findings_weight = 4.0), with this one in method.start_from"
        )

    @property
    def told(self) -> str:
        """Return that the labels of the reference choose prototypes, where they do."""
        return ORACLE if self.config.selecting_labels == "oracle" else ""

    def encode(self, inputs: Inputs) -> PrototypeTokens:
        """Return the encoded views, each projected token fused with its response."""
        seen = self.visual.look(inputs.pixel_values, inputs.view_mask)
        chosen = self.prototypes.choose(self._observations(seen, inputs.labels))
        fusing = Fusing(self.prototypes, chosen, self.visual_fusion)
        tokens = self.visual.encoder(self.visual.project(seen, fusing), seen.token_mask)
        studies = len(seen.view_mask)
        return PrototypeTokens(
            **self.visual.tell(task_views(seen, None), tokens),
            slot_keys=chosen.keys.expand(studies, -1, -1, -1),
            slot_values=chosen.values.expand(studies, -1, -1, -1),
            is_chosen=chosen.is_chosen,
            responses=fusing.responses,
        )

    def decode(
        self,
        ids: Int[Tensor, "batch tokens"],
        visual: VisualTokens,
        cache: ReportCache | None = None,
        explained: int | None = None,
    ) -> PrototypeWritten:
        """Return the scores of the token after each of `ids`, words fused with their responses."""
        told = cast(PrototypeTokens, visual)
        chosen = ChosenPrototypes(
            _there(told.slot_keys), _there(told.slot_values), _there(told.is_chosen)
        )
        fusing = Fusing(self.prototypes, chosen, self.word_fusion)
        written: Written = self.decoder(
            ids,
            visual.last_hidden_state,
            visual.token_mask,
            cache,
            enrich=fusing,
            explained=explained,
        )
        return PrototypeWritten(**written, responses=fusing.responses)

    def _observations(
        self, seen: ViewFeatures, labels: Float[Tensor, "batch observations"] | None
    ) -> Bool[Tensor, "batch observations"]:
        """Return the observations whose prototypes each study may read."""
        config = self.config
        if config.selecting_labels == "predicted" and not self.training:
            head = cast(FindingsHead, self.visual.findings)
            scores, _ = head(pool(seen.features, seen.view_mask))
            labels = (scores.sigmoid() >= config.findings_threshold).to(scores.dtype)
        if labels is None:
            labels = seen.features.new_zeros(len(seen.view_mask), len(config.label_names))
        return selected_observations(labels, config.uncertain, self.otherwise)


def _check(config: XProNetConfig) -> None:
    check_config(config, prototypes=1, prototypes_read=1, image_features=1, text_features=1)
    known = get_args(SelectingLabels)
    if config.selecting_labels not in known:
        raise ValueError(
            f"selecting_labels must be one of {known}, got {config.selecting_labels!r}"
        )
    if config.findings_weight < 0:
        raise ValueError(f"findings_weight must be at least 0, got {config.findings_weight}")
    if config.selecting_labels == "predicted" and not config.findings_weight:
        raise ValueError(
            "predicted labels need a findings head that is trained: set findings_weight above 0, "
            'or selecting_labels = "oracle", which reads the labels of the reference report'
        )


def _objectives(config: XProNetConfig, otherwise: int) -> list[Objective]:
    read = frozenset({"prototypes"})
    labels: dict[str, Any] = {"uncertain": config.uncertain, "otherwise": otherwise}
    fused = REPORT_REACH | read | {"visual_fusion", "word_fusion"}
    pad = None if config.paper_code else config.pad_token_id
    found: list[Objective] = [
        ReportObjective(config.report_weight, config.pad_token_id, fused),
        LabelContrastObjective(
            "image_contrast",
            config.image_contrast_weight,
            _image_vectors,
            reach=read | {"visual.backbone", "visual.projection"},
            **labels,
        ),
        LabelContrastObjective(
            "text_contrast",
            config.text_contrast_weight,
            partial(_text_vectors, pad=pad),
            reach=read | {"decoder.embedding"},
            **labels,
        ),
    ]
    if config.findings_weight:
        reach = frozenset({"visual.backbone", "visual.findings.scores"})
        found.append(LabelPredictionObjective(config.findings_weight, reach=reach, **labels))
    return found


def _image_vectors(outputs: Outputs, _: Targets) -> Float[Tensor, "batch width"]:
    """Return the mean response of the tokens of present views."""
    seen = cast(PrototypeTokens, outputs.visual)
    return _mean(_there(seen.responses), _there(seen.token_mask))


def _text_vectors(
    outputs: Outputs, targets: Targets, *, pad: int | None
) -> Float[Tensor, "batch width"]:
    """Return the mean response of the words that a real token follows; of all without a pad."""
    responses = _there(cast(PrototypeWritten, outputs.written).responses)
    return (
        responses.mean(dim=1) if pad is None else _mean(responses, targets.input_ids[:, 1:] != pad)
    )


def _mean(
    rows: Float[Tensor, "batch rows width"], is_counted: Bool[Tensor, "batch rows"]
) -> Float[Tensor, "batch width"]:
    kept = rows.where(is_counted.unsqueeze(-1), 0.0)
    mean: Tensor = kept.sum(dim=1) / is_counted.sum(dim=1, keepdim=True)
    return mean


def _there(value: Tensor | None) -> Tensor:
    return cast(Tensor, value)
