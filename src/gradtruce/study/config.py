"""The configuration of a comparison: one run, several balancers."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from gradtruce.training.config import BalanceConfig, RunConfig
from gradtruce.training.config_file import check, merge, parse_override, read_table


class ArmConfig(BaseModel):
    """One arm of a comparison.

    Attributes:
        label: Its name on pages.
        balance: Its balancer; everything else is the same for all arms.

    >>> ArmConfig(label="Linear scalarization").balance.name
    'linear'
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    label: str
    balance: BalanceConfig = BalanceConfig()


class PhantomConfig(BaseModel):
    """The phantom data set that a demonstration makes for itself.

    Attributes:
        level: "easy", "standard" or "hard".
        studies: How many studies all splits have together.
        size: Height and width of the views in pixels.
        seed: Of patients, findings, images and wording.

    >>> PhantomConfig(studies=100).level
    'standard'
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    level: str = "standard"
    studies: Annotated[int, Field(gt=0)] = 2000
    size: Annotated[int, Field(gt=0)] = 128
    seed: Annotated[int, Field(ge=0)] = 0


class StudyConfig(BaseModel):
    """A comparison of balancers on one data set.

    Attributes:
        run: What all arms share: data, method, training.
        arms: The two balancers, by the name of their run folder; differences are second − first.
        phantom: How the data set is made, where it is a phantom made for this study.
        timing_steps: Optimizer steps of the timing after training, for each arm.

    >>> load_study("demo").run.training.clip.limit
    5.0
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    run: RunConfig
    arms: dict[str, ArmConfig]
    phantom: PhantomConfig | None = None
    timing_steps: Annotated[int, Field(ge=3)] = 15

    @model_validator(mode="after")
    def _has_two_arms(self) -> "StudyConfig":
        if len(self.arms) != 2:
            raise ValueError(f"a comparison has two arms, got {len(self.arms)}")
        return self

    def arm(self, name: str) -> RunConfig:
        """Return the configuration of one arm's run."""
        return self.run.model_copy(update={"balance": self.arms[name].balance})


def load_study(source: str | Path, overrides: Sequence[str] = ()) -> StudyConfig:
    """Return the study that a file or a preset describes.

    `run` may extend a training preset, and each arm's `balance` lies over that of `run`.

    Args:
        source: Path of a TOML file, or name of a study preset.
        overrides: Settings such as "run.training.steps=50".

    Raises:
        FileNotFoundError: If there is no such file or preset.
        ValueError: If it has an unknown key or a bad value.

    >>> list(load_study("demo").arms)
    ['linear', 'came_grad']
    """
    table = read_table(source, kind="study")
    for override in overrides:
        table = merge(table, parse_override(override))
    return check(_resolved(table), StudyConfig, where=str(source))


def _resolved(table: dict[str, Any]) -> dict[str, Any]:
    """Return the table with the preset that `run` extends, and arms laid over the run's balance."""
    run = dict(table.get("run", {}))
    parent = run.pop("extends", None)
    if parent is not None:
        run = merge(read_table(parent, kind="training"), run)
    shared = {"balance": run.get("balance", {})}
    arms = {
        name: {**arm, **merge(shared, {"balance": arm.get("balance", {})})}
        for name, arm in table.get("arms", {}).items()
    }
    return {**table, "run": run, "arms": arms}
