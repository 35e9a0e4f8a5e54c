"""The configuration of one run: one model a concern, mirrored by the tables of a TOML file."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from gradtruce.data.text import CleaningMode
from gradtruce.training.presets import balance_preset, lay_over_preset, method_preset

Positive = Annotated[int, Field(gt=0)]
NotNegative = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, lt=1)]


Precision = Literal["fp32", "bf16", "fp16"]
Parallel = Literal["data", "sharded"]
Options = dict[str, Any]  # of a method or a balancer, checked where it is made
Weights = dict[str, Annotated[float, Field(gt=0)]]


class _Table(BaseModel):
    """A table of a TOML file: unknown keys are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class DataConfig(_Table):
    """Which studies are read, and how they become tensors.

    Attributes:
        path: Folder of a prepared data set, as `gradtruce prepare` writes it.
        image_size: Height and width of the images that the method sees, in pixels.
        views: Most views of a study that are used, the frontal one first.
        cleaning: How report text is cleaned: "clean", or as published codes do: "r2gen" (IU X-Ray),
            "r2gen_mimic" or "promptmrg".
        max_tokens: Most tokens of a report, begin and end included; longer ones are cut.
        tokenizer: "words", what stands between blanks; or "wordpiece", the pieces of BERT.
        vocabulary: File of the pieces of "wordpiece", such as the `vocab.txt` of bert-base-uncased;
            where not given they are trained on the training reports.
        vocabulary_size: Most pieces that are trained, special tokens included.
        clusters: File of report clusters, for the methods that need them; none where not given.
        retrieval: File of a retrieval bank, for the methods that need one; none where not given.
        neighbours: How many training reports are retrieved for a study.
        priors: Whether each study comes with its prior one, for the methods that compare the two.
        min_frequency: How often a word must occur in the training reports to be known, or two
            neighbouring pieces to become one.
        augmentation: "none", "crop" (random crop), "promptmrg" (and a rotation by up to 5 degrees),
            "camanet" (half of the views rotated by up to 10 degrees and scaled by up to a fifth),
            or "r2gen" (random crop and mirroring, which exchanges left and right while the report
            keeps them).
        bucket_by_length: Whether a batch holds reports of like length, which saves padding.
        workers: Processes that decode images; 0 decodes in the training process. They change
            nothing that a run sees.

    >>> DataConfig(path="runs/demo/data", image_size=96).views
    2
    """

    path: str
    image_size: Positive = 224
    views: Positive = 2
    cleaning: CleaningMode = "clean"
    max_tokens: Annotated[int, Field(gt=2)] = 60
    min_frequency: Positive = 3
    tokenizer: Literal["words", "wordpiece"] = "words"
    vocabulary: str | None = None
    vocabulary_size: Positive = 4096
    clusters: str | None = None
    retrieval: str | None = None
    neighbours: Positive = 21
    priors: bool = False
    augmentation: Literal["none", "crop", "promptmrg", "camanet", "r2gen"] = "none"
    bucket_by_length: bool = False
    workers: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _check_vocabulary(self) -> "DataConfig":
        if self.vocabulary is not None and self.tokenizer != "wordpiece":
            raise ValueError(
                "a vocabulary is of pieces, which the tokenizer 'words' has not; "
                "set tokenizer to 'wordpiece', or leave vocabulary out"
            )
        return self


class MethodConfig(_Table):
    """Which report-generation method is trained.

    Attributes:
        name: Name of the method.
        options: Fields of its configuration, such as `layers`.
        preset: Name of a method preset, such as "r2gen-tiny"; options given beside it win.
        backbone_weights: File of ImageNet weights for the backbone, by torchvision's names; for
            "swin" a file or folder in the layout of `transformers`.
        bert_weights: Folder or file of BERT weights in the layout of `transformers`, for the parts
            that start from BERT.
        start_from: Folders of saved methods or files of tensors whose weights, where the name is
            the same, replace the random ones; the last one wins.

    >>> MethodConfig(preset="r2gen-tiny", options={"layers": 1}).options["layers"]
    1
    """

    name: str = "r2gen"
    options: Options = {}
    preset: str | None = None
    backbone_weights: str | None = None
    bert_weights: str | None = None
    start_from: tuple[str, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _lay_over_preset(cls, given: Any) -> Any:  # a table, or what is wrongly there instead
        return lay_over_preset(given, method_preset)


class BalanceConfig(_Table):
    """How the task gradients become one update.

    Attributes:
        name: Name of the balancer, such as "linear" or "came_grad".
        options: Keyword arguments of its constructor.
        scope: The parameters that the balancer sees and acts on: those reached by two tasks or
            more, or all.
        weights: Static weight of every task; those of the method where empty.
        diagnostics: Keep the task gradients, for the log, of a balancer that does not need them.
        preset: Name of a published row of hyper-parameters, such as "came_grad-promptmrg-mimic";
            what is given beside it wins.

    >>> BalanceConfig(name="came_grad", options={"radius": 0.5}).scope
    'shared'
    """

    name: str = "linear"
    options: Options = {}
    scope: Literal["shared", "all"] = "shared"
    weights: Weights = {}
    diagnostics: bool = True
    preset: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _lay_over_preset(cls, given: Any) -> Any:  # a table, or what is wrongly there instead
        return lay_over_preset(given, balance_preset)


class LearningRateConfig(_Table):
    """Peak learning rates.

    Attributes:
        backbone: Of the image encoder.
        rest: Of all other parameters.

    >>> LearningRateConfig(backbone=5e-5, rest=1e-4).rest
    0.0001
    """

    backbone: Annotated[float, Field(ge=0)] = 1e-4
    rest: Annotated[float, Field(ge=0)] = 5e-4


class ScheduleConfig(_Table):
    """How the learning rates change over the run.

    Attributes:
        name: "constant", "cosine" (to `final`), "cosine_epochs" (the same, but constant within an
            epoch: the first has the peak, epoch e of E has what a cosine has at e / E), or "step"
            (times `factor` every `every` epochs).
        warm_up: Optimizer steps in which the rate rises linearly; those of "cosine_epochs" end with
            the first epoch.
        warm_up_epochs: The same in epochs; one of the two is 0.
        warm_up_from: Learning rate that it rises from, of backbone and rest alike.
        final: Last rate of a cosine as a share of the peak.
        every: Epochs between two changes of "step".
        factor: What "step" multiplies with.

    >>> ScheduleConfig(name="step", every=50, factor=0.1).warm_up
    0
    """

    name: Literal["constant", "cosine", "cosine_epochs", "step"] = "cosine"
    warm_up: NotNegative = 0
    warm_up_epochs: NotNegative = 0
    warm_up_from: Annotated[float, Field(ge=0)] = 0.0
    final: Annotated[float, Field(ge=0, le=1)] = 0.0
    every: Positive = 1
    factor: Annotated[float, Field(gt=0, le=1)] = 0.8

    @model_validator(mode="after")
    def _check_warm_up(self) -> "ScheduleConfig":
        if self.warm_up and self.warm_up_epochs:
            raise ValueError(
                f"a warm-up is {self.warm_up} steps or {self.warm_up_epochs} epochs long, not "
                "both; set one of warm_up and warm_up_epochs to 0"
            )
        return self


class ClipConfig(_Table):
    """How the final gradient is clipped; the same for every arm of a comparison.

    Attributes:
        kind: "norm" (of all parameters together), "value" (each entry), or "none".
        limit: Largest norm or largest absolute entry.

    >>> ClipConfig(kind="value", limit=0.1).limit
    0.1
    """

    kind: Literal["norm", "value", "none"] = "norm"
    limit: Annotated[float, Field(gt=0)] = 5.0


class DecodingConfig(_Table):
    """How reports are generated.

    Attributes:
        beams: Beam width; 1 is greedy.
        length_penalty: Exponent of the length that divides a beam's log-probability.
        max_tokens: Most tokens generated; as `data.max_tokens` where not given.
        min_tokens: Fewest tokens before the end.
        search: Beam search of "transformers", or "published": that of R2Gen's code.

    >>> DecodingConfig().beams
    3
    """

    beams: Positive = 3
    length_penalty: float = 0.0
    max_tokens: Annotated[int, Field(gt=1)] | None = None
    min_tokens: NotNegative = 0
    search: Literal["transformers", "published"] = "transformers"

    @model_validator(mode="after")
    def _check_penalty(self) -> "DecodingConfig":
        if self.search == "published" and self.length_penalty:
            raise ValueError("the published search has no length penalty; set length_penalty to 0")
        if self.search == "published" and self.min_tokens:
            raise ValueError("the published search has no smallest length; set min_tokens to 0")
        return self


class ValidationConfig(_Table):
    """When and on what a run is validated.

    Attributes:
        every: Optimizer steps between two validations; once an epoch where not given.
        studies: How many studies of the validation split are used, the first ones; all where not
            given.
        beams: Beam width of the validation reports.

    >>> ValidationConfig(every=100, studies=64).beams
    1
    """

    every: Positive | None = None
    studies: Positive | None = None
    beams: Positive = 1


class TrainingConfig(_Table):
    """How the parameters are optimized.

    Attributes:
        epochs: Passes over the training split.
        steps: Optimizer steps; where given, the run ends after them, whatever `epochs` says.
        batch_size: Studies in a micro-batch of one process. A step takes batch_size × accumulation
            × processes, from one order that does not depend on the number of processes.
        accumulation: Micro-batches in an optimizer step.
        parallel: How several processes (torchrun) share the method: "data", a copy each; or
            "sharded", a piece of each parameter (FSDP2). Without meaning for one process.
        precision: What layers compute in: "fp32", or where autocast holds it safe "bf16" or "fp16",
            in training, validation and test. Parameters, losses and optimizer stay in float32.
            "fp16" scales the losses, skips steps that overflow, and needs a GPU.
        optimizer: "adamw", "adam_amsgrad" (Adam with L2 penalty, as R2Gen has it), or "sgd", whose
            steps, unlike theirs, are as long as the gradient says.
        momentum: Of "sgd".
        learning_rate: Peak rates of backbone and rest.
        weight_decay: Decoupled for "adamw", an L2 penalty for the others.
        decayed: "all" parameters, or "matrices": no biases and no scales of normalisation.
        betas: Decay of the means of gradients and of their squares, of "adamw" and "adam_amsgrad".
        epsilon: Added to the root of the mean square, of the same.
        schedule: How the rates change.
        clip: How the final gradient is clipped.
        seed: Of parameters, data order, augmentation and dropout.
        validation: When and on what is validated.
        select: Flat name of the validation score that chooses the best checkpoint, or a sum of
            some, such as "nlg.bleu_4 + 0.5 * nlg.bleu_1".
        decoding: How the test reports are generated.
        checkpoint_every: Optimizer steps between two checkpoints, beside those at validations; none
            beside them where not given.
        null_every: Optimizer steps between two measurements of the null: cosines between gradients
            on disjoint halves of one batch; 0 for never.

    >>> TrainingConfig(steps=10).select
    'clinical.micro_13.uncertain_negative.f1'
    """

    epochs: Positive = 30
    steps: Positive | None = None
    batch_size: Positive = 16
    accumulation: Positive = 1
    parallel: Parallel = "data"
    precision: Precision = "fp32"
    optimizer: Literal["adamw", "adam_amsgrad", "sgd"] = "adamw"
    momentum: Share = 0.0
    learning_rate: LearningRateConfig = LearningRateConfig()
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    decayed: Literal["all", "matrices"] = "all"
    betas: tuple[Share, Share] = (0.9, 0.999)
    epsilon: Annotated[float, Field(gt=0)] = 1e-8
    schedule: ScheduleConfig = ScheduleConfig()
    clip: ClipConfig = ClipConfig()
    seed: NotNegative = 0
    validation: ValidationConfig = ValidationConfig()
    select: str = "clinical.micro_13.uncertain_negative.f1"
    decoding: DecodingConfig = DecodingConfig()
    checkpoint_every: Positive | None = None
    null_every: NotNegative = 25

    @model_validator(mode="after")
    def _check_momentum(self) -> "TrainingConfig":
        if self.momentum and self.optimizer != "sgd":
            raise ValueError(
                f"momentum is of the optimizer 'sgd', got {self.momentum} for {self.optimizer!r}; "
                "betas are what that has instead"
            )
        return self


class RunConfig(_Table):
    """Everything that one training depends on.

    >>> config = RunConfig(data=DataConfig(path="runs/demo/data"))
    >>> config.training.batch_size
    16
    """

    data: DataConfig
    method: MethodConfig = MethodConfig()
    balance: BalanceConfig = BalanceConfig()
    training: TrainingConfig = TrainingConfig()
