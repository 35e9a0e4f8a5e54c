"""What the methods have in common whose decoder is prompted by the states of the findings."""

from abc import abstractmethod
from typing import Any, ClassVar, Final, cast, no_type_check

from jaxtyping import Float, Int
from torch import Tensor

from gradtruce.methods.base import Validation
from gradtruce.methods.blocks.architecture import EncoderDecoderConfig, check_config
from gradtruce.methods.blocks.cache import ReportCache
from gradtruce.methods.blocks.decoder import Written
from gradtruce.methods.blocks.encoder_decoder import EncoderDecoderMethod
from gradtruce.methods.blocks.prompted_decoder import PromptedDecoder
from gradtruce.methods.blocks.state_head import states_of
from gradtruce.methods.blocks.states_objective import StatesObjective, labelled_studies
from gradtruce.methods.blocks.visual import VisualTokens

_WITHOUT_MEANING: Final[dict[str, Any]] = {
    "visual_dropout": 0.0,
    "visual_positions": "none",
    "published_norm": False,
    "uncertain": "negative",
}
"""Options of other methods that these have no use for, and the values that they keep."""


@no_type_check  # of the test hook: transformers passes keys that are no fields, such as model_type
class StatePromptedConfig(EncoderDecoderConfig):  # type: ignore[no-untyped-call]  # of transformers
    """The configuration that methods with a prompted decoder share.

    Attributes:
        width: Size of the token vectors of the decoder, which is as large as BERT-base.
        heads: Heads of every attention of the decoder.
        layers: Layers of the decoder; there is no encoder.
        hidden: Size of the feed-forward layers of the decoder.
        visual_dropout: Without meaning here; must be left at 0.
        published_norm: Must be left at false: the norms are BERT's.
        positions: Most tokens the decoder can hold: bos, a state for every observation, words.
        label_smoothing: Share of the target that is spread over all words, in the report's loss.
        findings_weight: Static weight of the task "findings".
    """

    model_type: ClassVar[str] = "gradtruce_state_prompted"

    width: int = 768
    heads: int = 12
    layers: int = 12
    hidden: int = 3072
    visual_dropout: float = 0.0
    published_norm: bool = False
    positions: int = 512
    label_smoothing: float = 0.1
    findings_weight: float = 4.0


class StatePromptedMethod(EncoderDecoderMethod):  # type: ignore[no-untyped-call]  # of transformers
    """Base of the methods whose decoder is told a state of every finding before the first word.

    In training the prompt is of the true states, outside of the predicted ones; so is that of a
    study without any label.
    """

    config: StatePromptedConfig
    decoder: PromptedDecoder

    @property
    @abstractmethod
    def states_objective(self) -> StatesObjective:
        """Return the task that keeps the priors of logit adjustment."""

    @property
    def longest_report(self) -> int:
        """Return what the positions leave to a report; its end is written but never read."""
        return self.config.positions - len(self.config.label_names) + 1

    def decode(
        self,
        ids: Int[Tensor, "batch tokens"],
        visual: VisualTokens,
        cache: ReportCache | None = None,
        explained: int | None = None,
    ) -> Written:
        """Return the scores of the word that follows each of `ids`; states are no words."""
        written: Written = self.decoder(
            ids,
            visual.last_hidden_state,
            visual.token_mask,
            cache,
            prompt=cast(Any, visual).prompt,
            explained=explained,
        )
        words = cast(Tensor, written.logits)[..., : self.config.vocab_size]
        return Written(words, written.states, written.words, written.looks)

    def before_training(self, labels: Float[Tensor, "studies observations"]) -> None:
        """Take the prior of the findings from how often each is positive."""
        self.states_objective.start(labels)

    def on_epoch_end(self, validation: Validation) -> None:
        """Take the prior of the findings from how well each was seen."""
        if validation.findings is not None:
            self.states_objective.update(validation.findings, validation.labels)

    def prompt_of(
        self,
        states: Float[Tensor, "batch observations 4"],
        labels: Float[Tensor, "batch observations"] | None,
    ) -> Int[Tensor, "batch observations"]:
        """Return the states that the decoder is told."""
        prompt = states.argmax(dim=-1)
        if not self.training or labels is None:
            return prompt
        return states_of(labels).where(labelled_studies(labels).unsqueeze(1), prompt)


def build_prompted_decoder(config: StatePromptedConfig, visual_width: int) -> PromptedDecoder:
    """Return the decoder that a configuration describes.

    >>> config = StatePromptedConfig(width=8, heads=2, layers=1, hidden=16)
    >>> build_prompted_decoder(config, visual_width=6).positions.num_embeddings
    512
    """
    return PromptedDecoder(
        config.vocab_size,
        layers=config.layers,
        width=config.width,
        heads=config.heads,
        hidden=config.hidden,
        visual_width=visual_width,
        positions=config.positions,
        dropout=config.dropout,
    )


def check_prompted(config: StatePromptedConfig, name: str, **least: int) -> None:
    """Check the fields that these methods have, and numbers of one that have a smallest value.

    Raises:
        ValueError: If a field has a value that it can't have.

    >>> check_prompted(StatePromptedConfig(findings_weight=0.0), "ddatr")
    Traceback (most recent call last):
    ValueError: findings_weight must be above 0, because the predicted findings are the prompt, ...
    """
    prompted = len(config.label_names) + 2  # bos, a state for every observation, one word
    check_config(config, positions=prompted, **least)
    for option, value in _WITHOUT_MEANING.items():
        if getattr(config, option) != value:
            raise ValueError(
                f"{option} has no meaning for {name}: leave it out, got {getattr(config, option)!r}"
            )
    if not 0 <= config.label_smoothing < 1:
        raise ValueError(
            f"label_smoothing must be at least 0 and below 1, got {config.label_smoothing}"
        )
    if config.findings_weight <= 0:
        raise ValueError(
            "findings_weight must be above 0, because the predicted findings are the prompt, "
            f"got {config.findings_weight}"
        )
