"""The tables of a plan: data sets, methods and arms."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator

from gradtruce.data.phantom.follow_ups import FollowUps, checked_follow_ups
from gradtruce.data.phantom.level import LevelName
from gradtruce.training.config_file import Table

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")]
"""Of a method, a data set or an arm in a plan: a part of folder names."""


class TableOfPlan(BaseModel):
    """A table of a plan: unknown keys are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class PhantomConfig(TableOfPlan):
    """A phantom data set that a study makes for itself.

    Attributes:
        level: "easy", "standard" or "hard".
        studies: How many studies all splits have together.
        size: Height and width of the views in pixels.
        seed: Of patients, findings, images and wording.
        follow_ups: Shares of the patients that have no, one, two … studies after their first,
            together 1; those of `gradtruce prepare phantom` where not given.

    >>> PhantomConfig(studies=100).level
    'standard'
    >>> PhantomConfig(follow_ups=(0.05, 0.15, 0.80)).follow_ups
    (0.05, 0.15, 0.8)
    """

    level: LevelName = "standard"
    studies: Annotated[int, Field(gt=0)] = 2000
    size: Annotated[int, Field(gt=0)] = 128
    seed: Annotated[int, Field(ge=0)] = 0
    follow_ups: FollowUps | None = None

    @field_validator("follow_ups")
    @classmethod
    def _check_follow_ups(cls, given: FollowUps | None) -> FollowUps | None:
        if given is not None:
            checked_follow_ups(given)
        return given


class DataEntry(TableOfPlan):
    """One data set of a study.

    Attributes:
        label: Its name in tables and on pages.
        run: Settings of its runs, such as `data.path`; a phantom without a path lies in the folder
            of the study.
        phantom: How it is made where it is not there; prepared sets have none.

    >>> DataEntry(label="Phantom", phantom=PhantomConfig()).phantom.studies
    2000
    """

    label: str
    run: Table = {}
    phantom: PhantomConfig | None = None


class ArmOfMethod(TableOfPlan):
    """What an arm is for one method alone.

    Attributes:
        balance: Laid over that of the arm.

    >>> ArmOfMethod(balance={"preset": "came_grad-camanet-iu"}).balance["preset"]
    'came_grad-camanet-iu'
    """

    balance: Table


class ClustersBuild(TableOfPlan):
    """Clusters of the training reports, for WCL, as `gradtruce build clusters` makes them.

    Attributes:
        count: How many.
        seed: Of the starts of k-means.

    >>> ClustersBuild().count
    14
    """

    count: Annotated[int, Field(ge=2)] = 14
    seed: Annotated[int, Field(ge=0)] = 0


class PrototypesBuild(TableOfPlan):
    """Prototypes of the observations, for XProNet, as `gradtruce build prototypes` makes them.

    Attributes:
        preset: Method preset of the XProNet that starts from them.
        size: Height and width of the images, in pixels.
        seed: Of random weights and of k-means.

    >>> PrototypesBuild(preset="xpronet-tiny").size
    224
    """

    preset: str
    size: Annotated[int, Field(ge=32)] = 224
    seed: Annotated[int, Field(ge=0)] = 0


class RetrievalBuild(TableOfPlan):
    """A bank of the training reports, for PromptMRG, as `gradtruce build retrieval` makes it.

    Attributes:
        width: Numbers of a report, as the method takes them.
        preset: Method preset whose backbone looks at the images.
        size: Height and width of the images, in pixels.
        seed: Of all that is drawn.

    >>> RetrievalBuild(width=64).preset
    'r2gen-tiny'
    """

    width: Annotated[int, Field(ge=1)] = 512
    preset: str = "r2gen-tiny"
    size: Annotated[int, Field(ge=32)] = 224
    seed: Annotated[int, Field(ge=0)] = 0


class Builds(TableOfPlan):
    """What a method needs besides a data set, made from each in the folder of the study.

    Attributes:
        clusters: Becomes `data.clusters`.
        prototypes: Become `method.start_from`.
        retrieval: Becomes `data.retrieval`.

    >>> Builds(retrieval=RetrievalBuild(width=64)).clusters is None
    True
    """

    clusters: ClustersBuild | None = None
    prototypes: PrototypesBuild | None = None
    retrieval: RetrievalBuild | None = None

    def files(self) -> dict[str, str]:
        """Return what is made, and how its file name ends.

        >>> Builds(clusters=ClustersBuild()).files()
        {'clusters': 'clusters.json'}
        """
        endings = {
            "clusters": "clusters.json",
            "prototypes": "prototypes.safetensors",
            "retrieval": "retrieval.safetensors",
        }
        return {kind: end for kind, end in endings.items() if getattr(self, kind) is not None}


class MethodEntry(TableOfPlan):
    """One method of a study, or one way of training it: without clipping is another entry.

    Attributes:
        label: Its name in tables and on pages.
        run: Settings of its runs. With `extends` it starts from that training preset, in place of
            the one that the study's `run` extends.
        base: What `extends` came to; written by `load_plan`.
        builds: What it needs besides a data set; made where it is not there.
        arms: What arms are for this method alone.

    >>> MethodEntry(label="R2Gen, no clipping", run={"training": {"clip": {"kind": "none"}}}).arms
    {}
    """

    label: str
    run: Table = {}
    base: Table | None = None
    builds: Builds = Builds()
    arms: dict[Name, ArmOfMethod] = {}


class ArmEntry(TableOfPlan):
    """One arm of a study: a balancer with its options.

    Attributes:
        label: Its name in tables and on pages.
        balance: Laid over the `balance` that the runs share; all else is the same for all arms.
        auxiliary_scale: Multiplies the weight of every auxiliary task; above 0.
        methods: The methods that it is run with; all where not given.
        published: Where these settings are published, such as "Table D.1, PromptMRG".

    >>> ArmEntry(label="Linear, auxiliary tasks at half", auxiliary_scale=0.5).balance
    {}
    """

    label: str
    balance: Table = {}
    auxiliary_scale: Annotated[float, Field(gt=0)] = 1.0
    methods: tuple[str, ...] | None = None
    published: str | None = None
