"""What all methods with a visual encoder and a report decoder have in common."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import cast, final

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from transformers import GenerationConfig

from gradtruce.data.batch import Batch
from gradtruce.gradients.rotations import Rotations
from gradtruce.methods.base import Decoding, Generated, ReportOutput, TaskSpec, Validation
from gradtruce.methods.blocks.architecture import EncoderDecoderConfig
from gradtruce.methods.blocks.backbone import Backbone
from gradtruce.methods.blocks.cache import ReportCache
from gradtruce.methods.blocks.decoder import Written
from gradtruce.methods.blocks.full_precision import in_float32
from gradtruce.methods.blocks.inputs import Inputs
from gradtruce.methods.blocks.objectives import Objective, Outputs, Targets
from gradtruce.methods.blocks.pretrained import PretrainedMethod, evaluating, generation_config
from gradtruce.methods.blocks.published_beam import CachedSteps, published_beam
from gradtruce.methods.blocks.visual import EncodingModule, VisualPart, VisualTokens


class EncoderDecoderMethod(PretrainedMethod):
    """Base of the methods made of a visual part, a decoder and objectives.

    A method makes its parts in `__init__` and ends it with `complete(...)`. It says in `encode` how
    a study becomes visual tokens, and in `decode` how these and the words so far become scores. All
    else follows: losses of the objectives that have targets, their counts, generation, attention,
    parameter groups. Side effects, where there are any, go into `before_training`, `on_step_end`
    and `on_epoch_end`, which do nothing here.
    """

    config: EncoderDecoderConfig
    visual: VisualPart
    decoder: nn.Module

    @abstractmethod
    def encode(self, inputs: Inputs) -> VisualTokens:
        """Return all that decoder and losses are told of the studies.

        Every tensor of the answer has studies in front: `generate` repeats them, one row a beam.
        """

    @abstractmethod
    def decode(
        self,
        ids: Int[Tensor, "batch tokens"],
        visual: VisualTokens,
        cache: ReportCache | None = None,
        explained: int | None = None,
    ) -> Written:
        """Return the scores of the token that follows each of `ids`.

        Args:
            ids: The reports from bos on; with a filled cache, only the tokens that are new.
            visual: What `encode` returned.
            cache: Read and filled in a step of `generate`; never in training.
            explained: Layer whose visual attention is wanted as `Written.looks`.
        """

    def complete(self, *objectives: Objective) -> None:
        """Take the objectives, primary first, and let all weights start."""
        self.objectives = nn.ModuleDict({each.spec.name: each for each in objectives})
        if self.config.rotations is not None:
            self.visual.rotations = Rotations(width=self.backbone.width, **self.config.rotations)
        self.generation_config = self.decoding_options(Decoding())
        self.post_init()  # type: ignore[no-untyped-call]  # of transformers

    @property
    @final
    def tasks(self) -> tuple[TaskSpec, ...]:
        """Return the tasks in fixed order, primary first."""
        return tuple(each.spec for each in self._objectives())

    def forward(
        self,
        pixel_values: Float[Tensor, "batch views 3 height width"] | None = None,
        view_mask: Bool[Tensor, "batch views"] | None = None,
        input_ids: Int[Tensor, "batch tokens"] | None = None,
        labels: Float[Tensor, "batch observations"] | None = None,
        clusters: Int[Tensor, " batch"] | None = None,
        normalizers: Mapping[str, Tensor] | None = None,
        retrieved: Float[Tensor, "batch neighbours features"] | None = None,
        prior_pixel_values: Float[Tensor, "batch prior_views 3 height width"] | None = None,
        prior_mask: Bool[Tensor, "batch prior_views"] | None = None,
        prior_input_ids: Int[Tensor, "batch prior_tokens"] | None = None,
        prior_labels: Float[Tensor, "batch observations"] | None = None,
        encoder_outputs: VisualTokens | None = None,
        past_key_values: ReportCache | None = None,
        return_dict: bool = True,
    ) -> ReportOutput:
        """Return losses and scores, or in a step of `generate` the scores alone.

        Arguments are those of `ReportMethod.forward`. `generate` passes the encoded views, its
        cache and `return_dict` instead of images.

        Raises:
            ValueError: If images or tokens are missing.
        """
        if encoder_outputs is not None and input_ids is not None:
            written = self.decode(input_ids, encoder_outputs, past_key_values)
            return ReportOutput(logits=written.logits)
        if pixel_values is None or view_mask is None or input_ids is None:
            raise ValueError("forward needs pixel_values, view_mask and input_ids")
        targets = Targets(input_ids, labels, clusters, prior_labels)
        counts = self._counts(targets) if normalizers is None else normalizers
        active = [
            each
            for each in self._objectives()
            if each.is_given(targets) and each.has_targets(targets)
        ]
        visual = self.encode(
            Inputs(
                pixel_values,
                view_mask,
                labels,
                retrieved,
                prior_pixel_values,
                prior_mask,
                prior_input_ids,
                prior_labels,
            )
        )
        written = self.decode(input_ids[:, :-1], visual)
        outputs = Outputs(in_float32(visual), in_float32(written))
        with torch.autocast(input_ids.device.type, enabled=False):
            losses = {
                each.spec.name: each(outputs, targets, counts[each.spec.name]) for each in active
            }
        return ReportOutput(losses, written.logits, visual.findings)

    @final
    def loss_counts(self, batch: Batch) -> dict[str, Tensor]:
        """Return, for every task, how many terms of this batch its loss averages over."""
        return self._counts(
            Targets(batch.input_ids, batch.labels, batch.clusters, batch.prior_labels)
        )

    @final
    def generate_reports(self, batch: Batch, decoding: Decoding) -> Generated:
        """Generate one report a study; images are encoded once."""
        tokenizer = self.require_tokenizer()
        with evaluating(self):
            visual = self.encode(Inputs.of(batch))
            scores = in_float32(visual).findings
            if decoding.search == "published":
                ids = self._published_ids(visual, decoding)
            else:
                ids = self.generate_ids(visual, self.decoding_options(decoding))
        texts = tokenizer.batch_decode(ids, skip_special_tokens=True)
        return Generated(tuple(texts), ids, None if scores is None else scores.sigmoid())

    @final
    def attention(
        self, batch: Batch, ids: Int[Tensor, "batch tokens"]
    ) -> Float[Tensor, "batch tokens views height width"]:
        """Return the visual attention of the last decoder layer, averaged over heads.

        What visual tokens without a place get, such as that of the findings, is left out.
        """
        with evaluating(self):
            visual = self.encode(Inputs.of(batch))
            written = self.decode(ids[:, :-1], visual, explained=self.config.layers - 1)
        looks = cast(Tensor, written.looks).mean(dim=1)
        rows, columns = cast(tuple[int, int], visual.grid)
        looks = looks[..., : batch.view_mask.shape[1] * rows * columns]
        looks = nn.functional.pad(looks / looks.sum(dim=-1, keepdim=True), (0, 0, 1, 0))
        looks = looks * (ids != self.config.pad_token_id).unsqueeze(-1)
        return looks.view(*ids.shape, batch.view_mask.shape[1], rows, columns)

    @final
    def cam(self, batch: Batch) -> Float[Tensor, "batch observations views height width"] | None:
        """Return the class activation maps of the findings head, where there is one."""
        with evaluating(self):
            return self.visual.cam(Inputs.of(batch))

    @final
    def place_rotations(self, rotations: Rotations) -> None:
        """Put rotations between backbone and heads; they are saved and loaded with the method."""
        self.visual.rotations = rotations
        self.config.rotations = {
            "tasks": list(rotations.tasks),
            "rot_dim": rotations.rot_dim,
            "by": rotations.by,
        }

    @property
    @final
    def backbone(self) -> Backbone:
        """Return the visual backbone."""
        return self.visual.backbone

    @final
    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Return the parameters of the visual backbone, and all others."""
        backbone = list(self.backbone.parameters())
        known = {id(parameter) for parameter in backbone}
        rest = [parameter for parameter in self.parameters() if id(parameter) not in known]
        return {"backbone": backbone, "rest": rest}

    def on_step_end(self, batches: Sequence[Batch]) -> None:
        """Do nothing; a method with a queue or a momentum copy says otherwise."""

    def on_epoch_end(self, validation: Validation) -> None:
        """Do nothing; a method with a prior or a schedule says otherwise."""

    def before_training(self, labels: Float[Tensor, "studies observations"]) -> None:
        """Do nothing; a method with a prior says otherwise."""

    @final
    def get_encoder(self, modality: str | None = None) -> EncodingModule:
        """Return `encode` as the module that `generate` runs once."""
        return EncodingModule(self.encode)

    @final
    def decoding_options(self, decoding: Decoding) -> GenerationConfig:
        """Return what `generate` needs to decode as asked."""
        config = self.config
        return generation_config(
            decoding, pad=config.pad_token_id, bos=config.bos_token_id, eos=config.eos_token_id
        )

    def _published_ids(self, visual: VisualTokens, decoding: Decoding) -> Tensor:
        def scores(ids: Tensor, encoded: VisualTokens, cache: ReportCache) -> Tensor:
            return cast(Tensor, in_float32(self.decode(ids, encoded, cache)).logits)

        config, mask = self.config, cast(Tensor, visual.token_mask)
        never = (config.pad_token_id, config.bos_token_id)
        return published_beam(
            CachedSteps(scores, visual, never),
            torch.full((len(mask),), config.bos_token_id, device=mask.device),
            beams=decoding.beams,
            steps=decoding.max_tokens,
            eos=config.eos_token_id,
            pad=config.pad_token_id,
        )

    def _counts(self, targets: Targets) -> dict[str, Tensor]:
        return {
            each.spec.name: each.count(targets)
            for each in self._objectives()
            if each.is_given(targets)
        }

    def _objectives(self) -> list[Objective]:
        return [cast(Objective, each) for each in self.objectives.values()]
