"""The contract of a report-generation method: losses, generation, attention, side effects.

A method is a `transformers` `PreTrainedModel` with its own config, so that `save_pretrained`,
`from_pretrained` (safetensors) and `generate` are the ones users know. `forward` is the only way
to the losses: compilation, DDP, FSDP2, checkpointing and trainers all hook it.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import ClassVar, Literal, get_args

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from transformers.utils.generic import ModelOutput

from gradtruce.data.batch import Batch

PRIMARY_TASK = "report"
FINDINGS_TASK = "findings"

Search = Literal["transformers", "published"]


@dataclass(frozen=True)
class TaskSpec:
    """One loss of a method.

    Attributes:
        name: Key in `ReportOutput.losses`; the primary task is always called "report".
        weight: Static weight of linear scalarization, as published where the method is.
        role: The primary task generates the report; all others are auxiliary.
        needs: Fields of the batch that must be there besides images and tokens.
        start_epoch: First epoch, from 0, in which the task is active.
        reach: Modules, by dotted name, whose parameters its gradient reaches, and no others.
        is_batch_coupled: Its loss compares the studies of a batch with each other. Split over
            micro-batches or ranks it is another loss, and a batch of one study has none.
    """

    name: str
    weight: float
    role: Literal["primary", "auxiliary"]
    needs: frozenset[str] = frozenset()
    start_epoch: int = 0
    reach: frozenset[str] = frozenset()
    is_batch_coupled: bool = False


@dataclass
class ReportOutput(ModelOutput):
    """What `forward` returns.

    Attributes:
        losses: Unweighted scalar of every task that has targets in this batch.
        logits: Next-token scores; position t scores token t + 1 of `input_ids`.
        findings_logits: Score of each of the 14 observations, where the method has such a head.
    """

    losses: dict[str, Tensor] = field(default_factory=dict)
    logits: Float[Tensor, "batch tokens vocabulary"] | None = None
    findings_logits: Float[Tensor, "batch observations"] | None = None


@dataclass(frozen=True)
class Decoding:
    """How reports are generated; kept with every prediction file.

    Attributes:
        beams: Beam width; 1 is greedy.
        length_penalty: Exponent of the length by which a beam's log-probability is divided.
        max_tokens: Most tokens generated, end token included.
        search: "transformers", or "published", the beam search of R2Gen's code and those built on
            it, which knows no length penalty and no smallest length.
        min_tokens: Fewest tokens before the end token; what a method is told before the first word
            does not count.

    Raises:
        ValueError: If the search is unknown, or is asked for what it has not, or no length is
            allowed.

    >>> Decoding(search="published", length_penalty=1.0)
    Traceback (most recent call last):
    ValueError: the published search has no length penalty, got 1.0; set it to 0
    """

    beams: int = 3
    length_penalty: float = 0.0
    max_tokens: int = 60
    search: Search = "transformers"
    min_tokens: int = 0

    def __post_init__(self) -> None:
        """Check what goes together."""
        if self.search not in get_args(Search):
            raise ValueError(f"search must be one of {get_args(Search)}, got {self.search!r}")
        if self.search == "published" and self.length_penalty:
            raise ValueError(
                f"the published search has no length penalty, got {self.length_penalty}; "
                "set it to 0"
            )
        if self.search == "published" and self.min_tokens:
            raise ValueError(
                f"the published search has no smallest length, got {self.min_tokens}; set it to 0"
            )
        if not 0 <= self.min_tokens < self.max_tokens:
            raise ValueError(
                "min_tokens must be at least 0 and below max_tokens, got "
                f"{self.min_tokens} and {self.max_tokens}"
            )


@dataclass(frozen=True, eq=False)
class Generated:
    """Reports for a batch.

    Attributes:
        texts: Words only, special tokens left out.
        ids: Generated tokens from bos on, padded.
        findings: Probability of each of the 14 observations, where the method has such a head.
    """

    texts: tuple[str, ...]
    ids: Int[Tensor, "batch tokens"]
    findings: Float[Tensor, "batch observations"] | None


@dataclass(frozen=True, eq=False)
class Validation:
    """What a validation found; a method learns its priors from it.

    Attributes:
        scores: By flat name; `None` where one can't be computed.
        findings: Predicted probability of each of the 14 observations, where the method has such a
            head.
        labels: 1, 0, -1 or NaN, in the same order of studies.
    """

    scores: Mapping[str, float | None]
    findings: Float[Tensor, "studies observations"] | None
    labels: Float[Tensor, "studies observations"]


class ReportMethod(ABC):
    """Interface of every method; a method derives from this and from `PreTrainedModel`."""

    method_name: ClassVar[str]

    @property
    @abstractmethod
    def tasks(self) -> tuple[TaskSpec, ...]:
        """Return the tasks in fixed order, primary first."""

    @abstractmethod
    def forward(
        self,
        pixel_values: Float[Tensor, "batch views 3 height width"],
        view_mask: Bool[Tensor, "batch views"],
        input_ids: Int[Tensor, "batch tokens"],
        labels: Float[Tensor, "batch observations"] | None = None,
        clusters: Int[Tensor, " batch"] | None = None,
        normalizers: Mapping[str, Tensor] | None = None,
        retrieved: Float[Tensor, "batch neighbours features"] | None = None,
        prior_pixel_values: Float[Tensor, "batch prior_views 3 height width"] | None = None,
        prior_mask: Bool[Tensor, "batch prior_views"] | None = None,
        prior_input_ids: Int[Tensor, "batch prior_tokens"] | None = None,
        prior_labels: Float[Tensor, "batch observations"] | None = None,
    ) -> ReportOutput:
        """Return the losses of all tasks that have targets.

        Args:
            pixel_values: Normalised images.
            view_mask: False where a view is absent; an absent view changes nothing.
            input_ids: bos, report, eos, pad.
            labels: 1, 0, -1 or NaN for each observation; `None` leaves out tasks that need them.
            clusters: Cluster of each report, -1 where it has none; `None` as with labels.
            normalizers: For every task whose loss is a mean, the count it is divided by: the global
                count over all micro-batches and ranks, divided by the number of ranks. `None` takes
                the local count, right for one rank and one micro-batch only.
            retrieved: Text features of the nearest training reports.
            prior_pixel_values: Images of each study's prior study; a method that knows no priors
                takes no notice of these four.
            prior_mask: False where the prior, or a view of it, is absent.
            prior_input_ids: Report of the prior; all pad where there is no prior.
            prior_labels: As `labels`; NaN where there is no prior.
        """

    @abstractmethod
    def loss_counts(self, batch: Batch) -> dict[str, Tensor]:
        """Return, for every task, how many terms of this batch its loss averages over."""

    @abstractmethod
    def generate_reports(self, batch: Batch, decoding: Decoding) -> Generated:
        """Generate one report a study."""

    @abstractmethod
    def attention(
        self, batch: Batch, ids: Int[Tensor, "batch tokens"]
    ) -> Float[Tensor, "batch tokens views height width"]:
        """Return where each token looks: one teacher-forced pass with explicit softmax.

        Entry t belongs to token t of `ids` (bos and pad get zeros); every other token's map sums
        to 1 over the present views.
        """

    @abstractmethod
    def cam(self, batch: Batch) -> Float[Tensor, "batch observations views height width"] | None:
        """Return how much each place speaks for each of the 14 observations; `None` without a head.

        The class activation maps of the head on the visual features, at least 0, and 0 all over an
        absent view. Two maps of one study share a scale; two methods need not.
        """

    @abstractmethod
    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Return all trainable parameters, each once, as "backbone" and "rest"."""

    @abstractmethod
    def on_step_end(self, batches: Sequence[Batch]) -> None:
        """Update queues and momentum copies, once after each optimizer step.

        Args:
            batches: The micro-batches of the step.
        """

    @abstractmethod
    def on_epoch_end(self, validation: Validation) -> None:
        """Update priors and schedules, once after each epoch.

        What is generated must not change by it: the best checkpoint is saved after it.

        Args:
            validation: The last one there was.
        """

    @abstractmethod
    def before_training(self, labels: Float[Tensor, "studies observations"]) -> None:
        """Take what must be known of the training studies, once before the first step.

        Args:
            labels: Of all training studies: 1, 0, -1 or NaN.
        """


def model_inputs(batch: Batch) -> dict[str, torch.Tensor]:
    """Return the keyword arguments of `forward` that a batch holds."""
    held = {field.name: getattr(batch, field.name) for field in fields(batch)}
    return {name: value for name, value in held.items() if isinstance(value, Tensor)}


def waiting_tasks(tasks: Collection[TaskSpec], epoch: int) -> frozenset[str]:
    """Return the tasks that start in a later epoch; a training loop leaves out their losses.

    >>> late = TaskSpec("contrast", 0.2, "auxiliary", start_epoch=2)
    >>> sorted(waiting_tasks([late], epoch=1)), sorted(waiting_tasks([late], epoch=2))
    (['contrast'], [])
    """
    return frozenset(task.name for task in tasks if epoch < task.start_epoch)
