"""The settings that a search varies: any keys of a run's configuration, each a range or choices."""

from collections.abc import Mapping
from typing import Annotated, Final, final

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from pydantic import Field, model_validator

from gradtruce.naming import suggestion
from gradtruce.study.plans.entries import TableOfPlan
from gradtruce.study.plans.task_weights import task_weights
from gradtruce.training.assembly import build_balancer
from gradtruce.training.config import RunConfig
from gradtruce.training.config_file import Table, check, merge

Value = bool | int | float | str
Settings = Mapping[str, Value]
"""What a trial sets: value by dotted key, such as {"balance.options.radius": 0.4}."""

FIXED: Final = {
    "training.seed": "a score that is best with one seed is luck",
    "training.select": "trials that choose their checkpoint by different scores can't be compared",
    "training.validation": "trials that are validated differently can't be compared",
    "data.path": "trials on different data can't be compared",
}
"""Keys that no search may vary, and why."""


@final
class Range(TableOfPlan):
    """A number between two others; whole where `low` and `high` are whole.

    Attributes:
        low: Smallest value.
        high: Largest value.
        log: Whether it is drawn evenly by its logarithm.
        step: Distance of neighbouring values; any value where not given.

    >>> Range(low=0.0, high=0.9).distribution()
    FloatDistribution(high=0.9, log=False, low=0.0, step=None)
    """

    low: int | float
    high: int | float
    log: bool = False
    step: int | float | None = None

    @model_validator(mode="after")
    def _check(self) -> "Range":
        if not self.low < self.high:
            raise ValueError(f"low must be below high, got low = {self.low}, high = {self.high}")
        if self.log and self.low <= 0:
            raise ValueError(f"log needs low above 0, got {self.low}")
        if self.log and self.step is not None:
            raise ValueError(f"log and step exclude each other, got step = {self.step}")
        if self.step is not None and not 0 < self.step <= self.high - self.low:
            raise ValueError(
                f"step must be above 0 and at most high - low = {self.high - self.low}, "
                f"got {self.step}"
            )
        return self

    def distribution(self) -> BaseDistribution:
        """Return what Optuna draws from."""
        if isinstance(self.low, int) and isinstance(self.high, int) and _is_whole(self.step):
            return IntDistribution(self.low, self.high, log=self.log, step=int(self.step or 1))
        return FloatDistribution(self.low, self.high, log=self.log, step=self.step)

    def ends(self) -> tuple[Value, ...]:
        """Return the values that are checked before anything is trained."""
        return (self.low, self.high)

    def holds(self, value: Value) -> bool:
        """Return whether a value lies in the range."""
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return is_number and self.low <= float(value) <= self.high


@final
class Choices(TableOfPlan):
    """One of some values.

    Attributes:
        choices: At least two different ones.

    >>> Choices(choices=["shared", "all"]).distribution()
    CategoricalDistribution(choices=('shared', 'all'))
    """

    choices: Annotated[tuple[Value, ...], Field(min_length=2)]

    @model_validator(mode="after")
    def _check(self) -> "Choices":
        if len(set(self.choices)) < len(self.choices):
            raise ValueError(f"choices must differ, got {list(self.choices)}")
        return self

    def distribution(self) -> BaseDistribution:
        """Return what Optuna draws from."""
        return CategoricalDistribution(self.choices)

    def ends(self) -> tuple[Value, ...]:
        """Return the values that are checked before anything is trained."""
        return self.choices

    def holds(self, value: Value) -> bool:
        """Return whether a value is one of the choices."""
        return value in self.choices


Space = Mapping[str, Range | Choices]


def read_space(table: Mapping[str, object], *, where: str) -> dict[str, Range | Choices]:
    """Return the space that the tables of a plan describe, by dotted key.

    Raises:
        ValueError: If there is none, or a table is neither a range nor choices; named by its key.
        TypeError: If something else than a table stands there.

    >>> list(read_space({"balance.options.gain": {"low": 1.0, "high": 2.0}}, where="my.toml"))
    ['balance.options.gain']
    """
    if not table:
        raise ValueError(f"{where}: space is empty; give at least one setting to search over")
    space: dict[str, Range | Choices] = {}
    for key, entry in table.items():
        place = f"{where}: space.{key!r}"
        if not isinstance(entry, Mapping):
            raise TypeError(
                f"{place}: must be a table such as {{ low = 0.0, high = 0.9 }} or "
                f"{{ choices = [1, 2] }}, got {entry!r}; a dotted key stands in quotes"
            )
        if "choices" in entry:
            space[key] = check(entry, Choices, where=place)
        else:
            space[key] = check(entry, Range, where=place)
    return space


def check_space(space: Space, config: RunConfig, *, where: str) -> None:
    """Refuse settings that no run has, and ends that a run refuses, before anything is trained.

    Args:
        space: By dotted key.
        config: Of a run of the search.
        where: The file, for messages.

    Raises:
        ValueError: Naming the key; an unknown one comes with the nearest known one.
        TypeError: If a method refuses the kind of a value.
    """
    for key, entry in space.items():
        for fixed, reason in FIXED.items():
            if key == fixed or key.startswith(f"{fixed}."):
                raise ValueError(f"{where}: space.{key!r}: can't be searched over: {reason}")
        for value in entry.ends():
            try:
                _require_accepted(config, {key: value})
            except ValueError as error:
                raise ValueError(f"{where}: space.{key!r} = {value!r}: {error}") from error


def _require_accepted(config: RunConfig, settings: Settings) -> None:
    table = config.model_dump(mode="json", exclude_none=True)
    changed = check(merge(table, nested(settings)), RunConfig, where="a run")
    build_balancer(changed.balance)
    weights = task_weights(changed.method)
    for task in changed.balance.weights:
        if task not in weights:
            raise ValueError(f"no task is called {task!r}{suggestion(task, list(weights))}")


def nested(settings: Settings) -> Table:
    """Return settings as the tables of a configuration.

    >>> nested({"balance.options.radius": 0.4, "training.batch_size": 8})
    {'balance': {'options': {'radius': 0.4}}, 'training': {'batch_size': 8}}
    """
    table: Table = {}
    for key, value in settings.items():
        *parents, last = key.split(".")
        entry: Table = {last: value}
        for part in reversed(parents):
            entry = {part: entry}
        table = merge(table, entry)
    return table


def _is_whole(step: float | None) -> bool:
    return step is None or isinstance(step, int)
